import jpeg from "jpeg-js";
import { expect, test } from "vitest";
import { decodeBase64, encodeBase64 } from "./base64.js";
import { encodeJpeg, jpegDataUri } from "./jpeg.js";
import { encodePcm16, Pcm16Stream } from "./pcm16.js";

test("base64 keeps bytes of any length, also without padding and in the alphabet of URLs", () => {
  for (const length of [0, 1, 2, 3, 255, 100_001]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + 251) & 255);
    const text = encodeBase64(bytes);
    expect(text).toBe(Buffer.from(bytes).toString("base64"));
    expect(decodeBase64(text)).toEqual(bytes);
    expect(decodeBase64(text.replace(/=+$/, ""))).toEqual(bytes);
    expect(decodeBase64(text.replaceAll("+", "-").replaceAll("/", "_"))).toEqual(bytes);
  }
  expect(decodeBase64("not base64!")).toBeUndefined();
});

test("16-bit PCM comes out the same wherever the bytes are cut", () => {
  const samples = Float32Array.from({ length: 999 }, (_, i) => ((i * 7919) % 65536) / 32768 - 1);
  const bytes = encodePcm16(samples);
  for (const step of [1, 2, 3, 7, 500, 5000]) {
    const stream = new Pcm16Stream();
    const out: number[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      out.push(...stream.push(bytes.subarray(at, at + step)), ...stream.push(new Uint8Array(0)));
    }
    expect(Float32Array.from(out)).toEqual(samples);
  }
});

test("16-bit PCM is clipped, and half a sample does not reach the next stream", () => {
  expect([...encodePcm16(Float32Array.of(2, -2, 0))]).toEqual([0xff, 0x7f, 0x00, 0x80, 0, 0]);
  const stream = new Pcm16Stream();
  expect(stream.push(Uint8Array.of(9)).length).toBe(0);
  stream.reset();
  expect([...stream.push(Uint8Array.of(0, 0x40))]).toEqual([0.5]);
});

test.each([3, 4])("a JPEG shows what the image of %i bytes a pixel showed", (step) => {
  const [width, height] = [50, 30];
  const data = new Uint8Array(width * height * step);
  for (let i = 0; i < width * height; i++) data.set([200, 60, i % width < 25 ? 30 : 220], step * i);
  const read = jpeg.decode(encodeJpeg({ data, width, height }), { useTArray: true });
  expect([read.width, read.height]).toEqual([width, height]);
  expect(Math.abs(read.data[2] - 30)).toBeLessThan(12);
  expect(Math.abs(read.data[4 * 45 + 2] - 220)).toBeLessThan(12);
});

test("a large image is scaled down, its sides in proportion", () => {
  const image = { data: new Uint8Array(2000 * 500 * 3).fill(128), width: 2000, height: 500 };
  const read = jpeg.decode(encodeJpeg(image, { maxSide: 400 }), { useTArray: true });
  expect([read.width, read.height]).toEqual([400, 100]);
  expect(jpegDataUri(image, { maxSide: 8 })).toMatch(/^data:image\/jpeg;base64,\/9j\//);
});

test("a JPEG can be made where there is no Buffer, and none is left behind", () => {
  const { Buffer: kept } = globalThis;
  const image = { data: new Uint8Array(16 * 16 * 4).fill(90), width: 16, height: 16 };
  const expected = encodeJpeg(image);
  try {
    delete (globalThis as { Buffer?: unknown }).Buffer;
    expect(encodeJpeg(image)).toEqual(expected);
    expect("Buffer" in globalThis).toBe(false);
  } finally {
    globalThis.Buffer = kept;
  }
});
