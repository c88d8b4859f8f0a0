// The way of audio into a session: checked, resampled to the engine's rate, held in a ring, with back-pressure.

import { checkFinite } from "../audio/pcm.js";
import { Resampler } from "../audio/resampler.js";
import type { ResamplerQuality } from "../audio/resampler-filter.js";
import { DuplexError } from "../errors.js";
import { InputBuffer } from "./input-buffer.js";

/** What an input is made of. */
export interface AudioInputOptions {
  /** Rate of the engine, Hz. */
  readonly sampleRate: number;
  /** Of the conversion to it; default as {@link Resampler}. */
  readonly quality?: Partial<ResamplerQuality>;
  /** Samples that are held at most, at the engine's rate. */
  readonly capacity: number;
  /** A write is done once no more than this many samples wait, at the engine's rate. */
  readonly highWater: number;
  /** Position of the first sample on the session clock. */
  readonly position: number;
  /** Called after samples went into the ring, with them; valid until it returns. */
  readonly onSamples: (samples: Float32Array) => void;
}

interface PendingWrite {
  readonly samples: Float32Array;
  readonly sampleRate: number;
  done: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Takes writes of any length and rate, one after the other. */
export class AudioInput {
  readonly #options: AudioInputOptions;
  readonly #buffer: InputBuffer;
  readonly #writes: PendingWrite[] = [];
  #resampler: Resampler | undefined;
  #resampled = new Float32Array(0);
  #pumping = false;

  constructor(options: AudioInputOptions) {
    this.#options = options;
    this.#buffer = new InputBuffer(options.capacity, options.position);
  }

  /** Samples held, at the engine's rate. */
  get held(): number {
    return this.#buffer.length;
  }

  /**
   * Takes samples; all of them or none. Resolves once the session has room for more.
   *
   * They are copied before this returns, unless there is no room and they are more than can be held at all: then they are
   * read piece by piece and must not change until the promise resolves.
   *
   * @throws DuplexError `AUDIO_INVALID`, `INPUT_OVERFLOW`, before anything was taken
   */
  write(samples: Float32Array, sampleRate: number): Promise<void> {
    checkFinite("writing audio (refused whole)", samples, 0);
    const { capacity, sampleRate: rate } = this.#options;
    const backlog = this.#writes.reduce(
      (sum, write) => sum + (write.samples.length - write.done) / write.sampleRate,
      0,
    );
    const backlogMs = 1000 * (backlog + samples.length / sampleRate);
    const capacityMs = (1000 * capacity) / rate;
    if (backlog > 0 && backlogMs > capacityMs) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `writing audio: expected the writer to wait while ${capacityMs.toFixed(0)} ms are held, got ${((1000 * samples.length) / sampleRate).toFixed(0)} ms more on top of ${((1000 * this.held) / rate + 1000 * backlog).toFixed(0)} ms; all that was written before is kept, this write was refused whole: await each write, pipe into session.audio, or raise maxQueuedMs`,
        { details: { heldMs: (1000 * this.held) / rate, waitingMs: 1000 * backlog } },
      );
    }
    return new Promise((resolve, reject) => {
      const write: PendingWrite = { samples, sampleRate, done: 0, resolve, reject };
      this.#writes.push(write);
      this.pump();
      const left = write.samples.length - write.done;
      if (left > 0 && (1000 * left) / sampleRate <= capacityMs) {
        const index = this.#writes.indexOf(write);
        if (index >= 0) this.#writes[index] = { ...write, samples: samples.slice(write.done), done: 0 };
      }
    });
  }

  /** Moves what fits from the waiting writes into the ring, then ends the writes that need to wait no longer. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#moveOne());
    } finally {
      this.#pumping = false;
    }
    while (this.#buffer.length <= this.#options.highWater) {
      const write = this.#writes[0];
      if (write === undefined || write.done < write.samples.length) return;
      this.#writes.shift();
      write.resolve();
    }
  }

  /** Moves a piece of the first write that is not all in; false when there is none, or no room. */
  #moveOne(): boolean {
    const write = this.#writes.find(({ samples, done }) => done < samples.length);
    if (write === undefined) return false;
    const piece = this.#pieceThatFits(write);
    if (piece === 0) return false;
    const { samples, done } = write;
    write.done += piece;
    this.#accept(samples.subarray(done, done + piece), write.sampleRate);
    return true;
  }

  /** Resolves when every write so far is in the ring; then the last samples inside the resampler follow. */
  async finish(): Promise<void> {
    while (this.#writes.length > 0) {
      await new Promise<void>((resolve, reject) => {
        this.#writes.push({
          samples: new Float32Array(0),
          sampleRate: this.#options.sampleRate,
          done: 0,
          resolve,
          reject,
        });
      });
    }
    this.#flush();
  }

  /** A new array with the samples of one step. See {@link InputBuffer.take}. */
  take(position: number, count: number): Float32Array {
    return this.#buffer.take(position, count);
  }

  /** Forgets all samples and goes on at `position`; waiting writes are over. */
  reset(position: number): void {
    this.#buffer.reset(position);
    this.#resampler = undefined;
    for (const write of this.#writes.splice(0)) write.resolve();
  }

  /** Rejects all waiting writes. */
  end(error: unknown): void {
    for (const write of this.#writes.splice(0)) write.reject(error);
  }

  #pieceThatFits({ samples, sampleRate, done }: PendingWrite): number {
    const left = samples.length - done;
    if (sampleRate === this.#options.sampleRate) {
      // What is still in the resampler comes first.
      return Math.min(left, Math.max(0, this.#buffer.room - (this.#resampler?.delaySamples ?? 0)));
    }
    // A second at most, and room for a resampler's rounding and for the tail of one before it.
    const room = Math.floor(((this.#buffer.room - 512) * sampleRate) / this.#options.sampleRate);
    return room >= Math.min(left, sampleRate / 100) ? Math.min(left, room, sampleRate) : 0;
  }

  #accept(samples: Float32Array, sampleRate: number): void {
    if (this.#resampler !== undefined && this.#resampler.inputRate !== sampleRate) this.#flush();
    const { sampleRate: outputRate } = this.#options;
    if (sampleRate === outputRate) {
      this.#store(samples);
      return;
    }
    this.#resampler ??= new Resampler({ inputRate: sampleRate, outputRate, quality: this.#options.quality });
    const out = this.#scratch(this.#resampler.outputsAfter(samples.length));
    this.#store(out.subarray(0, this.#resampler.push(samples, out)));
  }

  /** Another rate, or the end: what is still inside the resampler follows. */
  #flush(): void {
    if (this.#resampler === undefined) return;
    const out = this.#scratch(this.#resampler.delaySamples);
    const tail = out.subarray(0, this.#resampler.flush(out));
    this.#resampler = undefined;
    this.#store(tail);
  }

  #scratch(length: number): Float32Array {
    if (this.#resampled.length < length) this.#resampled = new Float32Array(length);
    return this.#resampled;
  }

  #store(samples: Float32Array): void {
    if (samples.length === 0) return;
    this.#buffer.write(samples);
    this.#options.onSamples(samples);
  }
}
