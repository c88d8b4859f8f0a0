import { expect, test } from "vitest";
import { floatToInt16, int16ToFloat, mixToMono } from "./pcm.js";

test("every 16-bit value survives the way to float and back", () => {
  const all = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
  const back = floatToInt16(int16ToFloat(all));
  expect(all.findIndex((value, i) => value !== back[i])).toBe(-1);
});

test("floats are rounded to the nearest, clipped, and NaN is silence", () => {
  const floats = new Float32Array([1, 2, -1, -1.5, 0.5 / 32768, -0.5 / 32768, 0.49 / 32768, Number.NaN, -Infinity]);
  expect([...floatToInt16(floats)]).toEqual([32767, 32767, -32768, -32768, 1, 0, 0, 0, -32768]);
});

test("the mono mix is the mean", () => {
  expect([...mixToMono([new Float32Array([1, 0]), new Float32Array([0, -1])])]).toEqual([0.5, -0.5]);
  expect(() => mixToMono([])).toThrow(RangeError);
  expect(() => mixToMono([new Float32Array(1), new Float32Array(2)])).toThrow(/got 1, 2/);
  expect(() => mixToMono(new Float32Array(2) as never)).toThrow(/array of channels, got samples/);
});

test("output without room is refused", () => {
  expect(() => int16ToFloat(new Int16Array(3), new Float32Array(2))).toThrow(/room for 3 samples, got 2/);
});
