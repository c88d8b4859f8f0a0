// Reads a message of a stranger: every step is checked against its end, and what does not fit is `PROTOCOL_VIOLATION`.

import { DuplexError } from "../errors.js";

const text = new TextDecoder("utf-8", { fatal: true });

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(what: string): number {
    return this.#bytes[this.#take(what, 1)];
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#take(what, 2), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(what, 4), true);
  }

  f32(what: string): number {
    return finite(what, this.#view.getFloat32(this.#take(what, 4), true));
  }

  f64(what: string): number {
    return finite(what, this.#view.getFloat64(this.#take(what, 8), true));
  }

  /** A view of the message. */
  bytes(what: string, count: number): Uint8Array {
    const at = this.#take(what, count);
    return this.#bytes.subarray(at, at + count);
  }

  pcm16(what: string, count: number): Float32Array {
    const at = this.#take(what, 2 * count);
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) samples[i] = this.#view.getInt16(at + 2 * i, true) / 32768;
    return samples;
  }

  /** Samples as they are: NaN and infinite ones are for whoever takes them to refuse. */
  float32(what: string, count: number): Float32Array {
    const at = this.#take(what, 4 * count);
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) samples[i] = this.#view.getFloat32(at + 4 * i, true);
    return samples;
  }

  /** @param most - bytes that it may have */
  string(what: string, most: number): string {
    const length = this.atMost(what, this.u32(what), most);
    const bytes = this.bytes(what, length);
    try {
      return text.decode(bytes);
    } catch (cause) {
      throw violation(`${what} is not UTF-8`, cause);
    }
  }

  /** A JSON object. */
  json(what: string, most: number): Record<string, unknown> {
    const written = this.string(what, most);
    let value: unknown;
    try {
      value = JSON.parse(written);
    } catch (cause) {
      throw violation(`${what} is not JSON`, cause);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw violation(`${what} is no JSON object`);
    }
    return value as Record<string, unknown>;
  }

  atMost(what: string, value: number, most: number): number {
    if (value > most) throw violation(`expected at most ${most} for ${what}, got ${value}`);
    return value;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.left > 0) throw violation(`${this.left} bytes follow the end of the message`);
  }

  #take(what: string, count: number): number {
    if (count > this.left) throw violation(`it ends within ${what}: ${count} bytes expected, ${this.left} left`);
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

function finite(what: string, value: number): number {
  if (!Number.isFinite(value)) throw violation(`expected a finite number for ${what}, got ${value}`);
  return value;
}

/** A message that does not keep to the protocol. */
export function violation(problem: string, cause?: unknown): DuplexError {
  return new DuplexError(
    "PROTOCOL_VIOLATION",
    `micro-turn wire: ${problem}; both sides must speak the same version`,
    cause === undefined ? {} : { cause },
  );
}
