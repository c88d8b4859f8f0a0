// A user who plays a part: stretches of sound at given times, written into a session as a microphone would.

import { resample } from "../audio/resampler.js";
import type { DuplexSession } from "../session/duplex-session.js";
import type { FakeClock } from "./fake-clock.js";

/** A stretch of sound that the user makes. */
export interface UserSegment {
  /** When it begins, ms after the user starts. */
  readonly atMs: number;
  /** What is heard: PCM at the user's rate, or a number of ms of a voice-like buzz. */
  readonly sound: Float32Array | number;
}

/** Options of {@link SimulatedUser}. */
export interface SimulatedUserOptions {
  readonly segments: readonly UserSegment[];
  /** Rate of the microphone, Hz; default 16 000. */
  readonly sampleRate?: number;
  /** Length of one write, ms; default 20. */
  readonly chunkMs?: number;
  /** Peak of the background noise; default 0.001. */
  readonly noise?: number;
}

/** Plays segments into sessions on a fake clock; overlapping ones are mixed. */
export class SimulatedUser {
  readonly sampleRate: number;
  readonly #options: SimulatedUserOptions;
  readonly #chunkMs: number;
  #playedMs = 0;

  constructor(options: SimulatedUserOptions) {
    this.#options = options;
    this.sampleRate = options.sampleRate ?? 16_000;
    this.#chunkMs = options.chunkMs ?? 20;
  }

  /** What the microphone gives from `fromMs` on, `[samples]`. */
  sound(fromMs: number, durationMs: number): Float32Array {
    const { segments, noise = 0.001 } = this.#options;
    const first = Math.round((fromMs * this.sampleRate) / 1000);
    const out = new Float32Array(Math.round(((fromMs + durationMs) * this.sampleRate) / 1000) - first);
    for (let i = 0; i < out.length; i++) out[i] = noise * hash(first + i);
    for (const { atMs, sound } of segments) {
      const start = Math.round((atMs * this.sampleRate) / 1000) - first;
      const length = typeof sound === "number" ? Math.round((sound * this.sampleRate) / 1000) : sound.length;
      for (let i = Math.max(0, -start); i < length && start + i < out.length; i++) {
        out[start + i] += typeof sound === "number" ? buzz(i / this.sampleRate) : sound[i];
      }
    }
    return out;
  }

  /**
   * Plays on for `durationMs`: a write every `chunkMs`, the clock moved on by as much before each, as for a microphone
   * that hands over what it has just recorded.
   */
  async play(session: DuplexSession, clock: FakeClock, durationMs: number): Promise<void> {
    const untilMs = this.#playedMs + durationMs;
    while (this.#playedMs < untilMs) {
      const chunkMs = Math.min(this.#chunkMs, untilMs - this.#playedMs);
      const chunk = this.sound(this.#playedMs, chunkMs);
      await clock.advance(chunkMs);
      this.#playedMs += chunkMs;
      if (session.closed) return;
      session.writeAudio(chunk, { sampleRate: this.sampleRate });
    }
    await clock.advance(0);
  }

  /** All of the user's part at another rate, for sessions that run as fast as they can. */
  recording(durationMs: number, sampleRate = this.sampleRate): Float32Array {
    const sound = this.sound(0, durationMs);
    return sampleRate === this.sampleRate
      ? sound
      : resample(sound, { inputRate: this.sampleRate, outputRate: sampleRate });
  }
}

/** A buzz with the pitch and the syllables of a voice, at an RMS of about 0.1. */
function buzz(seconds: number): number {
  const syllable = 0.6 + 0.4 * Math.sin(2 * Math.PI * 4 * seconds);
  let sum = 0;
  for (let k = 1; k <= 8; k++) sum += Math.sin(2 * Math.PI * 120 * k * seconds) / k;
  return 0.12 * syllable * sum;
}

/** A reproducible number in [-1, 1) for each index. */
function hash(index: number): number {
  let z = Math.imul(index ^ 0x2545f491, 0x9e3779b1);
  z = Math.imul(z ^ (z >>> 15), 0x85ebca6b);
  return ((z ^ (z >>> 13)) >>> 0) / 2 ** 31 - 1;
}
