// The client's sound on its way into the session: decoded, counted (for a client that comes back), and bounded in how far it may
// be ahead. Where it stops while there is something to say, silence follows, because the model lives by its input only.

import type { Clock, DuplexSession } from "@microturn/core";
import { AudioDecoder, type AudioFormat } from "./audio-format.js";
import { RealtimeError } from "./realtime-error.js";

/** A source that is late by this much is waited for; then silence takes its place, ms. */
const patienceMs = 500;
/** Longest silence that is made in one go, ms. */
const longestFillMs = 1000;
/** A source that says nothing for longer has paused; what it says then is new, ms. */
const longestStallMs = 2000;
/** Sound below this level, of full scale, can be left out. */
const quietLevel = 0.01;

export class InputAudio {
  readonly #duplex: DuplexSession;
  readonly #clock: Clock;
  readonly #maxAheadMs: number;
  readonly #decoder = new AudioDecoder();
  #rate: number;
  #bytes = 0;
  #appends = 0;
  #receivedMs = 0;
  #filledMs = 0;
  #bufferedMs = 0;
  #filling = false;
  /** Silence that was made since the sound stopped, ms. */
  #stallMs = 0;
  /** Silence that took the place of sound which came late after all, ms: so much of what is quiet is left out again. */
  #debtMs = 0;
  /** Until when the sound that has come lasts, if it is heard in real time. */
  #coveredMs: number;

  constructor(duplex: DuplexSession, clock: Clock, maxAheadMs: number) {
    this.#duplex = duplex;
    this.#clock = clock;
    this.#maxAheadMs = maxAheadMs;
    this.#rate = duplex.capabilities.inputSampleRate;
    this.#coveredMs = clock.now();
  }

  /** What has been received, for a client that lost its connection. */
  get received(): { readonly appends: number; readonly bytes: number; readonly ms: number } {
    return { appends: this.#appends, bytes: this.#bytes, ms: Math.round(this.#receivedMs) };
  }

  /** Sound that is in no item yet, ms. */
  get bufferedMs(): number {
    return this.#bufferedMs;
  }

  /** Where a micro-turn begins in the client's own sound, ms; silence that was made here does not count. */
  atTurn(turnIndex: number): number {
    const { turnDurationMs } = this.#duplex.capabilities;
    return Math.round(Math.max(0, Math.min(this.#receivedMs, turnIndex * turnDurationMs - this.#filledMs)));
  }

  /** @throws RealtimeError `input_backpressure` if the client is too far ahead; nothing was taken then */
  append(bytes: Uint8Array, { type, rate }: AudioFormat): void {
    const ms = (1000 * this.#decoder.samplesOf(bytes.length, type)) / rate;
    const { turnIndex, capabilities } = this.#duplex;
    const aheadMs = this.#receivedMs + this.#filledMs - turnIndex * capabilities.turnDurationMs;
    if (aheadMs + ms > this.#maxAheadMs) {
      throw new RealtimeError(
        "input_backpressure",
        `Expected sound at most ${this.#maxAheadMs} ms ahead of real time, got ${Math.round(ms)} ms more while ${Math.round(aheadMs)} ms wait; this append was left out: send it again later.`,
        { type: "rate_limit_error", param: "audio", retryAfterMs: Math.ceil(aheadMs + ms - this.#maxAheadMs) },
      );
    }
    const samples = this.#decoder.push(bytes, type);
    this.#bytes += bytes.length;
    this.#appends++;
    this.#receivedMs += ms;
    this.#bufferedMs += ms;
    this.#filling = false;
    if (this.#stallMs > 0) {
      this.#debtMs = this.#stallMs <= longestStallMs ? this.#debtMs + this.#stallMs : 0;
      this.#stallMs = 0;
    }
    if (ms <= this.#debtMs && aheadMs > capabilities.turnDurationMs && isQuiet(samples)) {
      this.#debtMs -= ms;
      this.#filledMs -= ms;
      return;
    }
    this.#write(samples, rate);
    this.#coveredMs = Math.max(this.#coveredMs, this.#clock.now()) + ms;
  }

  /** The sound so far belongs to an item, or is forgotten. */
  clearBuffer(): void {
    this.#bufferedMs = 0;
  }

  /** Half a sample that is left is forgotten. */
  reset(): void {
    this.#decoder.reset();
  }

  /** Silence for the time in which nothing has come; call it about once per micro-turn. */
  fill(): void {
    const nowMs = this.#clock.now();
    const { turnDurationMs } = this.#duplex.capabilities;
    if (this.#filling ? nowMs < this.#coveredMs : nowMs < this.#coveredMs + patienceMs) return;
    if (!this.#filling) {
      this.#filling = true;
      this.#coveredMs = nowMs;
    }
    const ms = Math.min(longestFillMs, nowMs - this.#coveredMs + turnDurationMs);
    const samples = Math.round((ms * this.#rate) / 1000);
    this.#coveredMs = Math.max(this.#coveredMs + ms, nowMs - longestFillMs);
    this.#filledMs += (1000 * samples) / this.#rate;
    this.#stallMs += ms;
    this.#write(new Float32Array(samples), this.#rate);
  }

  #write(samples: Float32Array, rate: number): void {
    // Another rate ends what is in the resampler: silence has the rate of the sound before it.
    this.#rate = rate;
    if (samples.length > 0) void this.#duplex.writeAudio(samples, { sampleRate: rate }).catch(() => {});
  }
}

function isQuiet(samples: Float32Array): boolean {
  return samples.every((sample) => Math.abs(sample) < quietLevel);
}
