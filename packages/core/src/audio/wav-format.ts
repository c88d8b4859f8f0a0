// How a WAV file says what its samples are, and how each coding becomes a float.
// Microsoft and IBM 1991, "Multimedia Programming Interface and Data Specifications 1.0"; WAVEFORMATEXTENSIBLE.

import { DuplexError } from "../errors.js";

/** Codings of WAV samples that are read. */
export type WavCoding = "uint8" | "int16" | "int24" | "int32" | "float32" | "float64";

/** What the header of a WAV file says. */
export interface WavFormat {
  /** Hz, 8000 to 192000. */
  readonly sampleRate: number;
  /** At least 1. */
  readonly channels: number;
  /** How one sample is stored, little-endian. */
  readonly coding: WavCoding;
  /** Bytes of one sample of every channel. */
  readonly frameBytes: number;
}

/** Reads one sample, -1 … 1 for integers. */
export type SampleReader = (view: DataView, at: number) => number;

const readers: Readonly<Record<WavCoding, SampleReader>> = {
  uint8: (view, at) => (view.getUint8(at) - 128) / 128,
  int16: (view, at) => view.getInt16(at, true) / 32768,
  int24: (view, at) => (view.getUint8(at) | (view.getInt16(at + 1, true) << 8)) / 8388608,
  int32: (view, at) => view.getInt32(at, true) / 2147483648,
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
};

/** The reader of a coding. */
export function sampleReader(coding: WavCoding): SampleReader {
  return readers[coding];
}

const formatNames: Readonly<Record<number, string>> = {
  2: "Microsoft ADPCM",
  6: "A-law",
  7: "mu-law",
  17: "IMA ADPCM",
  49: "GSM 6.10",
  80: "MPEG layer 1 or 2",
  85: "MP3",
};

/**
 * Reads a `fmt ` chunk.
 *
 * @throws DuplexError `AUDIO_INVALID` if it is too short, or says what cannot be read
 */
export function parseWavFormat(view: DataView): WavFormat {
  if (view.byteLength < 16) throw wavError(`expected a format chunk of 16 bytes or more, got ${view.byteLength}`);
  let tag = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  if (tag === 0xfffe) {
    if (view.byteLength < 40) {
      throw wavError(`expected an extensible format chunk of 40 bytes, got ${view.byteLength}`);
    }
    tag = view.getUint16(24, true); // the first two bytes of the sub-format are the tag it stands for
  }
  if (channels === 0) throw wavError("expected 1 channel or more, got 0");
  if (sampleRate < 8000 || sampleRate > 192_000) {
    throw wavError(`expected a rate of 8000 to 192000 Hz, got ${sampleRate} Hz`);
  }
  // A sample may have fewer bits than its container, then the low ones are zero.
  const sampleBytes = frameBytes === 0 ? Math.ceil(bits / 8) : frameBytes / channels;
  if (bits === 0 || bits > 8 * sampleBytes) {
    throw wavError(
      `expected samples of 1 to ${8 * sampleBytes} bits in frames of ${frameBytes} bytes, got ${bits} bits`,
    );
  }
  return { sampleRate, channels, coding: codingOf(tag, sampleBytes), frameBytes: channels * sampleBytes };
}

function codingOf(tag: number, sampleBytes: number): WavCoding {
  if (tag === 1 && sampleBytes === 1) return "uint8";
  if (tag === 1 && sampleBytes === 2) return "int16";
  if (tag === 1 && sampleBytes === 3) return "int24";
  if (tag === 1 && sampleBytes === 4) return "int32";
  if (tag === 3 && sampleBytes === 4) return "float32";
  if (tag === 3 && sampleBytes === 8) return "float64";
  const name = tag === 1 ? "integers" : tag === 3 ? "floats" : (formatNames[tag] ?? `coding ${tag}`);
  throw wavError(
    `expected integers of 8, 16, 24 or 32 bits or floats of 32 or 64, got ${name} of ${8 * sampleBytes} bits; convert it, for example with ffmpeg -c:a pcm_s16le`,
  );
}

/** An error about the file at hand. */
export function wavError(message: string, details: Readonly<Record<string, unknown>> = {}): DuplexError {
  return new DuplexError("AUDIO_INVALID", `wav: ${message}`, { details });
}
