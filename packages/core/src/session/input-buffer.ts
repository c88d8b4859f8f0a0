// Input samples between their arrival and their micro-turn: a ring, addressed by position on the session clock (rule 1).

/** A fixed ring of samples. Positions count from the start of the session. */
export class InputBuffer {
  readonly #ring: Float32Array;
  #start: number;
  #end: number;

  /**
   * @param capacity - samples it can hold
   * @param position - position of the first sample to come
   */
  constructor(capacity: number, position = 0) {
    this.#ring = new Float32Array(capacity);
    this.#start = position;
    this.#end = position;
  }

  /** Samples held. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Samples that still fit. */
  get room(): number {
    return this.#ring.length - this.length;
  }

  /** Copies samples in. @throws RangeError if they do not fit */
  write(samples: Float32Array): void {
    if (samples.length > this.room) {
      throw new RangeError(`input buffer: expected at most ${this.room} samples, got ${samples.length}`);
    }
    const at = this.#end % this.#ring.length;
    const upToWrap = Math.min(samples.length, this.#ring.length - at);
    this.#ring.set(samples.subarray(0, upToWrap), at);
    this.#ring.set(samples.subarray(upToWrap), 0);
    this.#end += samples.length;
  }

  /** Copies `count` samples from `position` on into a new array and frees all before their end; what is missing at the end is 0. */
  take(position: number, count: number): Float32Array {
    if (position < this.#start)
      throw new RangeError(`input buffer: position ${position} is gone, ${this.#start} is the first`);
    const out = new Float32Array(count);
    const there = Math.max(0, Math.min(count, this.#end - position));
    const at = position % this.#ring.length;
    const upToWrap = Math.min(there, this.#ring.length - at);
    out.set(this.#ring.subarray(at, at + upToWrap));
    out.set(this.#ring.subarray(0, there - upToWrap), upToWrap);
    this.#start = Math.min(this.#end, position + count);
    return out;
  }

  /** Forgets everything and goes on at `position`. */
  reset(position: number): void {
    this.#start = position;
    this.#end = position;
  }
}
