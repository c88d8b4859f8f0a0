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

  it("are refused where a few bytes go over the picture again and again", () => {
    const scans = (count: number) => [
      ...[0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, ...new Uint8Array(64).fill(1)],
      // A progressive frame of 800 x 600 pixels; a code for the end of 2^14 blocks.
      ...[0xff, 0xc2, 0, 11, 8, 2, 88, 3, 32, 1, 1, 0x11, 0, 0xff, 0xc4, 0, 20, 0x10, 1, ...new Uint8Array(15), 0xe0],
      ...Array.from({ length: count }, () => [0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0, 0]).flat(),
      ...[0xff, 0xd9],
    ];
    expect(decode(Uint8Array.from(scans(10))).width).toBe(800);
    // By the processor's time: others may keep it busy.
    const before = process.cpuUsage();
    expect(() => decode(Uint8Array.from(scans(20_000)))).toThrow(/JPEG/);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
  });

  it("have no pixels where there is no frame", () => {
    for (const bytes of [[], [255, 216], [255, 216, 255, 255, 255], [255, 216, 255, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0]]) {
      expect(jpegPixels(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});
