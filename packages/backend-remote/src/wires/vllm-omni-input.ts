// Sound and images on their way to the service. What was sent last is kept: a server that takes the session up after a break may
// tell how much of it has arrived.

import type { ImageFrame } from "@microturn/core";
import { encodeBase64 } from "../codec/base64.js";
import { encodeJpeg } from "../codec/jpeg.js";
import { encodePcm16 } from "../codec/pcm16.js";
import type { Fields } from "./openai-realtime-messages.js";
import { omniInputRates } from "./vllm-omni-options.js";

const turnMs = 200;
/** Appends that are kept: more than a line holds. */
const maxKept = 64;

interface Append {
  id: string;
  readonly fields: Fields;
}

export class OmniInput {
  readonly #format: keyof typeof omniInputRates;
  readonly #send: (fields: Fields) => string;
  #kept: Append[] = [];
  /** Appends in all, without those that were refused. */
  #count = 0;
  #inputMs = 0;
  /** Length of a unit of the model, ms. */
  #periodMs = turnMs;
  /** The newest image, until a unit of the model closes. */
  #image: ImageFrame | undefined;

  /** @param send - sends an append; gives its name */
  constructor(format: keyof typeof omniInputRates, send: (fields: Fields) => string) {
    this.#format = format;
    this.#send = send;
  }

  /** A session begins. */
  begin(periodMs: number): void {
    this.#kept = [];
    this.#count = 0;
    this.#inputMs = 0;
    this.#periodMs = periodMs;
    this.#image = undefined;
  }

  /** One micro-turn. Images go with the sound that closes a unit of the model: it binds them to that. */
  unit(audio: Float32Array, image: ImageFrame | undefined): void {
    if (image !== undefined) this.#image = this.#periodMs > turnMs ? { ...image, data: image.data.slice() } : image;
    const before = this.#inputMs;
    this.#inputMs += turnMs;
    const closes = Math.floor(this.#inputMs / this.#periodMs) > Math.floor(before / this.#periodMs);
    // Bare base64: the service refuses data URLs.
    const frames = closes && this.#image !== undefined ? { video_frames: [encodeBase64(encodeJpeg(this.#image))] } : {};
    if (closes) this.#image = undefined;
    const fields = {
      audio: encodeBase64(this.#format === "pcm16" ? encodePcm16(audio) : encodeFloats(audio)),
      ...{ format: this.#format, sample_rate_hz: omniInputRates[this.#format], duration_ms: turnMs },
      ...{ audio_end_ms: this.#inputMs, ...frames },
    };
    this.#keep({ id: this.#send(fields), fields });
  }

  /** A message was refused. @returns whether it was one of sound */
  refused(id: string): boolean {
    const at = this.#kept.findIndex((append) => append.id === id);
    if (at === -1) return false;
    this.#kept.splice(at, 1);
    this.#count--;
    return true;
  }

  /**
   * The session goes on over another connection: what did not arrive is sent again, in order.
   *
   * @param received - appends that arrived
   * @returns how many are missing for good
   */
  resend(received: number): number {
    const missing = Math.max(0, this.#count - received);
    const again = missing === 0 ? [] : this.#kept.slice(-missing);
    for (const append of again) append.id = this.#send(append.fields);
    return missing - again.length;
  }

  #keep(append: Append): void {
    this.#count++;
    this.#kept.push(append);
    if (this.#kept.length > maxKept) this.#kept.shift();
  }
}

/** Samples as 32-bit numbers, little-endian. */
function encodeFloats(samples: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * samples.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i++) view.setFloat32(4 * i, samples[i], true);
  return bytes;
}
