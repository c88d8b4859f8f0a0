// Where a conversation's sound comes from: a WAV file read piece by piece, or stdin with raw PCM or a WAV file.

import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { DuplexError, WavReader } from "@microturn/core";

/** A stretch of mono PCM. */
export interface SoundPiece {
  /** Belongs to the receiver. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

/** Bytes read from a file at a time: a second of 48 kHz stereo or so. */
const readBytes = 192 * 1024;
/** Bytes understood at a time: damage costs the piece it is in and what comes after, never what came before. */
const pieceBytes = 4096;

/**
 * Reads a WAV file in pieces, so that hours need no more memory than seconds.
 *
 * @param onNote - gets a sentence about what is odd, for people
 * @throws DuplexError `AUDIO_INVALID` if it is no WAV file, damaged, or holds no samples; or the file system's own error
 */
export async function* wavFile(path: string, onNote: (note: string) => void): AsyncGenerator<SoundPiece> {
  const reader = new WavReader();
  yield* wavPieces(createReadStream(path, { highWaterMark: readBytes }) as AsyncIterable<Buffer>, reader);
  if (wavEnd(reader).truncated)
    onNote("the file ends before its header says so, or within a sample; what is there was used");
}

/**
 * Sound from a stream: a WAV file if it begins as one, else raw mono 16-bit little-endian PCM. Half a sample at the end is
 * dropped; `stop` ends the stream.
 *
 * @param options - of the stream
 * @param options.sampleRate - of raw PCM, Hz; a WAV file states its own
 * @param options.stop - ends it
 * @throws DuplexError `AUDIO_INVALID` for a WAV file that is damaged, coded in a way that is not read, or over before its
 *   first sample; not if `stop` ended it
 */
export async function* soundStream(
  stream: Readable,
  { sampleRate, stop }: { sampleRate: number; stop: AbortSignal },
): AsyncGenerator<SoundPiece> {
  const bytes = chunks(stream, stop);
  let head = Buffer.alloc(0);
  while (head.length < wavMarks[0].length) {
    const next = await bytes.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const all = joined(head, bytes);
  if (wavMarks.some((mark) => head.subarray(0, mark.length).equals(mark))) {
    const reader = new WavReader();
    yield* wavPieces(all, reader);
    // A recorder that is stopped leaves a header that promises more: no note about that.
    if (!stop.aborted) wavEnd(reader);
  } else {
    yield* rawPieces(all, sampleRate);
  }
}

/** First bytes of every kind of WAV file, also of those that the reader refuses: they are no raw sound. */
const wavMarks = ["RIFF", "RF64", "BW64", "RIFX"].map((mark) => Buffer.from(mark));

/** The end of a WAV file that has to hold sound. */
function wavEnd(reader: WavReader): { truncated: boolean } {
  const { truncated, samples } = reader.end();
  if (samples > 0) return { truncated };
  throw new DuplexError("AUDIO_INVALID", "wav: expected sound, got a file without samples; check how it was recorded");
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

async function* wavPieces(bytes: AsyncIterable<Buffer>, reader: WavReader): AsyncGenerator<SoundPiece> {
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += pieceBytes) {
      const samples = reader.push(chunk.subarray(at, at + pieceBytes));
      if (samples.length > 0 && reader.format !== undefined) {
        yield { samples: samples.slice(), sampleRate: reader.format.sampleRate };
      }
    }
  }
}

async function* rawPieces(stream: AsyncIterable<Buffer>, sampleRate: number): AsyncGenerator<SoundPiece> {
  let odd: number | undefined;
  for await (const bytes of stream) {
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
