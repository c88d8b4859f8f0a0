// A slow loop against clock drift: plays a little faster or slower so that the queue keeps its length for hours.
// It looks at the least that was left whenever sound arrived, which jitter moves little and drift moves for good.

/** How a {@link RateControl} behaves. All lengths in samples. */
export interface RateControlOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** What should be left when sound arrives. */
  readonly target: number;
  /** Largest correction, as a share of the rate; default 0.005. */
  readonly maxShare?: number;
  /** A queue that is this much longer or shorter is left alone, and what is more is corrected to half of it; default 8 ms. */
  readonly deadband?: number;
}

/** Share of the rate per second of error: 0.5 % when the queue is 50 ms off, and a time constant of 10 s. */
const gainPerSecond = 0.1;
/** The least is taken over one to two of these, s. */
const windowSeconds = 1.6;

/** Watches the queue and says how fast to play. */
export class RateControl {
  /** What should be left when sound arrives, samples. */
  target: number;
  readonly #sampleRate: number;
  readonly #maxShare: number;
  readonly #deadband: number;
  #least = Number.POSITIVE_INFINITY;
  #leastBefore = Number.POSITIVE_INFINITY;
  #arrived = 0;
  #correcting = false;

  constructor({ sampleRate, target, maxShare = 0.005, deadband = 0.008 * sampleRate }: RateControlOptions) {
    this.#sampleRate = sampleRate;
    this.target = target;
    this.#maxShare = maxShare;
    this.#deadband = deadband;
  }

  /**
   * Sound arrives.
   *
   * @param left - samples that were still queued just before
   * @param count - samples that arrived
   */
  observe(left: number, count: number): void {
    this.#least = Math.min(this.#least, left);
    this.#arrived += count;
    if (this.#arrived >= windowSeconds * this.#sampleRate) {
      this.#arrived = 0;
      this.#leastBefore = this.#least;
      this.#least = Number.POSITIVE_INFINITY;
    }
    this.#decide();
  }

  /** How much longer than wanted the queue is, samples; 0 while nothing is to be done about it. */
  get excess(): number {
    return this.#correcting ? this.#error : 0;
  }

  /** Input samples per output sample: 1 exactly while nothing is wrong, and never further from it than `maxShare`. */
  get rate(): number {
    const share = (gainPerSecond * this.excess) / this.#sampleRate;
    return 1 + Math.max(-this.#maxShare, Math.min(this.#maxShare, share));
  }

  /** The queue was made longer (or shorter, below 0) by other means. */
  shift(samples: number): void {
    this.#least += samples;
    this.#leastBefore += samples;
    this.#decide();
  }

  /** Forgets what it saw: playing starts anew. */
  reset(): void {
    this.#least = Number.POSITIVE_INFINITY;
    this.#leastBefore = Number.POSITIVE_INFINITY;
    this.#arrived = 0;
    this.#correcting = false;
  }

  get #error(): number {
    return Math.min(this.#least, this.#leastBefore) - this.target;
  }

  /** Begins beyond the dead band, once a whole window was seen, and ends well within it, so that it does end. */
  #decide(): void {
    if (this.#leastBefore === Number.POSITIVE_INFINITY) return;
    const error = Math.abs(this.#error);
    this.#correcting = error > (this.#correcting ? this.#deadband / 2 : this.#deadband);
  }
}
