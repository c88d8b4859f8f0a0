// The jitter buffer of the player: sound comes in pieces, some of them late, and leaves sample by sample.
// Start and stop law after Moshi's web client (bounded, drops the oldest, waits longer after an underrun).

import { raisedCosine } from "./fade.js";
import { RateControl } from "./rate-control.js";

/** Sizes of a {@link SpeechBuffer}, all in samples but the rate. */
export interface SpeechBufferOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Silence before the first sample of a stretch, at the start; grows with every underrun. */
  readonly prebuffer: number;
  /** Where that ends. */
  readonly maxPrebuffer: number;
  /** More than this, or than one longer piece, and `maxPrebuffer` on top is never queued: the oldest goes. */
  readonly bound: number;
  /** Length of a fade in or out; at least 1. */
  readonly fade: number;
}

/** A gap longer than this is a pause of the source, and no reason to wait longer, s. */
const pauseSeconds = 1;
/** After an underrun the prebuffer is this much longer, s. */
const prebufferStep = 0.01;
/** Share of the rate by which it goes on to a whole sample, at least. */
const settlingShare = 0.001;
/** After this time without an underrun it is a step shorter, s. */
const calmSeconds = 30;

/**
 * Holds sound between the session and the loudspeaker. Allocates only when a piece comes that is longer than any before.
 *
 * Positions count the samples that were pushed, from 0.
 */
export class SpeechBuffer {
  readonly #options: SpeechBufferOptions;
  readonly #control: RateControl;
  /** Gains of a fade, `fade + 1` of them. */
  readonly #gains: Float32Array;
  /** What still sounds of something that was cut off, faded out already; from `#tailAt` on. */
  readonly #tail: Float32Array;
  #tailAt: number;
  #ring = new Float32Array(0);
  #pushed = 0;
  /** Position of the next sample, and how far between it and the one after. */
  #position = 0;
  #fraction = 0;
  #rate = 1;
  #settling = false;
  #heard = 0;
  #playing = false;
  /** Samples of silence before playing starts. */
  #hold = 0;
  /** Place in the fade that is under way. */
  #gain = 0;
  #prebuffer: number;
  #calm = 0;
  #idle = Number.POSITIVE_INFINITY;
  #underruns = 0;
  #dropped = 0;

  constructor(options: SpeechBufferOptions) {
    this.#options = options;
    this.#prebuffer = options.prebuffer;
    this.#gains = raisedCosine(options.fade);
    this.#tail = new Float32Array(options.fade);
    this.#tailAt = options.fade;
    this.#control = new RateControl({ sampleRate: options.sampleRate, target: options.prebuffer });
    this.#reserve(options.bound + options.maxPrebuffer);
  }

  /** Samples pushed since the start. */
  get pushed(): number {
    return this.#pushed;
  }

  /** Samples that wait. */
  get queued(): number {
    return this.#pushed - this.#position;
  }

  /** Position after the last sample that was played; what was dropped is passed over once something after it plays. */
  get heard(): number {
    return this.#heard;
  }

  /** Times that sound came too late. */
  get underruns(): number {
    return this.#underruns;
  }

  /** Samples dropped because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Silence before the first sample of a stretch, samples. */
  get prebuffer(): number {
    return this.#prebuffer;
  }

  /** Samples of input per sample of output in the last {@link render}. */
  get rate(): number {
    return this.#rate;
  }

  /** Takes a piece of sound; copied. If too much waits then, the oldest goes, down to half the bound, but never of this piece. */
  push(samples: Float32Array): void {
    const { bound, maxPrebuffer } = this.#options;
    const limit = Math.max(bound, samples.length) + maxPrebuffer;
    this.#reserve(limit);
    if (this.#playing) this.#control.observe(this.queued + this.#hold, samples.length);
    else this.#start();
    if (this.queued + samples.length > limit) {
      const kept = Math.max(this.#prebuffer, (bound >> 1) - samples.length);
      const excess = Math.max(0, this.queued - kept);
      this.#dropped += excess;
      this.#skip(excess);
      this.#control.shift(-excess);
    }
    const mask = this.#ring.length - 1;
    for (let i = 0; i < samples.length; i++) this.#ring[(this.#pushed + i) & mask] = samples[i];
    this.#pushed += samples.length;
  }

  /** Drops everything; what sounds right now is faded out. The next piece starts anew. */
  flush(): void {
    this.#skip(this.queued);
    this.#stop();
    this.#idle = Number.POSITIVE_INFINITY;
  }

  /** Gives the next samples; silence where there are none. */
  render(output: Float32Array): void {
    this.#steer(output.length);
    for (let i = 0; i < output.length; i++) output[i] = this.#next();
    for (let i = 0; i < output.length && this.#tailAt < this.#tail.length; i++) output[i] += this.#tail[this.#tailAt++];
    this.#keepCalm(output.length);
  }

  /** A stretch of sound begins, after silence, a flush, or because what was queued ran out. */
  #start(): void {
    const { sampleRate, maxPrebuffer } = this.#options;
    if (this.#idle < pauseSeconds * sampleRate) {
      this.#underruns++;
      this.#prebuffer = Math.min(maxPrebuffer, this.#prebuffer + Math.round(prebufferStep * sampleRate));
      this.#calm = 0;
    }
    this.#control.target = this.#prebuffer;
    this.#control.reset();
    this.#hold = this.#prebuffer;
    this.#playing = true;
    this.#gain = 0;
  }

  #stop(): void {
    this.#playing = false;
    this.#idle = 0;
    this.#fraction = 0;
    this.#rate = 1;
  }

  /** Chooses the rate for a quantum; in silence, makes the queue longer or shorter at once instead, which no one hears. */
  #steer(count: number): void {
    if (!this.#playing || this.#hold > 0) return;
    const { excess } = this.#control;
    if (excess !== 0 && this.#silentFor(2 * count)) {
      this.#fraction = 0;
      this.#rate = 1;
      const step = Math.max(-count, Math.min(count, Math.trunc(excess)));
      if (step > 0) this.#position += step;
      else this.#hold = -step;
      this.#control.shift(-step);
      return;
    }
    const { rate } = this.#control;
    // Once nothing is wrong any more, it goes on to the next whole sample, soon; from there samples pass as they are.
    this.#settling = rate === 1 && this.#fraction !== 0;
    if (!this.#settling) this.#rate = rate;
    else
      this.#rate = this.#rate > 1 ? Math.max(this.#rate, 1 + settlingShare) : Math.min(this.#rate, 1 - settlingShare);
  }

  #silentFor(count: number): boolean {
    if (this.queued < count + 2) return false;
    const mask = this.#ring.length - 1;
    for (let i = 0; i < count; i++) if (this.#ring[(this.#position + i) & mask] !== 0) return false;
    return true;
  }

  #next(): number {
    if (!this.#playing) return 0;
    if (this.#hold > 0) {
      this.#hold--;
      return 0;
    }
    const left = this.queued;
    if (left <= 0) {
      this.#stop();
      return 0;
    }
    // Up to 1 at the start; down to 0 if the sound ends; up again if more comes meanwhile.
    this.#gain = Math.min(this.#gain + 1, left, this.#options.fade);
    const value = this.#gains[this.#gain] * this.#sampleAt(0);
    const place = this.#fraction + this.#rate;
    let whole = Math.floor(place);
    if (this.#settling && whole !== 1) {
      // It passes a whole sample here.
      whole = Math.round(place);
      this.#settling = false;
      this.#rate = 1;
      this.#fraction = 0;
    } else this.#fraction = place - whole;
    this.#position += Math.min(whole, left);
    this.#heard = this.#position;
    return value;
  }

  /** The sample `offset` after the next; between two samples the cubic through four (Catmull-Rom). */
  #sampleAt(offset: number): number {
    const ring = this.#ring;
    const mask = ring.length - 1;
    const at = this.#position + offset;
    const b = ring[at & mask];
    const t = this.#fraction;
    if (t === 0) return b;
    const last = this.#pushed - 1;
    const a = ring[Math.max(0, at - 1) & mask];
    const c = ring[Math.min(last, at + 1) & mask];
    const d = ring[Math.min(last, at + 2) & mask];
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  }

  /** Jumps over samples. What would have come next is faded out over what comes instead, which fades in. */
  #skip(count: number): void {
    if (count <= 0) return;
    const { fade } = this.#options;
    if (this.#playing && this.#hold === 0 && this.#gain > 0) {
      const rest = fade - this.#tailAt;
      this.#tail.copyWithin(0, this.#tailAt);
      this.#tail.fill(0, rest);
      this.#tailAt = 0;
      const level = this.#gains[this.#gain];
      const length = Math.min(fade, this.queued);
      for (let i = 0; i < length; i++) this.#tail[i] += level * this.#gains[fade - i] * this.#sampleAt(i);
    }
    this.#position += count;
    this.#fraction = 0;
    this.#gain = 0;
  }

  #keepCalm(count: number): void {
    if (!this.#playing) {
      this.#idle += count;
      return;
    }
    const { sampleRate, prebuffer } = this.#options;
    this.#calm += count;
    if (this.#calm < calmSeconds * sampleRate) return;
    this.#calm = 0;
    this.#prebuffer = Math.max(prebuffer, this.#prebuffer - Math.round(prebufferStep * sampleRate));
    this.#control.target = this.#prebuffer;
  }

  #reserve(samples: number): void {
    // A sample before the position is read as well, and a piece goes in before the oldest are out.
    const capacity = 2 ** Math.ceil(Math.log2(samples + 4));
    if (capacity <= this.#ring.length) return;
    const ring = new Float32Array(capacity);
    for (let at = Math.max(0, this.#position - 1); at < this.#pushed; at++) {
      ring[at & (capacity - 1)] = this.#ring[at & (this.#ring.length - 1)];
    }
    this.#ring = ring;
  }
}
