import { describe, expect, it } from "vitest";
import { decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw } from "./g711.js";

const every = Uint8Array.from({ length: 256 }, (_, code) => code);

describe("G.711", () => {
  // ITU-T G.711, tables 1a and 2a, scaled to 16 bits.
  it("decodes the values of the recommendation", () => {
    const values = (decode: (bytes: Uint8Array) => Float32Array, ...codes: number[]) =>
      [...decode(Uint8Array.from(codes))].map((sample) => sample * 32_768);
    expect(values(decodeMuLaw, 0x80, 0x00, 0xff, 0xfe, 0x7e, 0xef)).toEqual([32_124, -32_124, 0, 8, -8, 132]);
    expect(values(decodeALaw, 0xaa, 0x2a, 0xd5, 0x55, 0xc5, 0x80)).toEqual([32_256, -32_256, 8, -8, 264, 5504]);
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
      ] as const) {
        const back = decode(encode(Float32Array.of(value / 32_768)))[0] * 32_768;
        expect(Math.abs(back - value)).toBeLessThanOrEqual(Math.max(16, Math.abs(value) / 32 + 4));
      }
    }
    expect([...encodeALaw(Float32Array.of(2, -2))]).toEqual([0xaa, 0x2a]);
    expect([...encodeMuLaw(Float32Array.of(2, -2))]).toEqual([0x80, 0x00]);
  });
});
