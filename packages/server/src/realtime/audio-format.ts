// Sound as the JSON wire carries it: 16-bit PCM or G.711, in pieces of any number of bytes.

import { endianness } from "node:os";
import { floatToInt16, int16ToFloat } from "@microturn/core";
import { type Fields, fieldsOf, invalidType, invalidValue } from "./fields.js";
import { decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw } from "./g711.js";
import { Scratch } from "./scratch.js";

/** How one direction of a session is coded. */
export interface AudioFormat {
  readonly type: "audio/pcm" | "audio/pcmu" | "audio/pcma";
  /** Hz; 8000 for G.711. */
  readonly rate: number;
}

/**
 * Conversion of speech to and from the engine's rate: 0.7 dB down at 7 kHz, aliases 40 dB down at 8.5 and 80 at 9 kHz, in half the time
 * of the default. A server does it for every session.
 */
export const speechQuality = { zeroCrossings: 16, beta: 7, cutoff: 0.95 } as const;
const littleEndian = endianness() === "LE";
const decoded = new Scratch();
const encoded = new Scratch();

export const defaultFormat: AudioFormat = { type: "audio/pcm", rate: 24_000 };
const phoneRate = 8000;
const highestRate = 48_000;

/**
 * Reads a format. OpenAI has PCM at 24 kHz only; any whole rate from 8 to 48 kHz is taken here.
 *
 * @throws RealtimeError `invalid_type`, `invalid_value`
 */
export function readFormat(value: unknown, param: string): AudioFormat {
  const fields: Fields | undefined = fieldsOf(value);
  if (fields === undefined) throw invalidType(param, "an object");
  const { type } = fields;
  if (type === "audio/pcm") {
    return { type, rate: fields.rate === undefined ? defaultFormat.rate : readRate(fields.rate, `${param}.rate`) };
  }
  if (type === "audio/pcmu" || type === "audio/pcma") {
    if (fields.rate !== undefined && fields.rate !== phoneRate) throw invalidValue(`${param}.rate`, "expected 8000");
    return { type, rate: phoneRate };
  }
  throw invalidValue(`${param}.type`, "expected 'audio/pcm', 'audio/pcmu' or 'audio/pcma'");
}

export function readRate(value: unknown, param: string): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw invalidType(param, "an integer");
  if (value < phoneRate || value > highestRate) throw invalidValue(param, `expected ${phoneRate} to ${highestRate} Hz`);
  return value;
}

/** Bytes that come in pieces of any length; a sample may be cut by the border of two. */
export class AudioDecoder {
  #odd: number | undefined;

  /** How many samples {@link push} would give. */
  samplesOf(bytes: number, type: AudioFormat["type"]): number {
    return type === "audio/pcm" ? (bytes + (this.#odd === undefined ? 0 : 1)) >> 1 : bytes;
  }

  /** @returns the samples that are whole by now, in [-1, 1]; valid until the next call, of any decoder */
  push(bytes: Uint8Array, type: AudioFormat["type"]): Float32Array {
    const samples = decoded.floats(this.samplesOf(bytes.length, type));
    if (type !== "audio/pcm") {
      this.reset();
      return type === "audio/pcmu" ? decodeMuLaw(bytes, samples) : decodeALaw(bytes, samples);
    }
    if (littleEndian && this.#odd === undefined && bytes.length % 2 === 0 && bytes.byteOffset % 2 === 0) {
      return int16ToFloat(new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2), samples);
    }
    const offset = this.#odd === undefined ? 0 : 1;
    for (let i = 0; i < samples.length; i++) {
      const at = 2 * i - offset;
      const low = at < 0 ? (this.#odd as number) : bytes[at];
      samples[i] = (((low | (bytes[at + 1] << 8)) << 16) >> 16) / 32768;
    }
    if ((bytes.length + offset) % 2 === 0) this.#odd = undefined;
    else if (bytes.length > 0) this.#odd = bytes[bytes.length - 1];
    return samples;
  }

  /** Another stream begins: half a sample that is left is forgotten. */
  reset(): void {
    this.#odd = undefined;
  }
}

/** Samples as bytes in a format, valid until the next call; what is outside [-1, 1] is clipped. */
export function encodeAudio(samples: Float32Array, type: AudioFormat["type"]): Uint8Array {
  if (type === "audio/pcmu") return encodeMuLaw(samples);
  if (type === "audio/pcma") return encodeALaw(samples);
  const { buffer, byteOffset, byteLength } = floatToInt16(samples, encoded.int16s(samples.length));
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  return littleEndian ? bytes : bytes.swap16();
}
