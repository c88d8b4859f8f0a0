// How long micro-turns take, for the figures that the page shows.

import type { TurnRecord } from "@microturn/core";

/** Micro-turns that the figures are of. */
const keptTurns = 160;

export class TurnFigures {
  turnMs = 200;
  /** So far. */
  turns = 0;
  /** Of all. */
  late = 0;
  readonly #stepMs = new Float32Array(keptTurns);

  /** Forgets everything, for a new session. */
  begin(turnMs: number): void {
    this.turnMs = turnMs;
    this.turns = 0;
    this.late = 0;
    this.#stepMs.fill(0);
  }

  push({ index, timing }: TurnRecord): void {
    this.turns = index + 1;
    this.#stepMs[index % keptTurns] = timing.stepMs;
    if (timing.late) this.late++;
  }

  /** Of the last micro-turns, without those that were skipped, ms. */
  get times(): readonly number[] {
    return Array.from(this.#stepMs.subarray(0, Math.min(this.turns, keptTurns))).filter((ms) => ms > 0);
  }
}
