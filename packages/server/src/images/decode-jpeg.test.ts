import jpeg from "jpeg-js";
import { describe, expect, it } from "vitest";
import { decodeJpeg, jpegPixels } from "./decode-jpeg.js";

const encoded = (width: number, height: number) =>
  new Uint8Array(jpeg.encode({ data: new Uint8Array(4 * width * height).fill(120), width, height }, 50).data);
const decode = (bytes: Uint8Array) => decodeJpeg({ jpeg: bytes, width: 0, height: 0, timeMs: 0 });

describe("images as JPEG", () => {
  it("are decoded, and their pixels known before", () => {
    const bytes = encoded(64, 40);
    expect(jpegPixels(bytes)).toBe(64 * 40);
    const { data, width, height } = decode(bytes);
    expect([data.length, width, height]).toEqual([4 * 64 * 40, 64, 40]);
  });

  it("are refused where they are broken or too large, without the decoder's words", () => {
    const large = encoded(8, 8);
    // The frame header says 65,535 x 65,535.
    const frame = large.findIndex((byte, at) => byte === 0xff && large[at + 1] === 0xc0);
    large.fill(0xff, frame + 5, frame + 9);
    expect(jpegPixels(large)).toBe(65_535 ** 2);
    for (const bytes of [large, new Uint8Array(0), Uint8Array.of(255, 216), encoded(64, 40).subarray(0, 300)]) {
      expect(() => decode(bytes)).toThrow(/expected a whole JPEG of at most 0.5 megapixels/);
    }
  });

  it("have no pixels where there is no frame", () => {
    for (const bytes of [[], [255, 216], [255, 216, 255, 255, 255], [255, 216, 255, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0]]) {
      expect(jpegPixels(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});
