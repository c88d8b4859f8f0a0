// Memory for what is needed while one event is handled, by whichever session, and is copied before the next comes: made anew each time,
// the sound of many sessions is memory that the collector has to find and free again, twenty times its events.

/** Memory that grows to the largest piece that was asked for. */
export class Scratch {
  #memory = new ArrayBuffer(0);

  /** @returns bytes of any content, valid until the next call */
  bytes(count: number): Buffer {
    return Buffer.from(this.#atLeast(count), 0, count);
  }

  /** @returns samples of any content, valid until the next call */
  floats(count: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#atLeast(4 * count), 0, count);
  }

  /** @returns 16-bit samples of any content, valid until the next call */
  int16s(count: number): Int16Array<ArrayBuffer> {
    return new Int16Array(this.#atLeast(2 * count), 0, count);
  }

  #atLeast(bytes: number): ArrayBuffer {
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes);
    return this.#memory;
  }
}
