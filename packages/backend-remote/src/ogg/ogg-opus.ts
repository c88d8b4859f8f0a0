// Opus in Ogg: RFC 7845. Written as a live stream of one packet per page; read from any pages that may come.

import { DuplexError } from "@microturn/core";
import { type OggPage, OggPageReader, writeOggPage } from "./ogg-page.js";

/** What `OpusHead` says. */
export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz that a player leaves out at the start. */
  readonly preSkip: number;
  /** Rate of what was encoded, Hz; for information only. */
  readonly inputSampleRate: number;
  /** What a player multiplies with. */
  readonly gain: number;
}

/** A packet of sound. */
export interface OpusPacket {
  /** Valid until the call that gives it returns. */
  readonly data: Uint8Array;
  /** Where the stream ends, in samples at 48 kHz that include the pre-skip; on the last packet of a stream that ends. */
  readonly endsAt?: bigint;
}

/** Writes one stream. */
export class OggOpusWriter {
  readonly #serial: number;
  #sequence = 0;
  #granule = 0n;

  /** @param serial - tells the stream from others, 0 … 2^32 - 1 */
  constructor(serial: number) {
    this.#serial = serial;
  }

  /** The two pages that a stream begins with. */
  header({ channels, preSkip, inputSampleRate }: Omit<OpusHead, "gain">, vendor: string): Uint8Array {
    const head = new Uint8Array(19);
    const view = new DataView(head.buffer);
    head.set(ascii("OpusHead"));
    head[8] = 1;
    head[9] = channels;
    view.setUint16(10, preSkip, true);
    view.setUint32(12, inputSampleRate, true);
    const name = new TextEncoder().encode(vendor);
    const tags = new Uint8Array(8 + 4 + name.length + 4);
    tags.set(ascii("OpusTags"));
    new DataView(tags.buffer).setUint32(8, name.length, true);
    tags.set(name, 12);
    return concat([this.#page(head, true), this.#page(tags)]);
  }

  /** @param samples - of the packet, at 48 kHz */
  packet(data: Uint8Array, samples: number): Uint8Array {
    this.#granule += BigInt(samples);
    return this.#page(data);
  }

  #page(packet: Uint8Array, begins = false): Uint8Array {
    const sequence = this.#sequence++;
    return writeOggPage({ packet, granule: this.#granule, serial: this.#serial, sequence, begins });
  }
}

/** Most bytes of a packet that is put together from pages: comments may hold pictures; sound is far smaller. */
const maxPacketBytes = 1024 * 1024;

/** Reads streams, one after the other, from bytes that are cut anywhere. */
export class OggOpusReader {
  readonly #pages = new OggPageReader();
  #serial: number | undefined;
  #head: OpusHead | undefined;
  /** Begin of a packet that ends on a later page. */
  #partial: Uint8Array[] = [];
  #partialBytes = 0;

  /**
   * @param take - is given each packet of sound that the bytes complete, and the head of its stream
   * @throws DuplexError `PROTOCOL_VIOLATION` for what is not Opus in Ogg; sound before any `OpusHead`; a packet over 1 MiB
   */
  push(bytes: Uint8Array, take: (packet: OpusPacket, head: OpusHead) => void): void {
    this.#pages.push(bytes, (page) => this.#takePage(page, take));
  }

  #takePage(page: OggPage, take: (packet: OpusPacket, head: OpusHead) => void): void {
    // Another stream may follow; what other streams carry beside it is none of ours.
    if (page.begins && page.serial !== this.#serial && startsWith(page.body, "OpusHead")) {
      this.#head = undefined;
      this.#drop();
      this.#serial = page.serial;
    }
    if (this.#serial === undefined) {
      throw new DuplexError("PROTOCOL_VIOLATION", "Ogg: expected the stream to begin with OpusHead; is it Opus?");
    }
    if (page.serial !== this.#serial) return;
    // Of a packet whose begin is missing the rest is of no use.
    let useless = page.continued && this.#partialBytes === 0;
    if (!page.continued) this.#drop();
    let from = 0;
    let last = -1;
    for (let at = 0; at < page.lacing.length; at++) if (page.lacing[at] < 255) last = at;
    for (let at = 0, to = 0; at < page.lacing.length; at++) {
      to += page.lacing[at];
      if (page.lacing[at] === 255) continue;
      const packet = this.#join(page.body.subarray(from, to));
      from = to;
      if (!useless) this.#takePacket(packet, page.ends && at === last ? page.granule : undefined, take);
      useless = false;
    }
    if (from < page.body.length && !useless) this.#keep(page.body.slice(from));
  }

  #takePacket(data: Uint8Array, endsAt: bigint | undefined, take: (packet: OpusPacket, head: OpusHead) => void): void {
    if (startsWith(data, "OpusHead")) {
      // The head once more, in the midst of the stream, changes nothing.
      this.#head ??= readHead(data);
      return;
    }
    if (startsWith(data, "OpusTags") || data.length === 0) return;
    if (this.#head === undefined) {
      throw new DuplexError("PROTOCOL_VIOLATION", "Ogg: expected OpusHead before sound");
    }
    take(endsAt === undefined ? { data } : { data, endsAt }, this.#head);
  }

  #keep(bytes: Uint8Array): void {
    this.#partial.push(bytes);
    this.#partialBytes += bytes.length;
    if (this.#partialBytes <= maxPacketBytes) return;
    this.#drop();
    throw new DuplexError(
      "PROTOCOL_VIOLATION",
      `Ogg: expected packets of at most ${maxPacketBytes} bytes, got a larger`,
    );
  }

  #join(end: Uint8Array): Uint8Array {
    if (this.#partialBytes === 0) return end;
    const packet = concat([...this.#partial, end]);
    this.#drop();
    return packet;
  }

  #drop(): void {
    this.#partial = [];
    this.#partialBytes = 0;
  }
}

function readHead(data: Uint8Array): OpusHead {
  if (data.length < 19) {
    throw new DuplexError("PROTOCOL_VIOLATION", `Ogg: expected an OpusHead of 19 bytes or more, got ${data.length}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [version, channels, family] = [data[8], data[9], data[18]];
  if (version > 15 || family !== 0 || channels < 1 || channels > 2) {
    throw new DuplexError(
      "PROTOCOL_VIOLATION",
      `Ogg: expected Opus version 1, mono or stereo, got version ${version}, ${channels} channels, mapping family ${family}`,
    );
  }
  return {
    ...{ channels, preSkip: view.getUint16(10, true), inputSampleRate: view.getUint32(12, true) },
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
  };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let at = 0; at < text.length; at++) if (bytes[at] !== text.charCodeAt(at)) return false;
  return true;
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
