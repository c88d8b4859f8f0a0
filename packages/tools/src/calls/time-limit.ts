// How long one try of a call may take: so long without a sign of life, and so long in all.

import type { Clock } from "@microturn/core";

/** Which of the two limits was reached. */
export type TimeLimitReached = "silence" | "duration";

/** Longest single timer: those of platforms count to 2^31 ms. */
const longestTimerMs = 2 ** 30;

/** Watches the time. A sign of life costs no timer: the one that is set looks when the last sign was. */
export class TimeLimit {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #untilMs: number;
  readonly #onReached: (limit: TimeLimitReached) => void;
  #lastSignMs: number;
  #cancel = () => {};
  #stopped = false;

  /**
   * @param options.timeoutMs - longest silence
   * @param options.untilMs - when it must be over, on the clock
   * @param options.onReached - called at most once
   */
  constructor(options: {
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly untilMs: number;
    readonly onReached: (limit: TimeLimitReached) => void;
  }) {
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#untilMs = options.untilMs;
    this.#onReached = options.onReached;
    this.#lastSignMs = options.clock.now();
    this.#set();
  }

  signOfLife(): void {
    this.#lastSignMs = this.#clock.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #set(): void {
    const dueMs = Math.min(this.#lastSignMs + this.#timeoutMs, this.#untilMs, this.#clock.now() + longestTimerMs);
    this.#cancel = this.#clock.setTimer(() => this.#look(), dueMs);
  }

  #look(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.now();
    if (nowMs >= this.#untilMs) this.#reached("duration");
    else if (nowMs >= this.#lastSignMs + this.#timeoutMs) this.#reached("silence");
    else this.#set();
  }

  #reached(limit: TimeLimitReached): void {
    this.#stopped = true;
    this.#onReached(limit);
  }
}
