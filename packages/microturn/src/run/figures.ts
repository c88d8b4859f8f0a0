// Gathers the figures of a session while it runs, in memory that grows by a few hundred bytes a second at most.

import type { TurnRecord } from "@microturn/core";
import { LevelMeter } from "../summary/speech-activity.js";
import { percentile, type SessionSummary, summarise } from "../summary/summary.js";

/** Rates of a session. */
export interface FiguresOptions {
  readonly inputSampleRate: number;
  readonly outputSampleRate: number;
  readonly turnMs: number;
}

/** Collects levels and times of micro-turns. */
export class Figures {
  readonly #options: FiguresOptions;
  readonly #user: LevelMeter;
  readonly #assistant: LevelMeter;
  readonly #stepMs: number[] = [];
  #turns = 0;
  #late = 0;
  #sessionMs = 0;

  constructor(options: FiguresOptions) {
    this.#options = options;
    this.#user = new LevelMeter(options.inputSampleRate);
    this.#assistant = new LevelMeter(options.outputSampleRate);
    // What a micro-turn gives sounds one micro-turn later.
    this.#assistant.push(new Float32Array(Math.round((options.outputSampleRate * options.turnMs) / 1000)));
  }

  push(turn: TurnRecord): void {
    this.#user.push(turn.input.audio);
    this.#assistant.push(turn.output.speech);
    if (!turn.output.skipped) this.#stepMs.push(turn.timing.stepMs);
    this.#sessionMs += this.#options.turnMs;
    this.#turns++;
    if (turn.timing.late) this.#late++;
  }

  /** Micro-turns so far. */
  get turns(): number {
    return this.#turns;
  }

  summary(): SessionSummary {
    return summarise({
      userLevels: this.#user.levels,
      assistantLevels: this.#assistant.levels,
      stepMs: this.#stepMs,
      late: this.#late,
    });
  }

  /** The figures in words. `wallMs`: how long the session took to run. */
  lines(wallMs: number): string[] {
    const summary = this.summary();
    const speed = this.#sessionMs / Math.max(1, wallMs);
    const lines = [
      `${(this.#sessionMs / 1000).toFixed(1)} s of conversation in ${(wallMs / 1000).toFixed(1)} s (${speed.toFixed(1)} x real time), ${this.#turns} micro-turns`,
      `user spoke ${times(summary.userTurns)}, assistant replied ${times(summary.replies)}`,
    ];
    if (summary.takeOverMs.length > 0) {
      const [p50, worst] = [percentile(summary.takeOverMs, 0.5), percentile(summary.takeOverMs, 1)];
      lines.push(`take-over: median ${p50.toFixed(0)} ms, longest ${worst.toFixed(0)} ms after the user's last sound`);
    }
    if (summary.overlaps > 0) lines.push(`${summary.overlaps} of the replies began while the user spoke`);
    if (this.#stepMs.length > 0) {
      lines.push(
        `one step: p50 ${summary.stepP50Ms.toFixed(1)} ms, p99 ${summary.stepP99Ms.toFixed(1)} ms of ${this.#options.turnMs} ms` +
          (summary.late > 0 ? `, ${summary.late} late` : ""),
      );
    }
    return lines;
  }
}

function times(count: number): string {
  return count === 1 ? "once" : count === 0 ? "not at all" : `${count} times`;
}
