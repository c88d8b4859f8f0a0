// Wall time for a session, passed in so that tests, traces and simulations decide what "now" is (rule 7).

/** A source of time and timers. All times are ms on one monotonic scale whose zero is arbitrary. */
export interface Clock {
  now(): number;
  /**
   * Calls `callback` once, as soon as `now()` has reached `atMs`; a time in the past means "as soon as possible".
   *
   * @returns cancels the timer; harmless after it fired
   */
  setTimer(callback: () => void, atMs: number): () => void;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(callback, atMs) {
    const timer = setTimeout(callback, Math.max(0, atMs - performance.now()));
    return () => clearTimeout(timer);
  },
};
