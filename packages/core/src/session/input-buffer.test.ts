import { expect, test } from "vitest";
import { InputBuffer } from "./input-buffer.js";

const counting = (from: number, count: number) => Float32Array.from({ length: count }, (_, i) => from + i);

test("gives samples back as they came, however it has to grow and however they lie in the ring", () => {
  const buffer = new InputBuffer(100_000, 12_345);
  let [written, taken] = [12_345, 12_345];
  let state = 3;
  const upTo = (most: number) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  for (let i = 0; i < 400; i++) {
    const more = Math.min(buffer.room, upTo(i % 100 < 50 ? 9000 : 1000));
    buffer.write(counting(written, more));
    written += more;
    const less = i % 50 === 49 ? buffer.length : upTo(5000);
    const there = Math.min(less, written - taken);
    const expected = counting(taken, less).map((value, at) => (at < there ? value : 0));
    expect(buffer.take(taken, less)).toEqual(expected);
    taken += there;
    if (there < less) {
      buffer.reset(taken);
      written = taken;
    }
    expect([buffer.length, buffer.room]).toEqual([written - taken, 100_000 - (written - taken)]);
  }
});

test("takes as much as it can hold, and no more", () => {
  const buffer = new InputBuffer(50_000);
  buffer.write(counting(0, 40_000));
  expect(() => buffer.write(counting(0, 10_001))).toThrow(/at most 10000 samples, got 10001/);
  buffer.write(counting(40_000, 10_000));
  expect(buffer.room).toBe(0);
  expect(buffer.take(0, 50_000)).toEqual(counting(0, 50_000));
});
