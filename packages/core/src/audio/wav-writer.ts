// Floats to WAV files: a whole file at once, or a stream whose header is filled in at the end.

import { floatToInt16 } from "./pcm.js";

/** Form of a WAV file to write. */
export interface WavWriterOptions {
  /** Whole Hz, 1 or more; a second of sound takes less than 4 GiB. */
  readonly sampleRate: number;
  /** 1 to 32767 in `int16`, to 16383 in `float32`; default 1. */
  readonly channels?: number;
  /** Default `int16`: rounded and clipped as {@link floatToInt16} does. */
  readonly coding?: "int16" | "float32";
}

/** Largest count that fits the header's fields; also what they say while the length is not known. */
const unknownBytes = 0xffffffff;

/**
 * Writes a WAV file piece by piece: first {@link openHeader}, then what {@link encode} gives, and at the end
 * {@link closedHeader} over the first bytes. Without that last step the file still reads to its end.
 */
export class WavWriter {
  readonly sampleRate: number;
  readonly channels: number;
  readonly coding: "int16" | "float32";
  #samples = 0;

  /** @throws RangeError if a number is out of range */
  constructor(options: WavWriterOptions) {
    const { sampleRate, channels = 1, coding = "int16" } = options;
    if (!Number.isInteger(sampleRate) || sampleRate < 1) {
      throw new RangeError(`wav: expected a whole rate of 1 Hz or more, got ${sampleRate}`);
    }
    // The header has 16 bits for the bytes of a frame, and 32 for those of a second.
    const most = Math.floor(0xffff / sampleBytes(coding));
    if (!Number.isInteger(channels) || channels < 1 || channels > most) {
      throw new RangeError(`wav: expected 1 to ${most} channels in ${coding}, got ${channels}`);
    }
    const fastest = Math.floor(0xffffffff / (channels * sampleBytes(coding)));
    if (sampleRate > fastest) {
      throw new RangeError(
        `wav: expected at most ${fastest} Hz for ${channels} channels in ${coding}, got ${sampleRate}`,
      );
    }
    this.sampleRate = sampleRate;
    this.channels = channels;
    this.coding = coding;
  }

  /** Samples per channel encoded so far. */
  get samples(): number {
    return this.#samples;
  }

  /** The 44 bytes a file begins with while its length is not known. */
  openHeader(): Uint8Array {
    return this.#header(unknownBytes);
  }

  /** The 44 bytes for the samples encoded so far; from 4 GiB on it says that the length is not known. */
  closedHeader(): Uint8Array {
    return this.#header(this.#samples * this.#frameBytes);
  }

  /**
   * Bytes of the next samples.
   *
   * @param samples - mono samples, or one array per channel, all of one length
   * @returns bytes that belong to the caller
   * @throws RangeError if the count of channels or a length differs
   */
  encode(samples: Float32Array | readonly Float32Array[]): Uint8Array {
    const channels = samples instanceof Float32Array ? [samples] : samples;
    const length = channels[0]?.length ?? 0;
    if (channels.length !== this.channels || channels.some((channel) => channel.length !== length)) {
      throw new RangeError(
        `wav: expected ${this.channels} channels of one length, got ${channels.length} of ${channels.map((channel) => channel.length).join(", ")}`,
      );
    }
    const bytes = new Uint8Array(length * this.#frameBytes);
    const view = new DataView(bytes.buffer);
    channels.forEach((channel, c) => {
      if (this.coding === "int16") {
        const rounded = floatToInt16(channel);
        for (let i = 0; i < length; i++) view.setInt16(2 * (i * this.channels + c), rounded[i], true);
      } else {
        for (let i = 0; i < length; i++) view.setFloat32(4 * (i * this.channels + c), channel[i], true);
      }
    });
    this.#samples += length;
    return bytes;
  }

  get #frameBytes(): number {
    return this.channels * sampleBytes(this.coding);
  }

  #header(dataBytes: number): Uint8Array {
    const known = dataBytes < unknownBytes - 36;
    const bytes = new Uint8Array(44);
    const view = new DataView(bytes.buffer);
    const text = (at: number, characters: string) => {
      for (let i = 0; i < characters.length; i++) bytes[at + i] = characters.charCodeAt(i);
    };
    text(0, "RIFF");
    view.setUint32(4, known ? dataBytes + 36 : unknownBytes, true);
    text(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, this.coding === "int16" ? 1 : 3, true);
    view.setUint16(22, this.channels, true);
    view.setUint32(24, this.sampleRate, true);
    view.setUint32(28, this.sampleRate * this.#frameBytes, true);
    view.setUint16(32, this.#frameBytes, true);
    view.setUint16(34, this.coding === "int16" ? 16 : 32, true);
    text(36, "data");
    view.setUint32(40, known ? dataBytes : unknownBytes, true);
    return bytes;
  }
}

function sampleBytes(coding: "int16" | "float32"): number {
  return coding === "int16" ? 2 : 4;
}

/**
 * A whole WAV file.
 *
 * @param samples - mono samples, or one array per channel, all of one length
 * @param options - as for {@link WavWriter}; `channels` is counted from `samples`
 * @throws RangeError if a number is out of range or lengths differ
 */
export function writeWav(
  samples: Float32Array | readonly Float32Array[],
  options: Omit<WavWriterOptions, "channels">,
): Uint8Array {
  const writer = new WavWriter({ ...options, channels: samples instanceof Float32Array ? 1 : samples.length });
  const data = writer.encode(samples);
  const file = new Uint8Array(44 + data.length);
  file.set(writer.closedHeader());
  file.set(data, 44);
  return file;
}
