// Sound that comes while the model still loads. A microphone goes on meanwhile, and what piles up in the pipe would delay the
// whole conversation by as much; a file waits, and every sample of it counts.

import type { SoundPiece } from "./audio-source.js";

/** A live source gives at most this many times as much sound as time has passed … */
const liveRate = 1.2;
/** … and this much more, ms: what it had in store at first. */
const liveStoreMs = 500;

/** Reads a source from the moment it is made until {@link rest} is asked for, as long as it looks like a microphone. */
export class EarlySound {
  readonly #iterator: AsyncIterator<SoundPiece>;
  readonly #elapsedMs: () => number;
  readonly #kept: SoundPiece[] = [];
  #keptMs = 0;
  #live = true;
  #waiting = true;
  #pending: Promise<IteratorResult<SoundPiece>> | undefined;

  /**
   * @param source - read by nobody else
   * @param elapsedMs - time since the source may have begun to give sound; default: since the program started
   */
  constructor(source: AsyncIterable<SoundPiece>, elapsedMs: () => number = () => performance.now()) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#elapsedMs = elapsedMs;
    void this.#listen();
  }

  /**
   * What is left of the source: all of a file, and of what has ended or failed by now; of a microphone, what it gives from
   * now on.
   *
   * @param onDropped - called with the milliseconds of sound that are left out, if any are
   */
  async *rest(onDropped: (ms: number) => void): AsyncGenerator<SoundPiece> {
    this.#waiting = false;
    if (!this.#live) yield* this.#kept;
    else if (this.#keptMs > 0) onDropped(this.#keptMs);
    this.#kept.length = 0;
    for (;;) {
      const next = await (this.#pending ?? this.#iterator.next());
      this.#pending = undefined;
      if (next.done === true) return;
      yield next.value;
    }
  }

  async #listen(): Promise<void> {
    while (this.#waiting && this.#live) {
      this.#pending = this.#iterator.next();
      // A failure is met again by whoever asks for the rest.
      const next = await this.#pending.catch(() => undefined);
      if (!this.#waiting) return;
      // At its end, or before damage, nothing more piles up: what came counts.
      if (next === undefined || next.done === true) {
        this.#live = false;
        return;
      }
      this.#pending = undefined;
      this.#kept.push(next.value);
      this.#keptMs += (1000 * next.value.samples.length) / next.value.sampleRate;
      if (this.#keptMs > liveRate * this.#elapsedMs() + liveStoreMs) this.#live = false;
    }
  }
}
