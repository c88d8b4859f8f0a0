// When micro-turns of sessions are computed in this process: now, or in a moment.

import type { Clock, DuplexSession } from "@microturn/core";
import type { MicroTurnsHere } from "../model/give-way.js";
import { settledWithin } from "../waiting.js";

/** What is used of a session. */
export type ComputedSession = Pick<DuplexSession, "capabilities" | "computing" | "on">;

/** Longest wait for one micro-turn, ms: an engine that hangs must not hold up the work for other sessions. */
const longestWaitMs = 1000;

/** Work that begins so shortly before a micro-turn would still be at it in there, ms. */
const aheadMs = 8;

/** How late the input of a micro-turn may be, ms: then the work goes on without one. */
const graceMs = 4;

/** What is known of the micro-turns of a session. */
interface Pace {
  /** When the next one is due. */
  dueMs: number;
  /** What was waited for last, the end of a micro-turn or one that was due, and the wait that all share who want to go on. */
  what?: Promise<void> | number;
  wait?: Promise<void>;
}

/** Micro-turns of sessions whose engine computes here. */
export class MicroTurns implements MicroTurnsHere {
  readonly #sessions: Iterable<ComputedSession>;
  readonly #clock: Clock;
  readonly #paces = new WeakMap<ComputedSession, Pace>();

  constructor(sessions: Iterable<ComputedSession>, clock: Clock) {
    this.#sessions = sessions;
    this.#clock = clock;
  }

  readonly any = (): boolean => [...this.#sessions].some(({ capabilities }) => capabilities.computesHere === true);

  readonly giveWay = (): Promise<void> | undefined => {
    for (const session of this.#sessions) {
      const pace = this.#paces.get(session) ?? this.#watch(session);
      const { computing } = session;
      const sinceMs = this.#clock.now() - pace.dueMs;
      if (computing === undefined && (sinceMs < -aheadMs || sinceMs >= graceMs)) continue;
      const what = computing ?? pace.dueMs;
      if (pace.what !== what) pace.wait = this.#passed(session, pace.dueMs);
      pace.what = what;
      return pace.wait;
    }
    return undefined;
  };

  async #passed(session: ComputedSession, dueMs: number): Promise<void> {
    if (session.computing === undefined) {
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, dueMs + graceMs));
    }
    const { computing } = session;
    if (computing !== undefined) await settledWithin(computing, longestWaitMs, this.#clock);
  }

  /** Sound comes in real time: a micro-turn is due one duration after the last one began. */
  #watch(session: ComputedSession): Pace {
    const pace: Pace = { dueMs: Number.POSITIVE_INFINITY };
    const { computesHere, turnDurationMs } = session.capabilities;
    if (computesHere) {
      session.on("turn-end", ({ turn: { output, timing } }) => {
        if (!output.skipped) pace.dueMs = this.#clock.now() - timing.stepMs + turnDurationMs;
      });
    }
    this.#paces.set(session, pace);
    return pace;
  }
}
