// What the page draws: a session as plain arrays, whatever file it came from.

import type { BackgroundView } from "./background-view.js";

/** One voice of the session, mono, from time 0 as it sounded. */
export interface Voice {
  readonly sampleRate: number;
  /** PCM in [-1, 1]. */
  readonly samples: Float32Array;
}

/** One micro-turn as the page shows it. */
export interface TurnView {
  readonly index: number;
  readonly decision: "listen" | "speak";
  readonly heard: string;
  readonly said: string;
  readonly typed: readonly string[];
  readonly images: number;
  readonly delegation?: string;
  readonly late: boolean;
  /** The assistant gave up the floor in mid-reply here. */
  readonly yielded: boolean;
  /** Late input was merged over this micro-turn, so it has no output and no time of its own. */
  readonly skipped: boolean;
  /** Micro-turns in the step that this one was part of; 1 is the rule. */
  readonly merged: number;
  /** Wall time by stage, ms, in the order of work. */
  readonly stages: readonly { readonly name: string; readonly ms: number }[];
  /** Time that was left before the deadline, ms; absent when the session had no real-time clock. */
  readonly slackMs?: number;
  /** Control token per output position: 0 none, 1 listen, 2 speak, 3 delegate. */
  readonly controls?: Uint8Array;
  /** Routing share `[layers, experts]`. */
  readonly experts?: Float32Array;
}

/** A stretch of time with a name, ms. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly label: string;
}

/** A whole session. */
export interface SessionView {
  readonly title: string;
  /** Facts for the head of the page, in order. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  readonly turnMs: number;
  readonly durationMs: number;
  readonly user: Voice;
  readonly assistant: Voice;
  readonly turns: readonly TurnView[];
  /** Where the session tells nothing else of the work that it handed over. */
  readonly delegations: readonly Span[];
  /** Absent where the trace knows of none. */
  readonly background?: BackgroundView;
  readonly expertShape?: readonly [layers: number, experts: number];
}

/** Wall time of a step, ms. */
export function stepMs(turn: TurnView): number {
  let sum = 0;
  for (const stage of turn.stages) sum += stage.ms;
  return sum;
}

/** `m:ss.mmm`, or `h:mm:ss` with `short`. */
export function formatTime(ms: number, short = false): string {
  const whole = Math.max(0, Math.round(ms));
  const seconds = Math.floor(whole / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = hours > 0 ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  return short ? clock : `${clock}.${String(whole % 1000).padStart(3, "0")}`;
}
