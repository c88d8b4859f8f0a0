// Where a conversation's sound comes from: a WAV file read piece by piece, or raw PCM on stdin.

import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { WavReader } from "@microturn/core";

/** A stretch of mono PCM. */
export interface SoundPiece {
  /** Belongs to the receiver. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** Bytes read at a time: a second of 48 kHz stereo or so. */
const readBytes = 192 * 1024;
/** Bytes understood at a time, 10 to 250 ms: a damaged sample costs the stretch it is in. */
const pieceBytes = 4096;

/**
 * Reads a WAV file in pieces, so that hours need no more memory than seconds, and so that damage costs no more than the
 * piece it is in.
 *
 * @param onNote - gets a sentence about what is odd, for people
 * @throws DuplexError `AUDIO_INVALID`, or the file system's own error
 */
export async function* wavFile(path: string, onNote: (note: string) => void): AsyncGenerator<SoundPiece> {
  const reader = new WavReader();
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) {
    const bytes = chunk as Buffer;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const samples = reader.push(bytes.subarray(at, at + pieceBytes));
      if (samples.length > 0 && reader.format !== undefined) {
        yield { samples: samples.slice(), sampleRate: reader.format.sampleRate };
      }
    }
  }
  const { truncated, samples } = reader.end();
  if (truncated) onNote("the file ends before its header says so; what is there was used");
  if (samples === 0) onNote("the file holds no samples");
}

/** Raw mono 16-bit little-endian PCM from a stream. Half a sample at the end is dropped; `stop` ends the stream. */
export async function* rawPcmStream(
  stream: Readable,
  { sampleRate, stop }: { sampleRate: number; stop: AbortSignal },
): AsyncGenerator<SoundPiece> {
  let odd: number | undefined;
  for await (const bytes of chunks(stream, stop)) {
    const count = bytes.length + (odd === undefined ? 0 : 1);
    const samples = new Float32Array(count >> 1);
    const byte = (i: number) => (odd === undefined ? bytes[i] : i === 0 ? odd : bytes[i - 1]);
    for (let i = 0; i < samples.length; i++) {
      const value = byte(2 * i) | (byte(2 * i + 1) << 8);
      samples[i] = (value >= 32768 ? value - 65536 : value) / 32768;
    }
    odd = count % 2 === 1 ? bytes[bytes.length - 1] : undefined;
    if (samples.length > 0) yield { samples, sampleRate };
  }
}

/** The chunks of a stream until it ends or `stop` fires; a microphone that is silent would else never let go. */
async function* chunks(stream: Readable, stop: AbortSignal): AsyncGenerator<Buffer> {
  if (stop.aborted) return;
  const destroy = () => stream.destroy();
  stop.addEventListener("abort", destroy, { once: true });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    // A destroyed stream tells of a premature end.
    if (!stop.aborted) throw error;
  } finally {
    stop.removeEventListener("abort", destroy);
  }
}

/**
 * Gives sound at the pace of a microphone: pieces of `pieceMs`, each when its last sample would have been recorded.
 *
 * @param now - the clock, ms
 */
export async function* paced(
  source: AsyncIterable<SoundPiece>,
  { pieceMs = 20, now = () => performance.now(), stop }: { pieceMs?: number; now?: () => number; stop: AbortSignal },
): AsyncGenerator<SoundPiece> {
  const start = now();
  let givenMs = 0;
  for await (const { samples, sampleRate } of source) {
    const step = Math.round((sampleRate * pieceMs) / 1000);
    for (let at = 0; at < samples.length; at += step) {
      const piece = samples.subarray(at, at + step);
      givenMs += (1000 * piece.length) / sampleRate;
      await sleepUntil(start + givenMs, now, stop);
      if (stop.aborted) return;
      yield { samples: piece, sampleRate };
    }
  }
}

function sleepUntil(time: number, now: () => number, stop: AbortSignal): Promise<void> {
  const wait = time - now();
  if (wait <= 0 || stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, wait);
    stop.addEventListener("abort", done);
  });
}
