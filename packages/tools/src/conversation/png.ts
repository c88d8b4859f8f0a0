// An image as a PNG (ISO/IEC 15948): 8 bits a channel, one filter for all rows, deflated by the platform, off this thread.

import type { ImageFrame } from "@microturn/core";
import { othersTurn } from "../waiting.js";

/** Longest side, in pixels; a larger image is made smaller by a whole factor. */
const maxSide = 1024;
/** Pixels that are copied before others get a turn: well below a millisecond. */
const pixelsAtOnce = 16_384;

/** Writes an image as a PNG. It takes its time in small pieces, so that a micro-turn is not kept waiting. */
export async function encodePng({
  data,
  width,
  height,
}: Pick<ImageFrame, "data" | "width" | "height">): Promise<Uint8Array> {
  const channels = data.length === 4 * width * height ? 4 : 3;
  const step = Math.max(1, Math.ceil(Math.max(width, height) / maxSide));
  const [columns, rows] = [Math.max(1, Math.floor(width / step)), Math.max(1, Math.floor(height / step))];
  const stream = new CompressionStream("deflate");
  const deflated = readAll(stream.readable);
  deflated.catch(() => {});
  const writer = stream.writable.getWriter();
  const rowsAtOnce = Math.max(1, Math.floor(pixelsAtOnce / columns));
  for (let from = 0; from < rows; from += rowsAtOnce) {
    const until = Math.min(rows, from + rowsAtOnce);
    await writer.write(filtered({ data, width, channels, step, columns, from, until }));
    await othersTurn();
  }
  await writer.close();
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, columns);
  view.setUint32(4, rows);
  // 8 bits; colour with or without alpha; the only compression, filter set and no interlacing.
  header.set([8, channels === 4 ? 6 : 2, 0, 0, 0], 8);
  return concat([
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", await deflated),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Some rows of an image, each byte as its difference from that of the pixel before it (filter type 1). */
function filtered(part: {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly channels: number;
  readonly step: number;
  readonly columns: number;
  readonly from: number;
  readonly until: number;
}): Uint8Array<ArrayBuffer> {
  const { data, width, channels, step, columns, from, until } = part;
  const rowBytes = 1 + columns * channels;
  const out = new Uint8Array((until - from) * rowBytes);
  for (let row = from; row < until; row++) {
    let at = (row - from) * rowBytes;
    out[at++] = 1;
    const start = row * step * width * channels;
    for (let column = 0; column < columns; column++) {
      const pixel = start + column * step * channels;
      for (let channel = 0; channel < channels; channel++) {
        const before = column === 0 ? 0 : data[pixel - step * channels + channel];
        out[at++] = data[pixel + channel] - before;
      }
    }
  }
  return out;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
}

let crcTable: Uint32Array | undefined;

/** The checksum of PNG, annex D. */
function crc32(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
