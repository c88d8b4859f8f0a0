// When micro-turns of sessions are computed in this process: now, or in a moment.

import type { Clock, DuplexSession } from "@microturn/core";
import { settledWithin } from "../jobs/job-try.js";
import type { MicroTurnsHere } from "../model/give-way.js";

/** What is used of a session. */
export type ComputedSession = Pick<DuplexSession, "capabilities" | "computing" | "on">;

/** Longest wait for one micro-turn, ms: an engine that hangs must not hold up the work for other sessions. */
const longestWaitMs = 1000;

/** Work that begins so shortly before a micro-turn would still be at it in there, ms. */
const aheadMs = 8;

/** How late the input of a micro-turn may be, ms: then the work goes on without one. */
const graceMs = 4;

/** Micro-turns of sessions whose engine computes here. */
export class MicroTurns implements MicroTurnsHere {
  readonly #sessions: Iterable<ComputedSession>;
  readonly #clock: Clock;
  /** When the next one of a session is due. */
  readonly #due = new WeakMap<ComputedSession, { atMs: number; wait?: Promise<void> }>();
  /** By micro-turn: all who wait for it share a timer. */
  readonly #waits = new WeakMap<Promise<void>, Promise<void>>();

  constructor(sessions: Iterable<ComputedSession>, clock: Clock) {
    this.#sessions = sessions;
    this.#clock = clock;
  }

  readonly any = (): boolean => {
    for (const { capabilities } of this.#sessions) if (capabilities.computesHere === true) return true;
    return false;
  };

  readonly giveWay = (): Promise<void> | undefined => {
    for (const session of this.#sessions) {
      const wait = this.#computing(session) ?? this.#soon(session);
      if (wait !== undefined) return wait;
    }
    return undefined;
  };

  #computing({ computing }: ComputedSession): Promise<void> | undefined {
    if (computing === undefined) return undefined;
    const wait = this.#waits.get(computing) ?? settledWithin(computing, longestWaitMs, this.#clock);
    this.#waits.set(computing, wait);
    return wait;
  }

  #soon(session: ComputedSession): Promise<void> | undefined {
    if (session.capabilities.computesHere !== true) return undefined;
    const due = this.#due.get(session) ?? this.#watch(session);
    const now = this.#clock.now();
    if (now < due.atMs - aheadMs || now >= due.atMs + graceMs) return undefined;
    due.wait ??= this.#passed(session, due.atMs + graceMs);
    return due.wait;
  }

  async #passed(session: ComputedSession, untilMs: number): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.setTimer(resolve, untilMs));
    await this.#computing(session);
  }

  /** Sound comes in real time: a micro-turn is due one duration after the last one began. */
  #watch(session: ComputedSession): { atMs: number; wait?: Promise<void> } {
    const due: { atMs: number; wait?: Promise<void> } = { atMs: Number.NEGATIVE_INFINITY };
    session.on("turn-end", ({ turn: { output, timing } }) => {
      if (output.skipped) return;
      due.atMs = this.#clock.now() - timing.stepMs + session.capabilities.turnDurationMs;
      delete due.wait;
    });
    this.#due.set(session, due);
    return due;
  }
}
