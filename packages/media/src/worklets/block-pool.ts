// Blocks of samples that travel to the page by message and come back: what a page without shared memory uses.
// All blocks are made at the start; the audio thread allocates nothing afterwards.

/** Fills blocks and sends each when it is full. */
export class BlockPool {
  readonly #free: Float32Array<ArrayBuffer>[] = [];
  readonly #send: (block: Float32Array<ArrayBuffer>) => void;
  readonly #blockSamples: number;
  #filled = 0;
  #lost = 0;

  /**
   * @param options - sizes
   * @param options.blockSamples - samples of a block
   * @param options.blocks - blocks in all: how many may be under way or wait at the page
   * @param send - hands a full block over; it comes back by {@link give}
   */
  constructor(
    { blockSamples, blocks }: { readonly blockSamples: number; readonly blocks: number },
    send: (block: Float32Array<ArrayBuffer>) => void,
  ) {
    this.#send = send;
    this.#blockSamples = blockSamples;
    for (let i = 0; i < blocks; i++) this.#free.push(new Float32Array(blockSamples));
  }

  /** Samples for which there was no block, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes samples; while the page holds every block they are lost, and counted. */
  write(samples: Float32Array): void {
    for (let i = 0; i < samples.length; i++) {
      const block = this.#free[this.#free.length - 1];
      if (block === undefined) {
        this.#lost += samples.length - i;
        return;
      }
      block[this.#filled++] = samples[i];
      if (this.#filled < this.#blockSamples) continue;
      this.#filled = 0;
      this.#free.pop();
      this.#send(block);
    }
  }

  /** A block is back. The one that is being filled stays the last. */
  give(block: Float32Array<ArrayBuffer>): void {
    this.#free.unshift(block);
  }
}
