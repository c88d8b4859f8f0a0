import { describe, expect, it } from "vitest";
import { createWeights } from "../model/weights.js";
import { toFloat16 } from "./float16.js";

const widen = (halves: Uint16Array): Float32Array =>
  createWeights(
    new Map([["x", { type: "float16", shape: [halves.length], bytes: new Uint8Array(halves.buffer) }]]),
  ).float32("x", [halves.length]);

/** Every finite number of float16, the positive ones from 0 up. */
const finite = Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits);

describe("toFloat16", () => {
  it("keeps every number that float16 holds, both signs", () => {
    expect(toFloat16(widen(finite))).toEqual(finite);
    const negative = finite.map((bits) => bits | 0x8000);
    expect(toFloat16(widen(negative))).toEqual(negative);
  });

  it("takes the nearest of two neighbours, and the even one of two as near, subnormals included", () => {
    const values = widen(finite);
    for (let bits = 0; bits + 1 < values.length; bits++) {
      const middle = (values[bits] + values[bits + 1]) / 2; // exact in float32
      const near = middle * 2 ** -22;
      const [below, tie, above] = toFloat16(Float32Array.of(middle - near, middle, middle + near));
      expect([below, tie, above]).toEqual([bits, bits + (bits & 1), bits + 1]);
    }
  });

  it("gives infinity from where rounding leaves the range, and for what is no number", () => {
    const beyond = Float32Array.of(
      65519,
      65520,
      -65519,
      -65520,
      1e30,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      1e-30,
      -1e-30,
    );
    expect(Array.from(toFloat16(beyond))).toEqual([0x7bff, 0x7c00, 0xfbff, 0xfc00, 0x7c00, 0x7c00, 0x7c00, 0, 0x8000]);
  });
});
