import { expect, it } from "vitest";
import { Pyramid } from "./pyramid.js";

it("gives the exact range of short stretches and a containing one of long stretches", () => {
  const samples = Float32Array.from({ length: 50_000 }, (_, i) => (Math.sin(i * 0.37) * ((i * 7919) % 997)) / 997);
  const pyramid = new Pyramid(samples);
  const naive = (from: number, to: number) => {
    const part = [...samples.subarray(from, to)];
    return [Math.min(...part), Math.max(...part)];
  };
  for (const [from, to] of [
    [0, 1],
    [100, 180],
    [40_000, 40_255],
  ] as const) {
    expect(pyramid.range(from, to, [0, 0])).toEqual(naive(from, to));
  }
  for (const [from, to] of [
    [0, 50_000],
    [1_000, 9_000],
    [123, 31_000],
  ] as const) {
    const [low, high] = pyramid.range(from, to, [0, 0]);
    const [trueLow, trueHigh] = naive(from, to);
    expect(low).toBeLessThanOrEqual(trueLow);
    expect(high).toBeGreaterThanOrEqual(trueHigh);
    // What it adds lies at most a block away.
    const [wideLow, wideHigh] = naive(Math.max(0, from - 4_096), to + 4_096);
    expect(low).toBeGreaterThanOrEqual(wideLow);
    expect(high).toBeLessThanOrEqual(wideHigh);
  }
  expect(pyramid.peak).toBe(Math.max(...samples.map(Math.abs)));
});

it("is flat outside the voice and without one", () => {
  const pyramid = new Pyramid(new Float32Array(10).fill(0.5));
  expect(pyramid.range(10, 20, [1, 1])).toEqual([0, 0]);
  expect(pyramid.range(-20, -10, [1, 1])).toEqual([0, 0]);
  expect(new Pyramid(new Float32Array(0)).range(0, 10, [1, 1])).toEqual([0, 0]);
});
