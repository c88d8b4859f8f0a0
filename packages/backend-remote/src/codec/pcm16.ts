// 16-bit PCM, little-endian, as wires carry it: samples to bytes, and a stream of bytes to samples.

/** Samples as bytes: `x * 32768`, rounded to the nearest, clipped. */
export function encodePcm16(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i++) {
    const scaled = Math.floor(samples[i] * 32768 + 0.5);
    view.setInt16(2 * i, Math.max(-32768, Math.min(32767, scaled)), true);
  }
  return bytes;
}

/** Bytes that come in pieces of any length; a sample may be cut by the border of two. */
export class Pcm16Stream {
  #odd: number | undefined;

  /** @returns the samples that are whole by now, in [-1, 1] */
  push(bytes: Uint8Array): Float32Array {
    const carried = this.#odd;
    const offset = carried === undefined ? 0 : 1;
    const samples = new Float32Array((bytes.length + offset) >> 1);
    const byteAt = (at: number) => (at < 0 ? (carried as number) : bytes[at]);
    for (let i = 0; i < samples.length; i++) {
      const at = 2 * i - offset;
      const value = byteAt(at) | (bytes[at + 1] << 8);
      samples[i] = ((value << 16) >> 16) / 32768;
    }
    if ((bytes.length + offset) % 2 === 0) this.#odd = undefined;
    else if (bytes.length > 0) this.#odd = bytes[bytes.length - 1];
    return samples;
  }

  /** Another stream begins: half a sample that is left is forgotten. */
  reset(): void {
    this.#odd = undefined;
  }
}
