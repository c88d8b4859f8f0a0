import { crc32, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { toBase64 } from "./base64.js";
import { encodePng } from "./png.js";
import { SeenImages } from "./seen-images.js";

/** Reads a PNG as another program would: checksums, header, filters. */
function decodePng(bytes: Uint8Array): { width: number; height: number; channels: number; pixels: Uint8Array } {
  const png = Buffer.from(bytes);
  expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(png.subarray(at + 4, at + 8 + length)));
    chunks.set(type, png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  expect([...chunks.keys()]).toEqual(["IHDR", "IDAT", "IEND"]);
  const header = chunks.get("IHDR") as Buffer;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  expect([header[8], ...header.subarray(10)]).toEqual([8, 0, 0, 0]);
  const channels = header[9] === 6 ? 4 : 3;
  const raw = inflateSync(chunks.get("IDAT") as Buffer);
  const row = width * channels;
  expect(raw.length).toBe(height * (row + 1));
  const pixels = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    expect(raw[y * (row + 1)]).toBe(1);
    for (let x = 0; x < row; x++) {
      const left = x < channels ? 0 : pixels[y * row + x - channels];
      pixels[y * row + x] = raw[y * (row + 1) + 1 + x] + left;
    }
  }
  return { width, height, channels, pixels };
}

describe("an image as a PNG", () => {
  it("is the same image to the bit, with and without alpha", async () => {
    for (const [width, height, channels] of [
      [1, 1, 3],
      [7, 5, 4],
      [300, 400, 3],
      [64, 64, 4],
    ]) {
      const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 31 + (i >> 7) * 17) & 255);
      expect(decodePng(await encodePng({ data, width, height }))).toEqual({ width, height, channels, pixels: data });
    }
  });

  it("is made smaller by a whole factor where it is larger than 1024 pixels", async () => {
    const [width, height] = [2100, 30];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (Math.floor(i / 3) % width) & 255);
    const small = decodePng(await encodePng({ data, width, height }));
    expect([small.width, small.height]).toEqual([700, 10]);
    expect([...small.pixels.subarray(0, 12)]).toEqual([0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9]);
  });

  it("is written in base64 as others write it", async () => {
    for (const length of [0, 1, 20_000, 99_999]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 255);
      expect(await toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
    }
  });
});

describe("the images that were seen", () => {
  const image = (timeMs: number) => ({ data: new Uint8Array(3), width: 1, height: 1, timeMs });
  const times = async (seen: SeenImages) => (await seen.encode()).map(({ timeMs }) => timeMs);

  it("are the last ones, about one a second, and always the very last", async () => {
    const seen = new SeenImages(4);
    for (let turn = 0; turn < 50; turn++) seen.see([image(turn * 200), image(turn * 200 + 100)], turn);
    const kept = await times(seen);
    expect(kept).toHaveLength(4);
    expect(kept.at(-1)).toBe(9900);
    for (let i = 1; i < kept.length - 1; i++) expect(kept[i] - kept[i - 1]).toBeGreaterThanOrEqual(900);
    expect(kept[0]).toBeGreaterThan(6000);
  });

  it("are none after a rewind to before them, and none if none are wanted", async () => {
    const seen = new SeenImages(4);
    seen.see([image(0)], 0);
    seen.see([image(2000)], 10);
    seen.rewind(10);
    expect(await times(seen)).toEqual([0]);
    const none = new SeenImages(0);
    none.see([image(0)], 0);
    expect(await times(none)).toEqual([]);
  });

  it("are without those whose bytes were transferred away", async () => {
    const seen = new SeenImages(4);
    const gone = image(0);
    seen.see([gone], 0);
    structuredClone(gone.data, { transfer: [gone.data.buffer] });
    expect(await times(seen)).toEqual([]);
  });
});
