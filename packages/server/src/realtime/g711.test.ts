import { describe, expect, it } from "vitest";
import { decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw } from "./g711.js";

const every = Uint8Array.from({ length: 256 }, (_, code) => code);

describe("G.711", () => {
  // ITU-T G.711, tables 1a and 2a, scaled to 16 bits.
  it.each([
    ["mu-law", decodeMuLaw, [0x80, 32_124], [0x00, -32_124], [0xff, 0], [0xfe, 8], [0x7e, -8], [0xef, 132]],
    ["A-law", decodeALaw, [0xaa, 32_256], [0x2a, -32_256], [0xd5, 8], [0x55, -8], [0xc5, 264], [0x80, 5504]],
  ] as const)("decodes the values of the recommendation (%s)", (_, decode, ...values) => {
    for (const [code, value] of values) expect(decode(Uint8Array.of(code))[0] * 32_768).toBe(value);
  });

  it("encodes what it decodes", () => {
    // Mu-law has two codes for zero.
    expect(encodeMuLaw(decodeMuLaw(every))).toEqual(every.map((code) => (code === 0x7f ? 0xff : code)));
    expect(encodeALaw(decodeALaw(every))).toEqual(every);
  });

  it("is never further off than half a step, and clips what is outside", () => {
    for (let value = -32_768; value < 32_768; value += 7) {
      for (const [encode, decode] of [
        [encodeMuLaw, decodeMuLaw],
        [encodeALaw, decodeALaw],
      ]) {
        const back = decode(encode(Float32Array.of(value / 32_768)))[0] * 32_768;
        expect(Math.abs(back - value)).toBeLessThanOrEqual(Math.max(16, Math.abs(value) / 32 + 4));
      }
    }
    expect([...encodeALaw(Float32Array.of(2, -2))]).toEqual([0xaa, 0x2a]);
    expect([...encodeMuLaw(Float32Array.of(2, -2))]).toEqual([0x80, 0x00]);
  });
});
