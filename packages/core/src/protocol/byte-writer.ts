// Bytes of a message, little-endian, in a buffer that grows and is used again.

import { floatToInt16 } from "../audio/pcm.js";

const text = new TextEncoder();
/** Whether this machine keeps numbers as the wire does. */
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #rounded = new Int16Array(0);

  /** Begins a message. */
  start(code: number): this {
    this.#length = 0;
    return this.u8(code);
  }

  /** The message, in memory of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  f32(value: number): this {
    this.#room(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
    return this;
  }

  bytes(values: Uint8Array | Uint8ClampedArray): this {
    this.#room(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
    return this;
  }

  /** Samples rounded to 16 bits, as `floatToInt16` rounds them. */
  pcm16(samples: Float32Array): this {
    if (this.#rounded.length < samples.length) this.#rounded = new Int16Array(samples.length);
    const rounded = floatToInt16(samples, this.#rounded).subarray(0, samples.length);
    return this.#numbers(rounded, 2);
  }

  float32(samples: Float32Array): this {
    return this.#numbers(samples, 4);
  }

  /** Numbers as they lie in memory, turned round where that is big-endian. */
  #numbers(values: Int16Array | Float32Array, size: 2 | 4): this {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const at = this.#length;
    this.bytes(bytes);
    if (!littleEndian) {
      for (let i = at; i < this.#length; i += size) this.#bytes.subarray(i, i + size).reverse();
    }
    return this;
  }

  /** Length in bytes as u32, then UTF-8. */
  string(value: string): this {
    const most = 3 * value.length;
    this.#room(4 + most);
    const { written } = text.encodeInto(value, this.#bytes.subarray(this.#length + 4, this.#length + 4 + most));
    this.#view.setUint32(this.#length, written, true);
    this.#length += 4 + written;
    return this;
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
