// Waiting: for others, for a while, for work. Where a signal ends it, what was waited for goes on by itself, and what becomes of it is
// nobody's concern any more.

import type { Clock } from "@microturn/core";

/** What `work` gives; rejects with the signal's reason as soon as it fires. */
export function orAborted<Value>(work: Value | PromiseLike<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it fires. */
export function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  let cancel = () => {};
  const passed = new Promise<void>((resolve) => {
    cancel = clock.setTimer(resolve, clock.now() + ms);
  });
  return orAborted(passed, signal).finally(cancel);
}

/** Resolves when `work` has settled, however, and after `ms` at the latest. */
export function settledWithin(work: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.setTimer(resolve, clock.now() + ms);
    const done = () => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}

/** Lets the event loop go round. */
export function othersTurn(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, 0, undefined));
}
