// Samples that come in pieces of any length and go in pieces of any other. Small pieces share memory, so that many of them
// cost no more than their samples.

/** A piece up to this many samples is copied; a longer one is kept as it is. */
const smallPiece = 2048;
const blockSamples = 8192;

interface Block {
  readonly samples: Float32Array;
  /** Samples that were written, of the room that there is. */
  length: number;
}

export class SampleQueue {
  readonly #blocks: Block[] = [];
  /** Samples of the first block that were taken. */
  #taken = 0;
  #length = 0;

  /** Samples that wait. */
  get length(): number {
    return this.#length;
  }

  /** @param samples - kept as they are if there are many; give them away */
  push(samples: Float32Array): void {
    this.#length += samples.length;
    if (samples.length > smallPiece) {
      this.#blocks.push({ samples, length: samples.length });
      return;
    }
    let last = this.#blocks.at(-1);
    if (last === undefined || last.samples.length - last.length < samples.length) {
      last = { samples: new Float32Array(blockSamples), length: 0 };
      this.#blocks.push(last);
    }
    last.samples.set(samples, last.length);
    last.length += samples.length;
  }

  /**
   * Takes the oldest.
   *
   * @param output - receives them from `at` on
   * @returns how many: as many as there is room for, or as wait
   */
  take(output: Float32Array, at: number): number {
    return this.#walk(output.length - at, (samples, done) => output.set(samples, at + done));
  }

  /** Leaves out the oldest. @returns how many: at most `count` */
  skip(count: number): number {
    return this.#walk(count, () => {});
  }

  #walk(most: number, use: (samples: Float32Array, done: number) => void): number {
    let done = 0;
    while (done < most && this.#length > 0) {
      const first = this.#blocks[0];
      const count = Math.min(first.length - this.#taken, most - done);
      use(first.samples.subarray(this.#taken, this.#taken + count), done);
      done += count;
      this.#taken += count;
      this.#length -= count;
      if (this.#taken < first.length) continue;
      this.#blocks.shift();
      this.#taken = 0;
    }
    return done;
  }
}
