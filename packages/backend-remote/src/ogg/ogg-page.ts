// Pages of an Ogg stream, to bytes and back: RFC 3533, section 6. A stream of bytes may be cut anywhere.

import { DuplexError } from "@microturn/core";

const headerBytes = 27;
const maxPageBytes = headerBytes + 255 + 255 * 255;
const capture = [0x4f, 0x67, 0x67, 0x53]; // "OggS"

/** A page, with what it carries cut into segments by its lacing values. */
export interface OggPage {
  /** Its first segment goes on with a packet of the page before. */
  readonly continued: boolean;
  /** First page, and last page, of its stream. */
  readonly begins: boolean;
  readonly ends: boolean;
  /** Position at the end of the last packet that ends here, as the codec counts it; -1 where none ends. */
  readonly granule: bigint;
  readonly serial: number;
  readonly sequence: number;
  /** Sizes of the segments, 0 … 255; a packet ends with the first that is below 255. */
  readonly lacing: Uint8Array;
  readonly body: Uint8Array;
}

/** CRC-32 as Ogg has it: polynomial 04C11DB7, not reflected, from 0, over the page with its own field zeroed. */
export function oggCrc(page: Uint8Array): number {
  let crc = 0;
  for (let at = 0; at < page.length; at++) {
    const byte = at >= 22 && at < 26 ? 0 : page[at];
    crc = ((crc << 8) ^ crcTable[((crc >>> 24) ^ byte) & 0xff]) >>> 0;
  }
  return crc;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc >>> 0;
});

/** A page that holds one whole packet. */
export interface SinglePacketPage {
  readonly packet: Uint8Array;
  readonly granule: bigint;
  readonly serial: number;
  readonly sequence: number;
  readonly begins?: boolean;
  readonly ends?: boolean;
}

/** @throws RangeError for a packet of more than 65,024 bytes, which one page cannot hold with its end */
export function writeOggPage(page: SinglePacketPage): Uint8Array {
  const { packet, granule, serial, sequence, begins = false, ends = false } = page;
  const full = Math.floor(packet.length / 255);
  if (full > 254) throw new RangeError(`writeOggPage: packet must have at most 65024 bytes, got ${packet.length}`);
  const bytes = new Uint8Array(headerBytes + full + 1 + packet.length);
  const view = new DataView(bytes.buffer);
  bytes.set(capture);
  bytes[5] = (begins ? 2 : 0) | (ends ? 4 : 0);
  view.setBigInt64(6, granule, true);
  view.setUint32(14, serial, true);
  view.setUint32(18, sequence, true);
  bytes[26] = full + 1;
  bytes.fill(255, headerBytes, headerBytes + full);
  bytes[headerBytes + full] = packet.length % 255;
  bytes.set(packet, headerBytes + full + 1);
  view.setUint32(22, oggCrc(bytes), true);
  return bytes;
}

/** Puts pages together from bytes that come in pieces. */
export class OggPageReader {
  /** Grows to the size of a page, 64 KiB, and no further. */
  #pending = new Uint8Array(4096);
  #length = 0;

  /**
   * Takes a piece of the stream, of any length.
   *
   * @param take - is given each page that it completes, in order; valid until it returns
   * @throws DuplexError `PROTOCOL_VIOLATION` for bytes that are no page, or were altered on the way
   */
  push(bytes: Uint8Array, take: (page: OggPage) => void): void {
    let at = 0;
    while (at < bytes.length) {
      const room = Math.min(bytes.length - at, maxPageBytes - this.#length);
      this.#append(bytes.subarray(at, at + room));
      at += room;
      this.#takePages(take);
    }
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#pending.length) {
      const larger = new Uint8Array(Math.min(maxPageBytes, Math.max(length, 2 * this.#pending.length)));
      larger.set(this.#pending.subarray(0, this.#length));
      this.#pending = larger;
    }
    this.#pending.set(bytes, this.#length);
    this.#length = length;
  }

  #takePages(take: (page: OggPage) => void): void {
    let start = 0;
    try {
      while (start < this.#length) {
        const bytes = this.#pending.subarray(start, this.#length);
        const size = pageSize(bytes);
        if (size === undefined || bytes.length < size) break;
        take(readPage(bytes.subarray(0, size)));
        start += size;
      }
    } finally {
      this.#pending.copyWithin(0, start, this.#length);
      this.#length -= start;
    }
  }
}

/** Size of the page that begins here; undefined until enough of it is there. */
function pageSize(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < Math.min(4, bytes.length); at++) {
    if (bytes[at] !== capture[at]) {
      throw new DuplexError("PROTOCOL_VIOLATION", `Ogg: expected a page ("OggS"), got byte ${bytes[at]}`);
    }
  }
  if (bytes.length > 4 && bytes[4] !== 0) {
    throw new DuplexError("PROTOCOL_VIOLATION", `Ogg: expected version 0, got ${bytes[4]}`);
  }
  if (bytes.length < headerBytes) return undefined;
  const segments = bytes[26];
  if (bytes.length < headerBytes + segments) return undefined;
  let size = headerBytes + segments;
  for (let at = 0; at < segments; at++) size += bytes[headerBytes + at];
  return size;
}

function readPage(bytes: Uint8Array): OggPage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = bytes[5];
  const sequence = view.getUint32(18, true);
  const crc = view.getUint32(22, true);
  const actual = oggCrc(bytes);
  if (crc !== actual) {
    throw new DuplexError(
      "PROTOCOL_VIOLATION",
      `Ogg: page ${sequence} has CRC ${crc.toString(16)} and was altered on the way (its bytes give ${actual.toString(16)})`,
    );
  }
  const lacing = bytes.subarray(headerBytes, headerBytes + bytes[26]);
  return {
    ...{ continued: (flags & 1) !== 0, begins: (flags & 2) !== 0, ends: (flags & 4) !== 0 },
    ...{ granule: view.getBigInt64(6, true), serial: view.getUint32(14, true), sequence },
    ...{ lacing, body: bytes.subarray(headerBytes + lacing.length) },
  };
}
