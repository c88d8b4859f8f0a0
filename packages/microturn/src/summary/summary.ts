// What a session comes down to: who spoke when, how fast the assistant took over, how much of the budget a step used.

import { type SpeechSegment, speechSegments } from "./speech-activity.js";

/** What {@link summarise} reads; times in ms from the start of the session. */
export interface SummaryInput {
  /** RMS of the user per 10 ms. */
  readonly userLevels: Float32Array;
  /** RMS of the assistant per 10 ms, as it sounds: one micro-turn after the step that made it. */
  readonly assistantLevels: Float32Array;
  /** Wall time of every step, ms. */
  readonly stepMs: Float32Array | readonly number[];
  /** Micro-turns that missed their deadline. */
  readonly late: number;
}

/** Figures of a session. */
export interface SessionSummary {
  readonly userTurns: number;
  readonly replies: number;
  /** Per reply that follows the user: end of the user's speech to first sound of the reply, ms. */
  readonly takeOverMs: readonly number[];
  /** Replies that began while the user was speaking. */
  readonly overlaps: number;
  readonly stepP50Ms: number;
  readonly stepP99Ms: number;
  readonly late: number;
}

/** Pauses up to this long belong to one speaker turn, ms. */
const speakerTurnGapMs = 1_000;

/** Computes the figures of a session. */
export function summarise({ userLevels, assistantLevels, stepMs, late }: SummaryInput): SessionSummary {
  const user = speechSegments(userLevels);
  const replies = speechSegments(assistantLevels, { gapMs: speakerTurnGapMs });
  const takeOverMs: number[] = [];
  let overlaps = 0;
  let previousEndMs = 0;
  for (const reply of replies) {
    const before = user.filter((segment) => segment.startMs < reply.startMs && segment.endMs > previousEndMs);
    const last = before.at(-1);
    if (last !== undefined) {
      if (last.endMs > reply.startMs) overlaps++;
      else takeOverMs.push(reply.startMs - last.endMs);
    }
    previousEndMs = reply.endMs;
  }
  return {
    userTurns: mergeGaps(user, speakerTurnGapMs).length,
    replies: replies.length,
    takeOverMs,
    overlaps,
    stepP50Ms: percentile(stepMs, 0.5),
    stepP99Ms: percentile(stepMs, 0.99),
    late,
  };
}

/**
 * The value below which a share `q` of the values lies (nearest rank).
 *
 * @param q - 0 to 1
 * @returns NaN of nothing
 */
export function percentile(values: Float32Array | readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}

function mergeGaps(segments: readonly SpeechSegment[], gapMs: number): SpeechSegment[] {
  const merged: SpeechSegment[] = [];
  for (const segment of segments) {
    const last = merged.at(-1);
    if (last !== undefined && segment.startMs - last.endMs < gapMs) {
      merged[merged.length - 1] = { startMs: last.startMs, endMs: segment.endMs };
    } else merged.push(segment);
  }
  return merged;
}
