// A ring of samples between two threads: one writes, the other reads, and neither ever waits.
// Single producer, single consumer; positions are counters that wrap at 2^32, so their difference is always right.

/** The memory of a {@link SampleRing}, to be handed to the other thread. */
export interface SampleRingMemory {
  /** A power of two samples. */
  readonly samples: Float32Array;
  /** Samples written, samples read, samples lost, and whether the reader has been woken. */
  readonly counters: Int32Array;
}

const written = 0;
const read = 1;
const lost = 2;
const woken = 3;

/**
 * Memory for a ring.
 *
 * @param capacity - samples that it must hold; rounded up to a power of two
 * @param shared - in shared memory, so that it can be used from two threads; needs a cross-origin isolated page
 */
export function ringMemory(capacity: number, shared: boolean): SampleRingMemory {
  const bytes = 4 * 2 ** Math.ceil(Math.log2(capacity));
  const memory = (size: number) => (shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size));
  return { samples: new Float32Array(memory(bytes)), counters: new Int32Array(memory(16)) };
}

/** One end of a ring. Nothing is allocated after it was made. */
export class SampleRing {
  readonly #samples: Float32Array;
  readonly #counters: Int32Array;
  readonly #mask: number;

  constructor({ samples, counters }: SampleRingMemory) {
    this.#samples = samples;
    this.#counters = counters;
    this.#mask = samples.length - 1;
  }

  /** Samples that wait. */
  get length(): number {
    return (Atomics.load(this.#counters, written) - Atomics.load(this.#counters, read)) | 0;
  }

  /** Samples that found no room since the start, modulo 2^32. */
  get lost(): number {
    return Atomics.load(this.#counters, lost) >>> 0;
  }

  /** Writer's end: takes what fits. What does not is counted as lost. */
  write(samples: Float32Array): void {
    const ring = this.#samples;
    const start = Atomics.load(this.#counters, written);
    const room = ring.length - this.length;
    const count = Math.min(room, samples.length);
    for (let i = 0; i < count; i++) ring[(start + i) & this.#mask] = samples[i];
    Atomics.store(this.#counters, written, start + count);
    if (count < samples.length) Atomics.add(this.#counters, lost, samples.length - count);
  }

  /**
   * Reader's end: moves what waits into `output`, the oldest first.
   *
   * @returns samples moved, at most `output.length`
   */
  read(output: Float32Array): number {
    const ring = this.#samples;
    const start = Atomics.load(this.#counters, read);
    const count = Math.min(this.length, output.length);
    for (let i = 0; i < count; i++) output[i] = ring[(start + i) & this.#mask];
    Atomics.store(this.#counters, read, start + count);
    return count;
  }

  /** Writer's end: whether the reader is to be woken; true once until the reader has said {@link awake}. */
  wake(): boolean {
    return Atomics.exchange(this.#counters, woken, 1) === 0;
  }

  /** Reader's end: it is about to read, and wants to be woken for what comes after. */
  awake(): void {
    Atomics.store(this.#counters, woken, 0);
  }
}
