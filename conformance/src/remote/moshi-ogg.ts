// Opus in Ogg as the doubles of Moshi's servers read and write it: strictly, one packet per page, and apart from the code under
// test. RFC 3533, RFC 7845; what the servers write was compared with `sphn` 0.2.1, which they use.

import { createRequire } from "node:module";

/** Opus, or something in its place, at 24 kHz mono. */
export interface PacketCodec {
  /** @param pcm - 960 samples */
  encode(pcm: Int16Array): Uint8Array;
  decode(packet: Uint8Array): Int16Array;
}

interface EvanOpus {
  readonly Encoder: new (options: object) => { encode(pcm: Int16Array): Uint8Array };
  readonly Decoder: new (options: object) => { decode(packet: Uint8Array): Uint8Array };
}

/** libopus. */
export function opusPackets(): PacketCodec {
  const library = createRequire(import.meta.url)("@evan/opus/wasm/index.js") as EvanOpus;
  const encoder = new library.Encoder({ channels: 1, sample_rate: 24_000, application: "voip" });
  const decoder = new library.Decoder({ channels: 1, sample_rate: 24_000 });
  return {
    encode: (pcm) => encoder.encode(pcm),
    decode: (packet) => new Int16Array(new Uint8Array(decoder.decode(packet)).buffer),
  };
}

/** No coding at all, so that a test can compare samples: a packet is its 16-bit PCM. */
export function plainPackets(): PacketCodec {
  return {
    encode: (pcm) => new Uint8Array(pcm.slice().buffer),
    decode: (packet) => new Int16Array(new Uint8Array(packet).buffer),
  };
}

const crcs = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** @param page - its CRC field counts as zero */
export function crcOf(page: Uint8Array): number {
  let crc = 0;
  page.forEach((byte, at) => {
    crc = (crc << 8) ^ crcs[(crc >>> 24) ^ (at >= 22 && at < 26 ? 0 : byte)];
  });
  return crc >>> 0;
}

/** Writes pages as the servers do. */
export class PageWriter {
  readonly #serial: number;
  #sequence = 0;
  #granule = 0n;

  constructor(serial: number) {
    this.#serial = serial;
  }

  /** Pre-skip 3840 and rate 48000, whatever was encoded. */
  header(): Uint8Array {
    const head = Buffer.concat([Buffer.from("OpusHead"), Buffer.from([1, 1, 0, 15, 0x80, 0xbb, 0, 0, 0, 0, 0])]);
    const tags = Buffer.from("OpusTags\u000b\0\0\0KyutaiMoshi\0\0\0\0", "latin1");
    return Buffer.concat([this.#page(head, 2), this.#page(tags, 0)]);
  }

  packet(packet: Uint8Array, samples: number): Uint8Array {
    this.#granule += BigInt(2 * samples);
    return this.#page(packet, 0);
  }

  #page(packet: Uint8Array, flags: number): Uint8Array {
    const segments = Math.floor(packet.length / 255) + 1;
    const page = Buffer.alloc(27 + segments + packet.length);
    page.write("OggS");
    page[5] = flags;
    page.writeBigInt64LE(this.#granule, 6);
    page.writeUInt32LE(this.#serial, 14);
    page.writeUInt32LE(this.#sequence++, 18);
    page[26] = segments;
    page.fill(255, 27, 27 + segments - 1);
    page[26 + segments] = packet.length % 255;
    page.set(packet, 27 + segments);
    page.writeUInt32LE(crcOf(page), 22);
    return page;
  }
}

/** Reads pages and says what is wrong with them. */
export class StrictPageReader {
  #bytes: Uint8Array = Buffer.alloc(0);
  #serial: number | undefined;
  #sequence = 0;
  #granule = -1n;
  #headers = 0;
  #partial: Uint8Array[] = [];

  /** @throws Error for anything that a strict reader would not take */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const packets: Uint8Array[] = [];
    for (let page = this.#takePage(); page !== undefined; page = this.#takePage()) packets.push(...this.#read(page));
    return packets;
  }

  #takePage(): Buffer | undefined {
    const bytes = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    if (bytes.length < 27 || bytes.length < 27 + bytes[26]) return undefined;
    const length = bytes.subarray(27, 27 + bytes[26]).reduce((sum, size) => sum + size, 27 + bytes[26]);
    if (bytes.length < length) return undefined;
    this.#bytes = bytes.subarray(length);
    return bytes.subarray(0, length);
  }

  #read(page: Buffer): Uint8Array[] {
    if (page.toString("latin1", 0, 4) !== "OggS" || page[4] !== 0) throw new Error("no Ogg page");
    if (page.readUInt32LE(22) !== crcOf(page)) throw new Error("CRC of a page");
    const serial = page.readUInt32LE(14);
    const first = this.#serial === undefined;
    if (first !== ((page[5] & 2) !== 0)) throw new Error("a stream begins once, on its first page");
    this.#serial ??= serial;
    if (serial !== this.#serial) throw new Error("another stream");
    if (page.readUInt32LE(18) !== this.#sequence++) throw new Error("sequence of pages");
    if (((page[5] & 1) !== 0) !== this.#partial.length > 0) throw new Error("a packet that goes on from nowhere");
    const packets: Uint8Array[] = [];
    let at = 27 + page[26];
    for (const size of page.subarray(27, 27 + page[26])) {
      this.#partial.push(page.subarray(at, at + size));
      at += size;
      if (size === 255) continue;
      packets.push(Buffer.concat(this.#partial));
      this.#partial = [];
    }
    return packets.filter((packet) => this.#isSound(packet, page.readBigInt64LE(6)));
  }

  #isSound(packet: Uint8Array, granule: bigint): boolean {
    const magic = Buffer.from(packet).toString("latin1", 0, 8);
    const expected = ["OpusHead", "OpusTags"][this.#headers];
    if (expected !== undefined) {
      if (magic !== expected) throw new Error(`expected ${expected}`);
      if (granule !== 0n) throw new Error("granule of a header is 0");
      if (this.#headers === 0 && (packet.length !== 19 || packet[8] !== 1 || packet[9] !== 1 || packet[18] !== 0)) {
        throw new Error("expected a mono OpusHead");
      }
      this.#headers++;
      return false;
    }
    if (granule <= this.#granule) throw new Error("granules rise");
    this.#granule = granule;
    return true;
  }
}
