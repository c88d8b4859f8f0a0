// The sound that a session heard last, kept as it came, and which part of it the user's request is.

import type { EngineCapabilities, TurnRecord } from "@microturn/core";

/** Sound is looked at in blocks of this length. */
const blockMs = 20;
/** Quieter than this, nobody speaks: mean square of full scale, -60 dBFS. */
const silence = 1e-6;
/** A voice is louder than the room, which is the quietest block that is kept: 6 dB. */
const aboveRoom = 4;
/** A request begins after quiet of this length: people who search for a word are rarely quiet for longer. */
const pauseMs = 1500;
/** Kept around what is loud: words begin and end softly. */
const marginMs = 300;

/** A stretch of sound. */
export interface Sound {
  readonly samples: Float32Array;
  readonly sampleRate: number;
  /** On the clock of the session. */
  readonly startMs: number;
}

/** Keeps the last micro-turns of the user's sound, each in a place of its own: one that comes in is copied, and allocates nothing. */
export class HeardSound {
  readonly #sampleRate: number;
  readonly #turnSamples: number;
  readonly #turns: number;
  readonly #places: Float32Array;
  /** Micro-turns that are kept: from this one to the one before `#next`. */
  #first = 0;
  #next = 0;

  /** @param maxMs - how much is kept, rounded up to whole micro-turns; more than 0 */
  constructor({ inputSampleRate, turnDurationMs }: EngineCapabilities, maxMs: number) {
    this.#sampleRate = inputSampleRate;
    this.#turnSamples = Math.round((inputSampleRate * turnDurationMs) / 1000);
    this.#turns = Math.ceil(maxMs / turnDurationMs);
    this.#places = new Float32Array(this.#turns * this.#turnSamples);
  }

  /** Takes the sound of the next micro-turn. What was padded in it, or transferred away meanwhile, is silence. */
  hear({ index, input }: Pick<TurnRecord, "index" | "input">): void {
    if (index !== this.#next) this.#first = index;
    const from = (index % this.#turns) * this.#turnSamples;
    this.#places.fill(0, from + input.audio.length, from + this.#turnSamples).set(input.audio, from);
    this.#next = index + 1;
    this.#first = Math.max(this.#first, this.#next - this.#turns);
  }

  /** Forgets what was heard from a micro-turn on. */
  rewind(turnIndex: number): void {
    this.#next = Math.min(this.#next, turnIndex);
    this.#first = Math.min(this.#first, this.#next);
  }

  /**
   * What the user has said last: from where it was quiet for 1.5 s before, or as far back as is kept, to the last that was louder
   * than the room, and 0.3 s on either side. Whether it is a voice is not known. Undefined if nothing was louder.
   */
  request(): Sound | undefined {
    const samples = this.#copy();
    const length = Math.round((this.#sampleRate * blockMs) / 1000);
    const levels: number[] = [];
    let room = 1;
    for (let at = 0; at + length <= samples.length; at += length) {
      let level = 0; // the mean square
      for (let i = at; i < at + length; i++) level += samples[i] ** 2 / length;
      // Where there is nothing at all, a microphone was muted: that tells nothing of the room.
      if (level > 0) room = Math.min(room, level);
      levels.push(level);
    }
    const isLoud = (level: number) => level > Math.max(silence, aboveRoom * room);
    const last = levels.findLastIndex(isLoud);
    if (last < 0) return undefined;
    let first = last;
    for (let block = last; block >= 0 && first - block <= pauseMs / blockMs; block--) {
      if (isLoud(levels[block])) first = block;
    }
    const from = Math.max(0, (first - marginMs / blockMs) * length);
    return {
      sampleRate: this.#sampleRate,
      samples: samples.slice(from, (last + 1 + marginMs / blockMs) * length),
      startMs: (1000 * (this.#first * this.#turnSamples + from)) / this.#sampleRate,
    };
  }

  /** All that is kept, oldest first. */
  #copy(): Float32Array {
    const samples = new Float32Array((this.#next - this.#first) * this.#turnSamples);
    for (let turn = this.#first; turn < this.#next; turn++) {
      const from = (turn % this.#turns) * this.#turnSamples;
      samples.set(this.#places.subarray(from, from + this.#turnSamples), (turn - this.#first) * this.#turnSamples);
    }
    return samples;
  }
}
