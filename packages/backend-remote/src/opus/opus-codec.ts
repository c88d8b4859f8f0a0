// What a wire needs of Opus: mono at 24 kHz, encoded in packets of 40 ms. Two files make it from what the platform has, one for
// Node and one for pages; an application may bring its own.

import { DuplexError } from "@microturn/core";

/** Rate of the sound on both sides, Hz. */
export const opusSampleRate = 24_000;
/** Samples of a packet that we write: 40 ms. */
export const opusPacketSamples = 960;

/** Encodes one stream. */
export interface OpusEncoder {
  /** Samples at 48 kHz by which what is decoded comes late. */
  readonly preSkip: number;
  /**
   * Takes 960 samples of mono PCM in [-1, 1] at 24 kHz. Their packet is given to `onPacket`, in this call or soon after.
   *
   * @param pcm - valid until the call returns
   */
  encode(pcm: Float32Array): void;
  close(): void;
}

/** Decodes one stream. */
export interface OpusDecoder {
  /**
   * @param packet - of any duration that Opus has, mono or stereo; at most 3840 bytes
   * @returns mono PCM at 24 kHz; belongs to the caller
   * @throws Error for bytes that are no packet
   */
  decode(packet: Uint8Array): Float32Array;
  close(): void;
}

/** An implementation of Opus. */
export interface OpusCodec {
  /** @param onPacket - the packet belongs to the receiver */
  encoder(onPacket: (packet: Uint8Array) => void, onError: (error: unknown) => void): Promise<OpusEncoder>;
  decoder(): Promise<OpusDecoder>;
}

/** Most bytes of a packet that is decoded: 120 ms at 256 kbit/s, far above speech. */
export const maxOpusPacketBytes = 3840;

/** Decodes with `opus-decoder`, in Node and in pages. @throws DuplexError `UNSUPPORTED` if it is not installed */
export async function openOpusDecoder(): Promise<OpusDecoder> {
  let library: typeof import("opus-decoder");
  try {
    library = await import("opus-decoder");
  } catch (cause) {
    throw missingPackage("opus-decoder", cause);
  }
  const decoder = new library.OpusDecoder({ sampleRate: opusSampleRate, channels: 1, preSkip: 0 });
  await decoder.ready;
  return {
    decode(packet) {
      if (packet.length > maxOpusPacketBytes) {
        throw new Error(`expected at most ${maxOpusPacketBytes} bytes, got ${packet.length}`);
      }
      const { channelData, errors } = decoder.decodeFrame(packet);
      if (errors.length > 0) throw new Error(errors[0].message);
      return channelData[0];
    },
    close: () => decoder.free(),
  };
}

export function missingPackage(name: string, cause: unknown): DuplexError {
  return new DuplexError(
    "UNSUPPORTED",
    `Opus: expected the package ${name}, which is not installed; run npm install opus-decoder @evan/opus, or pass opus`,
    { cause },
  );
}
