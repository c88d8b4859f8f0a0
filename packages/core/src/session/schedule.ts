// When a micro-turn may start and when it is due (rule 3). Pure arithmetic on wall time.

import type { SessionState } from "./session-state.js";

/**
 * The schedule runs this much faster than the wall clock, so that a sound card whose clock is a little fast (some 100 ppm)
 * never builds up a queue.
 */
const scheduleRate = 1.001;

/**
 * A source that is on time falls behind such a schedule for good. From one micro-turn on the schedule waits for it, by at most
 * this share of the time: more than it loses, and too little to forget a stall.
 */
const scheduleSlew = 0.005;

/** Share of a micro-turn by which input may be ahead of the schedule without being held back: jitter of a live source. */
const jitter = 0.5;

/** A source that pauses for this long starts a new schedule; shorter gaps are a stall of the process, and are caught up. */
export const defaultPauseMs = 2000;

/** Brings arrivals and schedule up to date after `samples` more input samples. */
export function acceptAudio(state: SessionState, samples: number, nowMs: number): SessionState {
  const { turnSamples, turnDurationMs, pauseMs } = state.rules;
  const received = state.received + samples;
  const complete = Math.floor(received / turnSamples);
  const paused = nowMs - Math.max(state.lastAudioMs, scheduledMs(state, state.complete)) > pauseMs;
  // What the first write brings was captured before it came; of a long write (a file), at most one micro-turn is.
  const capturedMs = Math.min(turnDurationMs, (samples / turnSamples) * turnDurationMs);
  const startMs = nowMs - capturedMs - ((state.received % turnSamples) / turnSamples) * turnDurationMs;
  const anchor =
    state.anchor === undefined || paused
      ? { turn: state.complete, atMs: startMs + turnDurationMs / scheduleRate }
      : slewed(state, state.anchor, complete, nowMs);
  const added = complete - state.complete;
  const arrivals = added === 0 ? state.arrivals : [...state.arrivals, ...new Array<number>(added).fill(nowMs)];
  return { ...state, received, complete, arrivals, anchor, lastAudioMs: nowMs };
}

/** The anchor, moved on a little if micro-turn `complete - 1` came more than a micro-turn after its time. */
function slewed(
  state: SessionState,
  anchor: { readonly turn: number; readonly atMs: number },
  complete: number,
  nowMs: number,
): SessionState["anchor"] {
  const { turnDurationMs } = state.rules;
  const added = complete - state.complete;
  const excessMs = nowMs - scheduledMs(state, complete - 1) - turnDurationMs;
  if (added === 0 || excessMs <= 0) return anchor;
  return { turn: anchor.turn, atMs: anchor.atMs + Math.min(excessMs, added * turnDurationMs * scheduleSlew) };
}

/** Wall time of a micro-turn on the schedule, whether or not its input has come. A source that is held back is not behind it. */
export function scheduledMs({ anchor, rules }: SessionState, turn: number): number {
  if (anchor === undefined) return Number.NEGATIVE_INFINITY;
  return anchor.atMs + ((turn - anchor.turn) * rules.turnDurationMs) / scheduleRate;
}

/** Wall time at which a complete micro-turn may start. */
export function releaseMs(state: SessionState, turn: number): number {
  const { turnDurationMs, pace } = state.rules;
  const { arrivals, anchor, next } = state;
  const arrival = arrivals[Math.min(turn - next, arrivals.length - 1)] ?? Number.NEGATIVE_INFINITY;
  if (pace === "as-fast-as-input" || anchor === undefined) return arrival;
  return Math.max(arrival, scheduledMs(state, turn) - jitter * turnDurationMs);
}

/** Deadline of a complete micro-turn; infinite without deadlines. */
export function dueMs(state: SessionState, turn: number): number {
  if (state.rules.pace === "as-fast-as-input") return Number.POSITIVE_INFINITY;
  return releaseMs(state, turn) + state.rules.budgetMs;
}

/** Number of complete micro-turns that may start now. */
export function readyTurns(state: SessionState, nowMs: number): number {
  const waiting = state.complete - state.next;
  if (state.rules.pace === "as-fast-as-input") return waiting;
  let ready = 0;
  while (ready < waiting && releaseMs(state, state.next + ready) <= nowMs) ready++;
  return ready;
}
