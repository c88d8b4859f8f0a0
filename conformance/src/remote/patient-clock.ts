// A clock that stands still while the engine computes: a conversation in real time on a machine of any speed, never late, and
// faster than real time where the machine is fast.

import type { Clock, Engine, EngineSession } from "@microturn/core";

export class PatientClock implements Clock {
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  readonly #ticking: ReturnType<typeof setInterval>;
  readonly #speed: number;
  #nowMs = 0;
  #lastMs = performance.now();
  #busy = 0;

  /** @param speed - how many times faster than real time it runs while nothing computes */
  constructor(speed: number) {
    this.#speed = speed;
    this.#ticking = setInterval(() => this.#tick(), 5);
  }

  now(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, atMs: number): () => void {
    const timer = { atMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  stop(): void {
    clearInterval(this.#ticking);
    this.#timers.clear();
  }

  /** The same engine; the clock waits for its steps. */
  watch(engine: Engine): Engine {
    return {
      load: (options) => engine.load(options),
      open: async (options) => this.#watchSession(await engine.open(options)),
      close: () => engine.close(),
    };
  }

  #watchSession(session: EngineSession): EngineSession {
    return {
      capabilities: session.capabilities,
      step: async (input) => {
        this.#busy++;
        try {
          return await session.step(input);
        } finally {
          this.#busy--;
        }
      },
      snapshot: () => session.snapshot(),
      restore: (snapshot) => session.restore(snapshot),
      close: () => session.close(),
    };
  }

  #tick(): void {
    const nowMs = performance.now();
    // A process that was not run for a while has not lived that while.
    const passedMs = Math.min(10, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#busy > 0) return;
    this.#nowMs += passedMs * this.#speed;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) if (this.#timers.delete(timer)) timer.callback();
  }
}
