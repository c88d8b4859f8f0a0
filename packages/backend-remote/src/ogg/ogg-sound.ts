// Ogg-Opus to PCM: what the pages of a stream sound like, mono at 24 kHz.

import { DuplexError } from "@microturn/core";
import { type OpusDecoder, opusSampleRate } from "../opus/opus-codec.js";
import { OggOpusReader, type OpusHead, type OpusPacket } from "./ogg-opus.js";

/** Samples at 48 kHz, in which Ogg counts, per sample of ours. */
const granulesPerSample = 2;

/** Most sound of one message, 10 s: a few bytes can stand for 120 ms, and to decode a message of them would take minutes. */
const maxSamplesAtOnce = 10 * opusSampleRate;

/** Decodes streams, one after the other, from bytes that are cut anywhere. */
export class OggSoundReader {
  readonly #reader = new OggOpusReader();
  readonly #decoder: OpusDecoder;
  readonly #keepPreSkip: boolean;
  #head: OpusHead | undefined;
  /** Samples of the stream that were decoded, those that are left out included. */
  #decoded = 0;
  /** Of these, those of one call. */
  #atOnce = 0;

  /** @param options.keepPreSkip - leave nothing out at the start: some writers declare a pre-skip that they do not put in */
  constructor(decoder: OpusDecoder, { keepPreSkip = false }: { readonly keepPreSkip?: boolean } = {}) {
    this.#decoder = decoder;
    this.#keepPreSkip = keepPreSkip;
  }

  /**
   * @param take - is given the sound of each packet that the bytes complete; it belongs to the receiver
   * @throws DuplexError `PROTOCOL_VIOLATION`
   */
  push(bytes: Uint8Array, take: (pcm: Float32Array) => void): void {
    this.#atOnce = 0;
    this.#reader.push(bytes, (packet, head) => {
      const pcm = this.#decode(packet, head);
      if (pcm.length > 0) take(pcm);
    });
  }

  #decode({ data, endsAt }: OpusPacket, head: OpusHead): Float32Array {
    if (head !== this.#head) {
      this.#head = head;
      this.#decoded = 0;
    }
    let pcm: Float32Array;
    try {
      pcm = this.#decoder.decode(data);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new DuplexError("PROTOCOL_VIOLATION", `Ogg: a packet is not Opus: ${message}`, { cause });
    }
    this.#atOnce += pcm.length;
    if (this.#atOnce > maxSamplesAtOnce) {
      throw new DuplexError("PROTOCOL_VIOLATION", "Ogg: expected at most 10 s of sound in a message, got more");
    }
    if (head.gain !== 1) for (let i = 0; i < pcm.length; i++) pcm[i] = Math.max(-1, Math.min(1, head.gain * pcm[i]));
    const start = this.#keepPreSkip ? 0 : Math.max(0, head.preSkip / granulesPerSample - this.#decoded);
    const end = endsAt === undefined ? pcm.length : Number(endsAt) / granulesPerSample - this.#decoded;
    this.#decoded += pcm.length;
    return pcm.subarray(Math.min(start, pcm.length), Math.min(Math.max(end, 0), pcm.length));
  }
}
