import { describe, expect, test } from "vitest";
import { ComplexFft, RealFft } from "./fft.js";

// The plain reference: the definition, term by term.
function dft(re: Float64Array, im: Float64Array): { re: Float64Array; im: Float64Array } {
  const size = re.length;
  const out = { re: new Float64Array(size), im: new Float64Array(size) };
  for (let k = 0; k < size; k++) {
    for (let n = 0; n < size; n++) {
      const angle = (-2 * Math.PI * ((k * n) % size)) / size;
      out.re[k] += re[n] * Math.cos(angle) - im[n] * Math.sin(angle);
      out.im[k] += re[n] * Math.sin(angle) + im[n] * Math.cos(angle);
    }
  }
  return out;
}

function noise(length: number, seed: number): Float64Array {
  const values = new Float64Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    values[i] = state / 2 ** 31 - 1;
  }
  return values;
}

function largestDifference(a: Float64Array, b: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

const sizes = [1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 20, 25, 27, 30, 45, 60, 64, 75, 100, 120, 125, 360, 400, 512];

describe("complex transform", () => {
  test.each([...sizes, 800, 1024, 1600])("of %i points equals the definition", (size) => {
    const re = noise(size, 1);
    const im = noise(size, 2);
    const expected = dft(re, im);
    new ComplexFft(size).forward(re, im);
    expect(largestDifference(re, expected.re)).toBeLessThan(1e-10);
    expect(largestDifference(im, expected.im)).toBeLessThan(1e-10);
  });

  test.each(sizes)("of %i points is undone by its inverse", (size) => {
    const re = noise(size, 3);
    const im = noise(size, 4);
    const plan = new ComplexFft(size);
    const [re2, im2] = [re.slice(), im.slice()];
    plan.forward(re2, im2);
    plan.inverse(re2, im2);
    expect(largestDifference(re, re2)).toBeLessThan(1e-13);
    expect(largestDifference(im, im2)).toBeLessThan(1e-13);
  });

  test.each([0, -4, 1.5, Number.NaN, 7, 22, 1601])("refuses a size of %d", (size) => {
    expect(() => new ComplexFft(size)).toThrow(RangeError);
  });

  test("refuses buffers of another length and says which it expected", () => {
    const plan = new ComplexFft(8);
    expect(() => plan.forward(new Float64Array(8), new Float64Array(7))).toThrow(/expected re and im of length 8/);
  });
});

describe("real transform", () => {
  const even = [...sizes.filter((size) => size % 2 === 0), 800, 1024, 1600];

  test.each(even)("of %i samples equals the definition up to half the rate", (size) => {
    const samples = noise(size, 5);
    const expected = dft(samples, new Float64Array(size));
    const plan = new RealFft(size);
    const re = new Float64Array(plan.bins).fill(9);
    const im = new Float64Array(plan.bins).fill(9);
    plan.forward(samples, re, im);
    expect(largestDifference(re, expected.re.subarray(0, plan.bins))).toBeLessThan(1e-10);
    expect(largestDifference(im, expected.im.subarray(0, plan.bins))).toBeLessThan(1e-10);
  });

  test.each(even)("of %i samples is undone by its inverse, inputs untouched", (size) => {
    const samples = noise(size, 6);
    const plan = new RealFft(size);
    const re = new Float64Array(plan.bins);
    const im = new Float64Array(plan.bins);
    plan.forward(samples, re, im);
    expect(samples).toEqual(noise(size, 6));
    const back = new Float64Array(size);
    plan.inverse(re, im, back);
    expect(largestDifference(samples, back)).toBeLessThan(1e-13);
  });

  test("refuses odd sizes and wrong lengths", () => {
    expect(() => new RealFft(15)).toThrow(/even size/);
    const plan = new RealFft(16);
    expect(() => plan.forward(new Float64Array(16), new Float64Array(8), new Float64Array(9))).toThrow(RangeError);
  });

  test.each(even)("of %i samples: power equals that of the spectrum of the windowed samples", (size) => {
    const plan = new RealFft(size);
    // Whole frames, and frames that zeros follow, of an even and of an odd length.
    for (const count of [size, size - 1, Math.ceil(size / 3)]) {
      const samples = Float32Array.from(noise(count, 7));
      const window = noise(count, 8);
      const padded = new Float64Array(size);
      for (let i = 0; i < count; i++) padded[i] = samples[i] * window[i];
      const [re, im] = [new Float64Array(plan.bins), new Float64Array(plan.bins)];
      plan.forward(padded, re, im);
      const power = new Float64Array(plan.bins).fill(9);
      plan.power(samples, window, power);
      expect(
        largestDifference(
          power,
          re.map((value, k) => value * value + im[k] * im[k]),
        ),
      ).toBeLessThan(1e-10);
    }
  });

  test.each([
    [new Float32Array(7), new Float64Array(8), 5],
    [new Float32Array(9), new Float64Array(9), 5],
    [new Float32Array(8), new Float64Array(8), 4],
  ])("power refuses lengths that do not fit, case %#", (samples, window, bins) => {
    expect(() => new RealFft(8).power(samples, window, new Float64Array(bins))).toThrow(/real fft: expected/);
  });
});
