// The random numbers of one session: seeded, with a state that can be copied, equal on every platform.
// Generator: sfc32 (Chris Doty-Humphrey's PractRand, public domain), seeded through splitmix32.

/** Uniform random numbers in [0, 1) with 24 random bits, so that float32 holds them exactly. */
export class SeededRandom {
  readonly #state = new Uint32Array(4);

  /** @param seed - 0 … 2^32 - 1 */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`seed must be an integer 0 … 4294967295, got ${seed}`);
    }
    let mixed = seed;
    for (let i = 0; i < 3; i++) {
      mixed = (mixed + 0x9e3779b9) | 0;
      let z = mixed ^ (mixed >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
    this.#state[3] = 1;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next number. */
  next(): number {
    const s = this.#state;
    const sum = (s[0] + s[1] + s[3]) >>> 0;
    s[3] += 1;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + sum;
    return (sum >>> 8) / 0x1000000;
  }

  /** Fills a stretch of an array. */
  fill(out: Float32Array, from: number, count: number): void {
    for (let i = from; i < from + count; i++) out[i] = this.next();
  }

  /** A copy of the state. */
  snapshot(): Uint32Array {
    return this.#state.slice();
  }

  restore(state: Uint32Array): void {
    this.#state.set(state);
  }
}
