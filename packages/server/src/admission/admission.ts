// Whether another session may be opened: there must be room, and those that are open must be well served. A session is
// refused before quality drops, with the reason and a time after which to ask again.

import { DuplexError } from "@microturn/core";

/** What decides. */
export interface AdmissionOptions {
  /** Sessions that may be open at once. */
  readonly maxSessions: number;
  /** Length of a micro-turn, ms: the time that an output may take. */
  readonly turnDurationMs: number;
  /** Share of the outputs of the last seconds that may be slow. */
  readonly maxSlowShare: number;
}

/** Share of the micro-turn beyond which the slow outputs of the last seconds keep new sessions out. */
const slowTurn = 0.8;
const windowMs = 5000;

export class Admission {
  readonly maxSessions: number;
  readonly #turnDurationMs: number;
  readonly #maxSlowShare: number;
  readonly #byPrincipal = new Map<string, number>();
  #open = 0;
  #draining = false;
  /** Outputs and slow outputs by second. */
  readonly #seconds: { atS: number; count: number; slow: number }[] = [];

  constructor({ maxSessions, turnDurationMs, maxSlowShare }: AdmissionOptions) {
    this.#maxSlowShare = maxSlowShare;
    this.maxSessions = maxSessions;
    this.#turnDurationMs = turnDurationMs;
  }

  get open(): number {
    return this.#open;
  }

  /** Lets nobody in any more. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Takes a place.
   *
   * @returns gives it back; harmless when called again
   * @throws DuplexError `SERVER_BUSY`, with `details.reason` (`draining`, `busy`, `late`, `limit`) and `details.retryAfterMs`
   */
  enter({ id, maxSessions }: { readonly id: string; readonly maxSessions?: number }, nowMs: number): () => void {
    const own = this.#byPrincipal.get(id) ?? 0;
    if (this.#draining) throw busy("draining", "the server is about to stop; connect to another", 1000);
    if (maxSessions !== undefined && own >= maxSessions) {
      throw busy("limit", `this token has ${own} of ${maxSessions} sessions open; close one`, 5000);
    }
    if (this.#open >= this.maxSessions) {
      throw busy("busy", `all ${this.maxSessions} sessions of this server are taken; ask again later`, 5000);
    }
    if (this.#open > 0 && this.#isSlow(nowMs)) {
      throw busy("late", "the sessions of this server are at the limit of real time; ask again later", windowMs);
    }
    this.#open++;
    this.#byPrincipal.set(id, own + 1);
    let here = true;
    return () => {
      if (!here) return;
      here = false;
      this.#open--;
      const left = (this.#byPrincipal.get(id) ?? 1) - 1;
      if (left === 0) this.#byPrincipal.delete(id);
      else this.#byPrincipal.set(id, left);
    };
  }

  /** Notes how long an output took, from when it could be computed. */
  served(turnMs: number, nowMs: number): void {
    const atS = Math.floor(nowMs / 1000);
    let last = this.#seconds.at(-1);
    if (last?.atS !== atS) {
      last = { atS, count: 0, slow: 0 };
      this.#seconds.push(last);
      this.#forget(nowMs);
    }
    last.count++;
    if (turnMs > slowTurn * this.#turnDurationMs) last.slow++;
  }

  #isSlow(nowMs: number): boolean {
    this.#forget(nowMs);
    let count = 0;
    let slow = 0;
    for (const one of this.#seconds) {
      count += one.count;
      slow += one.slow;
    }
    return slow > Math.max(1, this.#maxSlowShare * count);
  }

  #forget(nowMs: number): void {
    while (this.#seconds.length > 0 && this.#seconds[0].atS * 1000 < nowMs - windowMs) this.#seconds.shift();
  }
}

function busy(reason: string, message: string, retryAfterMs: number): DuplexError {
  return new DuplexError("SERVER_BUSY", message, { details: { reason, retryAfterMs } });
}
