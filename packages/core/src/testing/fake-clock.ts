// A clock that stands still until a test moves it.

import type { Clock } from "../session/clock.js";

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Time under a test's control. Nothing sleeps: an hour passes as fast as what happens in it can be computed.
 *
 * @example
 * const clock = new FakeClock();
 * const session = await DuplexSession.open({ engine, clock });
 * await clock.advance(200);
 */
export class FakeClock implements Clock {
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  setTimer(callback: () => void, atMs: number): () => void {
    const timer = { atMs: Math.max(atMs, this.#now), order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length;
  }

  /**
   * Moves time on. Timers fire in the order of their times, and whatever promises they settle has run before the next.
   *
   * @param ms - at least 0
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#now + ms;
    await settled();
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#now = Math.max(this.#now, timer.atMs);
      this.#timers = this.#timers.filter((one) => one !== timer);
      timer.callback();
      await settled();
    }
    this.#now = untilMs;
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue;
      if (first === undefined || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}

/** Lets every promise that can settle do so: a task of the event loop comes after all of them. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
