import { expect, test } from "vitest";
import { SourceFilterVocoder } from "./source-filter-vocoder.js";
import { largestDifference, readVocoderFixture } from "./vocoder-fixture.js";

const { weights, seed, levels, pcm } = readVocoderFixture();
const frames = levels.length / 80;

test("turns levels into the samples that Python makes of them, within 1e-4", () => {
  const vocoder = new SourceFilterVocoder(weights, { seed });
  expect(largestDifference(vocoder.push(levels), pcm)).toBeLessThan(1e-4);
});

test("gives the same samples for every division of the frames, to the bit", () => {
  const whole = new SourceFilterVocoder(weights, { seed }).push(levels);
  for (const size of [1, 2, 8, 13]) {
    const vocoder = new SourceFilterVocoder(weights, { seed });
    const joined = new Float32Array(frames * 400);
    for (let k = 0; k < frames; k += size) {
      joined.set(vocoder.push(Int32Array.from(levels.subarray(k * 80, (k + size) * 80))), k * 400);
    }
    expect(joined, `by ${size}`).toEqual(whole);
  }
});

test("starts anew after flush and after reset", () => {
  const vocoder = new SourceFilterVocoder(weights, { seed });
  const first = vocoder.push(levels);
  expect(vocoder.flush()).toHaveLength(vocoder.latencySamples);
  expect(vocoder.push(levels)).toEqual(first);
  vocoder.reset();
  expect(vocoder.push(levels)).toEqual(first);
});

test("goes on from a snapshot as if nothing had been between", () => {
  const vocoder = new SourceFilterVocoder(weights, { seed });
  vocoder.push(levels.subarray(0, 20 * 80));
  const state = vocoder.snapshot();
  const next = vocoder.push(levels.subarray(20 * 80));
  vocoder.restore(state);
  expect(vocoder.push(levels.subarray(20 * 80))).toEqual(next);
});

test("refuses parts of frames and levels above 15", () => {
  const vocoder = new SourceFilterVocoder(weights);
  expect(() => vocoder.push(new Uint8Array(79))).toThrow(/whole frames/);
  expect(() => vocoder.push(new Uint8Array(80).fill(16))).toThrow(RangeError);
  expect(() => vocoder.push(new Int32Array(80).fill(-1))).toThrow(RangeError);
  expect(vocoder.push(new Uint8Array(0))).toHaveLength(0);
});
