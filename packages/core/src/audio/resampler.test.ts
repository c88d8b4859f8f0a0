import { describe, expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import { Resampler, type ResamplerOptions, resample } from "./resampler.js";

function sine(hz: number, sampleRate: number, length: number, start = 0): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hz * (start + i)) / sampleRate));
}

function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}

/** Gain of a tone in dB, and what else comes out in dB below a full tone, both without the ends of the recording. */
function toneThrough(hz: number, options: ResamplerOptions): { gain: number; rest: number } {
  const output = resample(sine(hz, options.inputRate, options.inputRate), options);
  const middle = output.subarray(2000, output.length - 2000);
  const cosine = Float64Array.from(middle, (_, i) => Math.cos((2 * Math.PI * hz * (2000 + i)) / options.outputRate));
  const sines = Float64Array.from(middle, (_, i) => Math.sin((2 * Math.PI * hz * (2000 + i)) / options.outputRate));
  const product = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  // The tone that explains the output best, by least squares.
  const [cc, cs, ss] = [product(cosine, cosine), product(cosine, sines), product(sines, sines)];
  const [oc, os] = [product(middle, cosine), product(middle, sines)];
  const a = (oc * ss - os * cs) / (cc * ss - cs * cs);
  const b = (os * cc - oc * cs) / (cc * ss - cs * cs);
  const rest = middle.map((value, i) => value - a * cosine[i] - b * sines[i]);
  return { gain: 20 * Math.log10(Math.hypot(a, b)), rest: 20 * Math.log10(rms(rest) * Math.SQRT2) };
}

/** How far a tone above half the output rate is kept down, dB. */
function aliasRejection(hz: number, options: ResamplerOptions): number {
  const output = resample(sine(hz, options.inputRate, options.inputRate), options);
  return -20 * Math.log10(rms(output.subarray(2000, output.length - 2000)) * Math.SQRT2);
}

function stream(input: Float32Array, options: ResamplerOptions, nextChunk: () => number): Float32Array {
  const resampler = new Resampler(options);
  const output = new Float32Array(resampler.outputsAfter(input.length) + resampler.delaySamples);
  let written = 0;
  for (let from = 0; from < input.length; ) {
    const to = Math.min(input.length, from + nextChunk());
    written += resampler.push(input.subarray(from, to), output.subarray(written));
    from = to;
  }
  written += resampler.flush(output.subarray(written));
  expect(written).toBe(output.length);
  return output.slice(resampler.delaySamples);
}

const firstDifference = (a: Float32Array, b: Float32Array) =>
  a.length === b.length ? a.findIndex((value, i) => !Object.is(value, b[i])) : `lengths ${a.length} and ${b.length}`;

describe("micro-turns stay aligned", () => {
  test.each([
    [48_000, 9600],
    [44_100, 8820],
    [24_000, 4800],
    [8000, 1600],
    [96_000, 19_200],
    [192_000, 38_400],
    [16_000, 3200],
    [11_025, 2205],
  ])("200 ms at %i Hz give 3200 samples at 16 kHz, every time", (inputRate, inputs) => {
    const resampler = new Resampler({ inputRate, outputRate: 16_000 });
    const output = new Float32Array(3200);
    for (let turn = 0; turn < 12; turn++) {
      expect(resampler.outputsAfter(inputs)).toBe(3200);
      expect(resampler.push(noise(inputs, turn), output)).toBe(3200);
    }
  });

  test("an hour at 44.1 kHz ends on the very sample, and a tone at its end has the phase that time asks for", () => {
    // Positions do not depend on the filter, so a short one keeps this test quick.
    const quality = { zeroCrossings: 2, beta: 4 };
    const resampler = new Resampler({ inputRate: 44_100, outputRate: 16_000, quality });
    const hour = 3600 * 44_100;
    const block = new Float32Array(44_100 - 7); // not a whole number of periods
    const output = new Float32Array(resampler.outputsAfter(block.length) + 1);
    let outputs = 0;
    let inputs = 0;
    while (inputs < hour) {
      const part = block.subarray(0, Math.min(block.length, hour - inputs));
      outputs += resampler.push(part, output);
      inputs += part.length;
    }
    expect(inputs).toBe(hour);
    expect(outputs).toBe(3600 * 16_000);
    const tail = new Float32Array(16_000);
    expect(resampler.push(sine(440, 44_100, 44_100, hour), tail)).toBe(16_000);
    const expected = sine(440, 16_000, 16_000, 3600 * 16_000 - resampler.delaySamples);
    let largest = 0;
    for (let i = 100; i < tail.length; i++) largest = Math.max(largest, Math.abs(tail[i] - expected[i]));
    // One output sample of drift would make 0.17.
    expect(largest).toBeLessThan(2e-2);
  }, 120_000);
});

describe("quality of the default, 48 to 16 kHz", () => {
  const options = { inputRate: 48_000, outputRate: 16_000 };

  test("is 32 samples (2 ms) late", () => {
    expect(new Resampler(options).delaySamples).toBe(32);
  });

  test("passes 7 kHz with less than 0.05 dB of loss", () => {
    expect(Math.abs(toneThrough(7000, options).gain)).toBeLessThan(0.05);
  });

  test("halves the amplitude at its cut-off, 0.95 of half the rate", () => {
    expect(Math.abs(toneThrough(7600, options).gain + 6.02)).toBeLessThan(0.1);
  });

  test("keeps aliases 94 dB down at 1.1 and 100 dB at 1.25 times half the rate", () => {
    expect(aliasRejection(8800, options)).toBeGreaterThan(94);
    expect(aliasRejection(10_000, options)).toBeGreaterThan(100);
  });

  test.each([
    [44_100, 16_000],
    [24_000, 16_000],
    [8000, 16_000],
    [16_000, 48_000],
    [24_000, 44_100],
    [16_000, 44_100],
    [11_025, 16_000],
    [12_345, 16_001], // more phases than rows: interpolated
    [47_999, 16_000],
  ])("from %i to %i Hz a tone of 1 kHz stays as it is, 95 dB clean", (inputRate, outputRate) => {
    const { gain, rest } = toneThrough(1000, { inputRate, outputRate });
    expect(Math.abs(gain)).toBeLessThan(1e-4);
    expect(rest).toBeLessThan(-95);
  });

  test("a constant stays the constant in every phase", () => {
    const output = resample(new Float32Array(44_100).fill(0.5), { inputRate: 44_100, outputRate: 16_000 });
    for (const value of output.subarray(100, 15_900)) expect(Math.abs(value - 0.5)).toBeLessThan(1e-7);
  });
});

describe("streaming equals batch, bit for bit", () => {
  const rates: [number, number][] = [
    [48_000, 16_000],
    [44_100, 16_000],
    [16_000, 24_000],
    [12_345, 16_001],
    [16_000, 16_000],
  ];
  test.each(rates)("%i to %i Hz in chunks of 1, 128, 480, 9600 and random sizes", (inputRate, outputRate) => {
    const input = noise(20_011);
    const options = { inputRate, outputRate };
    const batch = resample(input, options);
    expect(batch.length).toBe(Math.ceil((input.length * outputRate) / inputRate));
    let state = 5;
    const random = () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      return 1 + Math.floor((state / 2 ** 32) * 5000);
    };
    for (const nextChunk of [() => 1, () => 128, () => 480, () => 9600, random]) {
      expect(firstDifference(stream(input, options, nextChunk), batch)).toBe(-1);
    }
  });

  test.each(rates)("%i to %i Hz goes on from a snapshot, also in another resampler", (inputRate, outputRate) => {
    const input = noise(9000);
    const first = new Resampler({ inputRate, outputRate });
    const scratch = new Float32Array(20_000);
    first.push(input.subarray(0, 4321), scratch);
    const state = first.snapshot();
    const expected = new Float32Array(first.outputsAfter(input.length - 4321));
    first.push(input.subarray(4321), expected);
    const second = new Resampler({ inputRate, outputRate });
    second.push(noise(777, 3), scratch);
    second.restore(state);
    expect(second.samples).toBe(4321);
    const output = new Float32Array(expected.length);
    expect(second.push(input.subarray(4321), output)).toBe(expected.length);
    expect(firstDifference(output, expected)).toBe(-1);
  });

  test("reset starts a new stream", () => {
    const resampler = new Resampler({ inputRate: 44_100, outputRate: 16_000 });
    const input = noise(5000);
    const first = new Float32Array(resampler.outputsAfter(5000));
    resampler.push(input, first);
    resampler.reset();
    const again = new Float32Array(first.length);
    resampler.push(input, again);
    expect(firstDifference(again, first)).toBe(-1);
  });
});

describe("bad input", () => {
  test("NaN is refused by its index and leaves the state as it was", () => {
    const resampler = new Resampler({ inputRate: 48_000, outputRate: 16_000 });
    const untouched = new Resampler({ inputRate: 48_000, outputRate: 16_000 });
    const output = new Float32Array(3200);
    const expected = new Float32Array(3200);
    resampler.push(noise(1000), output);
    untouched.push(noise(1000), expected);
    const bad = noise(1000, 2);
    bad[999] = Number.NaN;
    let thrown: unknown;
    try {
      resampler.push(bad, output);
    } catch (error) {
      thrown = error;
    }
    expect(DuplexError.is(thrown, "AUDIO_INVALID")).toBe(true);
    expect((thrown as DuplexError).message).toMatch(/resampler: .* index 999 \(sample 1999 of the stream\)/);
    resampler.push(noise(1000, 4), output);
    untouched.push(noise(1000, 4), expected);
    expect(firstDifference(output, expected)).toBe(-1);
  });

  test.each([
    [48_000, 16_000],
    [12_345, 16_001],
  ])("the largest finite samples stay finite from %i to %i Hz", (inputRate, outputRate) => {
    const square = Float32Array.from({ length: 9600 }, (_, i) => ((i >> 5) & 1 ? 3.4e38 : -3.4e38));
    const output = resample(square, { inputRate, outputRate });
    expect(output.every(Number.isFinite)).toBe(true);
    expect(output.some((value) => value > 3.4e38)).toBe(true);
  });

  test.each([7999, 192_001, 44_100.5, Number.NaN])("a rate of %d is refused", (rate) => {
    expect(() => new Resampler({ inputRate: rate, outputRate: 16_000 })).toThrow(/whole rates of 8000 to 192000 Hz/);
    expect(() => new Resampler({ inputRate: 16_000, outputRate: rate })).toThrow(RangeError);
  });

  test("too little room is refused before anything is taken in", () => {
    const resampler = new Resampler({ inputRate: 48_000, outputRate: 16_000 });
    expect(() => resampler.push(new Float32Array(9600), new Float32Array(3199))).toThrow(
      /room for 3200 samples, got 3199/,
    );
    expect(resampler.samples).toBe(0);
  });

  test("a state of other rates is refused", () => {
    const state = new Resampler({ inputRate: 48_000, outputRate: 16_000 }).snapshot();
    expect(() => new Resampler({ inputRate: 44_100, outputRate: 16_000 }).restore(state)).toThrow(RangeError);
    const short = new Resampler({ inputRate: 48_000, outputRate: 16_000, quality: { zeroCrossings: 8 } });
    expect(() => short.restore(state)).toThrow(/samples of history/);
  });

  test("a state of another quality is refused, also one of as many taps", () => {
    const rates = { inputRate: 48_000, outputRate: 16_000 };
    const state = structuredClone(new Resampler(rates).snapshot());
    const softer = new Resampler({ ...rates, quality: { beta: 6 } });
    expect(() => softer.restore(state)).toThrow(/expected a state of beta 6, got 9/);
    expect(() => new Resampler({ ...rates, quality: { cutoff: 0.9 } }).restore(state)).toThrow(RangeError);
    new Resampler(rates).restore(state);
    const equal = { inputRate: 16_000, outputRate: 16_000 };
    new Resampler({ ...equal, quality: { beta: 6 } }).restore(new Resampler(equal).snapshot());
  });
});
