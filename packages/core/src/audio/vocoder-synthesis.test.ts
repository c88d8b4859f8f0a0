import { expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import { largestDifference, readVocoderFixture } from "./vocoder-fixture.js";
import { SourceFilterSynthesis } from "./vocoder-synthesis.js";

const { levels, controls, pcm, seed } = readVocoderFixture();
const frames = levels.length / 80;

function render(synthesis: SourceFilterSynthesis, from = 0, to = frames): Float32Array {
  const out = new Float32Array((to - from) * 400);
  synthesis.render(controls.subarray(from * 264, to * 264), levels.subarray(from * 80, to * 80), out);
  return out;
}

/** Controls of `count` frames: pitch, voicing, and one log amplitude for pulses and noise each. */
function steady(count: number, pitch: number, voicing: number, harmonic: number, noise: number): Float32Array {
  return Float32Array.from({ length: count * 264 }, (_, i) => {
    const control = i % 132;
    if (control < 2) return control === 0 ? pitch : voicing;
    return control < 67 ? harmonic : noise;
  });
}

/** Power of a tone of `hertz` in `samples`. */
function power(samples: Float32Array, hertz: number): number {
  let re = 0;
  let im = 0;
  samples.forEach((value, i) => {
    re += value * Math.cos((2 * Math.PI * hertz * i) / 16000);
    im += value * Math.sin((2 * Math.PI * hertz * i) / 16000);
  });
  return (re * re + im * im) / samples.length ** 2;
}

const loud = (count: number) => new Uint8Array(count * 80).fill(8);

test("makes the samples that the Python reference makes, within 1e-5", () => {
  expect(largestDifference(render(new SourceFilterSynthesis({ seed })), pcm)).toBeLessThan(1e-5);
  expect(pcm.some((sample) => Math.abs(sample) > 0.05)).toBe(true);
});

test("gives the same samples for frames one by one, by two, by eight and at random, to the bit", () => {
  const whole = render(new SourceFilterSynthesis({ seed }));
  for (const sizes of [[1], [2], [8], [3, 1, 11, 2, 5, 1, 1, 7]]) {
    const synthesis = new SourceFilterSynthesis({ seed });
    const joined = new Float32Array(frames * 400);
    for (let k = 0, call = 0; k < frames; call++) {
      const end = Math.min(frames, k + sizes[call % sizes.length]);
      joined.set(render(synthesis, k, end), k * 400);
      k = end;
    }
    expect(joined, `frames by ${sizes}`).toEqual(whole);
  }
});

test("lets a frame change nothing that left before it was complete", () => {
  const changed = controls.slice();
  changed.fill(1, 40 * 264, 41 * 264);
  const out = new Float32Array(frames * 400);
  new SourceFilterSynthesis({ seed }).render(changed, levels, out);
  const whole = render(new SourceFilterSynthesis({ seed }));
  expect(out.subarray(0, 40 * 400)).toEqual(whole.subarray(0, 40 * 400));
  expect(out.subarray(40 * 400, 41 * 400)).not.toEqual(whole.subarray(40 * 400, 41 * 400));
});

test("gives exact zeros for silent frames, whatever their controls", () => {
  const out = new Float32Array(800).fill(1);
  new SourceFilterSynthesis().render(new Float32Array(528).fill(Number.NaN), new Uint8Array(160), out);
  expect(out.every((sample) => sample === 0)).toBe(true);
});

test("is exactly silent 22 ms after the PCM of the last sounding frame and no click stands before that", () => {
  const synthesis = new SourceFilterSynthesis();
  synthesis.render(steady(8, 0, 4, -2, -6), loud(8), new Float32Array(3200));
  const out = new Float32Array(1600);
  synthesis.render(new Float32Array(4 * 264), new Uint8Array(320), out);
  const last = out.findLastIndex((sample) => sample !== 0);
  expect(last).toBeGreaterThan(0);
  expect(last).toBeLessThan(356);
  expect(Math.abs(out[last])).toBeLessThan(1e-3);
});

test("fades in: the first sample of a sound is small", () => {
  const out = new Float32Array(800);
  new SourceFilterSynthesis().render(steady(2, 0, 4, -12, -2), loud(2), out);
  const first = out.slice(0, 120).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const later = out.slice(400).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(first).toBeLessThan(later / 10);
});

test("puts the pulses at the pitch asked for, 60 to 480 Hz", () => {
  for (const [control, hertz] of [
    [0, 60 * 2 ** 1.5],
    [-30, 60],
    [30, 480],
  ]) {
    const out = new Float32Array(40 * 400);
    new SourceFilterSynthesis().render(steady(40, control, 20, -2, -12), loud(40), out);
    const sound = out.subarray(4000);
    expect(power(sound, hertz)).toBeGreaterThan(100 * power(sound, hertz * 1.5));
    expect(power(sound, 3 * hertz)).toBeGreaterThan(100 * power(sound, hertz * 3.5));
  }
});

test("makes noise and pulses of the power that their amplitude says", () => {
  for (const control of [steady(200, 0, 40, -4, -12), steady(200, 0, -40, -12, -4)]) {
    const out = new Float32Array(200 * 400);
    new SourceFilterSynthesis().render(control, loud(200), out);
    const rms = Math.sqrt(out.subarray(4000).reduce((sum, sample) => sum + sample * sample, 0) / (out.length - 4000));
    // The same source lies under both windows of a sample, and the windows add up to 1.
    expect(Math.abs(20 * Math.log10(rms / Math.exp(-4)))).toBeLessThan(0.5);
  }
});

test("repeats itself with the same seed and differs with another", () => {
  expect(render(new SourceFilterSynthesis({ seed: 3 }))).toEqual(render(new SourceFilterSynthesis({ seed: 3 })));
  expect(render(new SourceFilterSynthesis({ seed: 3 }))).not.toEqual(render(new SourceFilterSynthesis({ seed: 4 })));
});

test("goes on from a snapshot in another instance as if nothing had been between", () => {
  for (const at of [1, 20, 26, 33, 40]) {
    const synthesis = new SourceFilterSynthesis({ seed });
    render(synthesis, 0, at);
    const state = structuredClone(synthesis.snapshot());
    const expected = render(synthesis, at);
    const other = new SourceFilterSynthesis({ seed: 99 });
    render(other, 3, 9);
    other.restore(state);
    expect(render(other, at), `snapshot after ${at} frames`).toEqual(expected);
  }
});

test("starts anew after reset and after flush, and flush gives the samples still to come", () => {
  const synthesis = new SourceFilterSynthesis({ seed });
  const first = render(synthesis, 0, 10);
  synthesis.reset();
  expect(render(synthesis, 0, 10)).toEqual(first);
  const rest = new Float32Array(400);
  synthesis.flush(rest);
  expect(rest.some((sample) => sample !== 0)).toBe(true);
  expect(render(synthesis, 0, 10)).toEqual(first);
  expect(() => synthesis.flush(new Float32Array(399))).toThrow(/400/);
});

test("clamps infinite controls, stays within full scale and recovers", () => {
  for (const extreme of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, -3e38]) {
    const out = new Float32Array(8 * 400);
    const synthesis = new SourceFilterSynthesis();
    synthesis.render(new Float32Array(8 * 264).fill(extreme), loud(8), out);
    expect(out.every((sample) => Math.abs(sample) <= 1)).toBe(true);
    synthesis.render(steady(8, 0, 0, -3, -3), loud(8), out);
    expect(out.subarray(1600).every((sample) => Math.abs(sample) < 0.8)).toBe(true);
  }
});

test("bends loud samples below full scale instead of cutting them", () => {
  const out = new Float32Array(8 * 400);
  new SourceFilterSynthesis().render(steady(8, 0, 40, -12, 1), loud(8), out);
  const loudest = out.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  expect(loudest).toBeGreaterThan(0.9);
  expect(loudest).toBeLessThanOrEqual(1);
});

test("refuses NaN with a code, names the place, and is left as it was", () => {
  const synthesis = new SourceFilterSynthesis({ seed });
  render(synthesis, 0, 8);
  const broken = controls.slice(8 * 264, 16 * 264);
  broken[3 * 264 + 5] = Number.NaN;
  let caught: unknown;
  try {
    synthesis.render(broken, levels.subarray(8 * 80, 16 * 80), new Float32Array(3200));
  } catch (error) {
    caught = error;
  }
  expect(DuplexError.is(caught, "BACKEND_FAILED") && caught.details).toEqual({ frame: 3, control: 5 });
  expect(render(synthesis, 8, 16)).toEqual(render(new SourceFilterSynthesis({ seed }), 0, 16).subarray(3200));
});

test("refuses lengths that do not belong together, a foreign state and a bad seed", () => {
  const synthesis = new SourceFilterSynthesis();
  const error = (call: () => void) => {
    try {
      call();
    } catch (caught) {
      return DuplexError.is(caught) ? caught.code : caught;
    }
  };
  expect(error(() => synthesis.render(new Float32Array(264), new Uint8Array(79), new Float32Array(400)))).toBe(
    "SHAPE_MISMATCH",
  );
  expect(error(() => synthesis.render(new Float32Array(264), new Uint8Array(80), new Float32Array(401)))).toBe(
    "SHAPE_MISMATCH",
  );
  expect(error(() => synthesis.restore({ ...synthesis.snapshot(), tail: new Float64Array(3) }))).toBe("SHAPE_MISMATCH");
  for (const bad of [-1, 1.5, 2 ** 32, Number.NaN])
    expect(() => new SourceFilterSynthesis({ seed: bad })).toThrow(RangeError);
});
