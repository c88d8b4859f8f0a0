// Writes the reply while the session runs: a WAV file on the time line of the input, and raw PCM for a pipe.

import { type FileHandle, open } from "node:fs/promises";
import { DuplexError, floatToInt16, type TurnRecord, WavWriter } from "@microturn/core";
import type { Output } from "../io.js";

/** Takes micro-turns one by one and, in the end, whatever belongs after the last. */
export interface ReplySink {
  push(turn: TurnRecord): Promise<void>;
  /** Completes what was begun; safe after a failure and when called twice. @returns whether a file was written */
  finish(): Promise<boolean>;
}

/** Where and how to write a WAV file. */
export interface ReplyFileOptions {
  readonly path: string;
  /** Rate of the assistant's voice, Hz. */
  readonly outputSampleRate: number;
  /** Rate of the user's voice, Hz. */
  readonly inputSampleRate: number;
  readonly turnMs: number;
  /** Stereo: user left, assistant right. Both rates must be equal. */
  readonly mix: boolean;
}

/**
 * A WAV file (16-bit) of a session. It is opened when the first micro-turn comes, so that an input which holds none
 * leaves an older file as it was.
 *
 * What a micro-turn gives sounds one micro-turn later, so the file begins with one micro-turn of silence and lies
 * exactly on the time line of the input. Should the program die, the file still reads to its end. A pipe takes it too; its
 * header cannot be filled in afterwards and says that the length is not known.
 *
 * @throws DuplexError `UNSUPPORTED` if `mix` is asked for and the rates differ
 */
export function replyFile(options: ReplyFileOptions): ReplySink {
  const { mix, inputSampleRate, outputSampleRate } = options;
  if (mix && inputSampleRate !== outputSampleRate) {
    throw new DuplexError(
      "UNSUPPORTED",
      `--mix: expected one sample rate for both voices, got ${inputSampleRate} and ${outputSampleRate} Hz; leave --mix out`,
    );
  }
  return new ReplyFile(options);
}

class ReplyFile implements ReplySink {
  readonly #path: string;
  #file: FileHandle | undefined;
  readonly #writer: WavWriter;
  readonly #mix: boolean;
  readonly #turnSamples: number;
  /** The assistant's samples that come next. */
  #pending: Float32Array;
  #closed = false;

  constructor({ path, outputSampleRate, turnMs, mix }: ReplyFileOptions) {
    this.#path = path;
    this.#writer = new WavWriter({ sampleRate: outputSampleRate, channels: mix ? 2 : 1 });
    this.#mix = mix;
    this.#turnSamples = Math.round((outputSampleRate * turnMs) / 1000);
    this.#pending = new Float32Array(this.#turnSamples);
  }

  async push(turn: TurnRecord): Promise<void> {
    if (this.#file === undefined) {
      this.#file = await open(this.#path, "w");
      await writeAll(this.#file, this.#writer.openHeader());
    }
    await this.#write(this.#file, turn.input.audio);
    this.#pending = turn.output.speech;
  }

  async finish(): Promise<boolean> {
    const file = this.#file;
    if (file === undefined) return false;
    if (this.#closed) return true;
    this.#closed = true;
    try {
      await this.#write(file, new Float32Array(this.#turnSamples));
      if ((await file.stat()).isFile()) await writeAll(file, this.#writer.closedHeader(), 0);
    } finally {
      await file.close();
    }
    return true;
  }

  async #write(file: FileHandle, user: Float32Array): Promise<void> {
    await writeAll(file, this.#writer.encode(this.#mix ? [user, this.#pending] : this.#pending));
  }
}

/**
 * Writes every byte: one call may take fewer than it was given, without an error, until the next tells why.
 *
 * @param at - place in the file; default behind what was written last
 */
async function writeAll(file: FileHandle, bytes: Uint8Array, at?: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const place = at === undefined ? null : at + done;
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, place);
    done += bytesWritten;
  }
}

/**
 * Raw 16-bit little-endian PCM on a stream; waits for the reader of the pipe.
 *
 * @param onGone - called when that reader has left, which ends the conversation but is no failure
 */
export function rawPcm(stream: Output, onGone: () => void): ReplySink {
  // Without a listener, a stream whose reader left ends the program.
  stream.on("error", onGone);
  return {
    push: (turn) =>
      new Promise((resolve, reject) => {
        stream.write(littleEndian(turn.output.speech), (error) => {
          if (error == null || (error as NodeJS.ErrnoException).code === "EPIPE") resolve();
          else reject(error);
        });
      }),
    finish: async () => false,
  };
}

function littleEndian(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  const integers = floatToInt16(samples);
  for (let i = 0; i < integers.length; i++) view.setInt16(2 * i, integers[i], true);
  return bytes;
}
