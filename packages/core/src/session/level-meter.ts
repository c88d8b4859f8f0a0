// The level of each micro-turn of the input, measured as its samples come.

/** Samples are measured in blocks of this length: a voice that sets in at the end of a micro-turn is seen. 20 ms at 16 kHz. */
const blocksPerTurn = 10;

/** Measures micro-turns one after the other. */
export class LevelMeter {
  readonly #turnSamples: number;
  readonly #blockSamples: number;
  #at = 0;
  #sum = 0;
  #loudest = 0;

  constructor(turnSamples: number) {
    this.#turnSamples = turnSamples;
    this.#blockSamples = Math.ceil(turnSamples / blocksPerTurn);
  }

  /**
   * Takes samples.
   *
   * @returns for each micro-turn that is complete with them, the mean square of its loudest block
   */
  push(samples: Float32Array): readonly number[] {
    const levels: number[] = [];
    for (let from = 0; from < samples.length; ) {
      const blockEnd = this.#at - (this.#at % this.#blockSamples) + this.#blockSamples;
      const left = Math.min(blockEnd, this.#turnSamples) - this.#at;
      const until = Math.min(samples.length, from + left);
      let sum = this.#sum;
      for (let i = from; i < until; i++) sum += samples[i] * samples[i];
      this.#sum = sum;
      this.#at += until - from;
      if (until - from === left) this.#endBlock();
      if (this.#at === this.#turnSamples) levels.push(this.#next());
      from = until;
    }
    return levels;
  }

  /** The level of a micro-turn that ends before its time. */
  flush(): readonly number[] {
    if (this.#at === 0) return [];
    this.#endBlock();
    return [this.#next()];
  }

  /** Forgets what has come of the present micro-turn. */
  reset(): void {
    this.#sum = 0;
    this.#next();
  }

  #endBlock(): void {
    this.#loudest = Math.max(this.#loudest, this.#sum / this.#blockSamples);
    this.#sum = 0;
  }

  #next(): number {
    const level = this.#loudest;
    this.#loudest = 0;
    this.#at = 0;
    return level;
  }
}
