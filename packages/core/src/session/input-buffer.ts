// Input samples between their arrival and their micro-turn: a ring, addressed by position on the session clock (rule 1).

/** Samples for which there is room from the start: half a second, or a second. */
const usualSamples = 16_384;

/** A ring of samples that grows to its capacity where it must, and is small again when it is empty. Positions count from the start of the session. */
export class InputBuffer {
  readonly #capacity: number;
  #ring: Float32Array;
  #start: number;
  #end: number;

  /**
   * @param capacity - samples it can hold
   * @param position - position of the first sample to come
   */
  constructor(capacity: number, position = 0) {
    this.#capacity = capacity;
    this.#ring = new Float32Array(Math.min(usualSamples, capacity));
    this.#start = position;
    this.#end = position;
  }

  /** Samples held. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Samples that still fit. */
  get room(): number {
    return this.#capacity - this.length;
  }

  /** Copies samples in. @throws RangeError if they do not fit */
  write(samples: Float32Array): void {
    if (samples.length > this.room) {
      throw new RangeError(`input buffer: expected at most ${this.room} samples, got ${samples.length}`);
    }
    const needed = this.length + samples.length;
    if (needed > this.#ring.length) this.#resize(Math.min(this.#capacity, Math.max(needed, 2 * this.#ring.length)));
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
    this.#read(position, Math.max(0, Math.min(count, this.#end - position)), out);
    this.#start = Math.min(this.#end, position + count);
    this.#shrink();
    return out;
  }

  /** Forgets everything and goes on at `position`. */
  reset(position: number): void {
    this.#start = position;
    this.#end = position;
    this.#shrink();
  }

  /** Copies what is held from `position` on. */
  #read(position: number, count: number, out: Float32Array): void {
    const at = position % this.#ring.length;
    const upToWrap = Math.min(count, this.#ring.length - at);
    out.set(this.#ring.subarray(at, at + upToWrap));
    out.set(this.#ring.subarray(0, count - upToWrap), upToWrap);
  }

  /** Another ring with what is held. */
  #resize(capacity: number): void {
    const held = new Float32Array(this.length);
    this.#read(this.#start, held.length, held);
    this.#ring = new Float32Array(capacity);
    this.#end = this.#start;
    if (held.length > 0) this.write(held);
  }

  #shrink(): void {
    if (this.length === 0 && this.#ring.length > usualSamples) this.#ring = new Float32Array(usualSamples);
  }
}
