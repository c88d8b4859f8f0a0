// Collects the trace of a session from its micro-turn records, while it runs.

import type { BackgroundActivity } from "../background.js";
import type { Delegation, TextInput } from "../engine.js";
import type { DuplexSession } from "./duplex-session.js";
import {
  fingerprint,
  packExactly,
  packForListening,
  type SessionTrace,
  type TraceHeader,
  type TraceTurn,
} from "./trace.js";
import type { TurnRecord } from "./turn.js";

/** How a trace is recorded. */
export interface TraceOptions {
  /**
   * The recording stops after this much session time, ms; default 3 600 000 (230 to 350 MB of memory when both talk, as
   * resampled input is kept in full).
   */
  readonly maxMs?: number;
  /**
   * Gives what is kept of the task and arguments of delegations and of the text of results, for example without secrets; default all of
   * them, or what the session's background lets through. A text that it changes no longer replays to a model that reads.
   */
  readonly redact?: (value: unknown) => unknown;
  /** Keeps images too; default true. Without them a session with a camera does not replay. */
  readonly images?: boolean;
}

/** @throws RangeError if `maxMs` is not positive */
export function checkTraceOptions(operation: string, { maxMs = 1 }: TraceOptions): void {
  if (!(maxMs > 0)) throw new RangeError(`${operation}: maxMs of a trace must be positive, got ${maxMs}`);
}

/** A recording under way. */
export interface TraceRecorder {
  /** What was recorded so far. */
  trace(): SessionTrace;
  /** Records no more. */
  stop(): void;
}

/**
 * Records a session from its next micro-turn on. To replay a trace it must begin with the session: use the option `trace`
 * of `DuplexSession.open`, or call this before the first input.
 *
 * @throws RangeError if `maxMs` is not positive
 */
export function recordTrace(session: DuplexSession, options: TraceOptions = {}): TraceRecorder {
  const { maxMs = 3_600_000, images = true, redact = (value: unknown) => value } = options;
  checkTraceOptions("recordTrace", options);
  const { capabilities, settings } = session;
  const maxTurns = Math.ceil(maxMs / capabilities.turnDurationMs);
  const startedAt = new Date().toISOString();
  const turns: TraceTurn[] = [];
  /** For each row, the micro-turn that its step began with. */
  const starts: number[] = [];
  let truncated = false;
  let experts: readonly [number, number] | undefined;

  const stopTurns = session.on("turn-end", ({ turn }) => {
    truncated ||= turns.length >= maxTurns;
    if (truncated) return;
    experts ??= turn.inside?.expertShape;
    const before = turns.at(-1);
    const start = starts.at(-1);
    const sameStep = before !== undefined && start !== undefined && turn.index < start + before.timing.stepTurns;
    starts.push(sameStep ? start : turn.index);
    turns.push(traceTurn(turn, images, redact));
  });
  // What a rewind undid did not happen: the trace goes on from the border. If that lies inside a merged step, the engine
  // was stepped again over the micro-turns before it, and they are a step now.
  const stopRewinds = session.on("rewind", ({ turnIndex }) => {
    while (turns.length > 0 && turns[turns.length - 1].index >= turnIndex) {
      turns.pop();
      starts.pop();
    }
    const start = starts.at(-1);
    if (start === undefined) return;
    for (let i = starts.indexOf(start); i < turns.length; i++) {
      const { timing } = turns[i];
      turns[i] = { ...turns[i], timing: { ...timing, stepTurns: Math.min(timing.stepTurns, turnIndex - start) } };
    }
  });
  return {
    trace(): SessionTrace {
      const { turnDurationMs, inputSampleRate, outputSampleRate, deterministic, identity } = capabilities;
      const { seed, temperature, deadline, pace, budgetMs = turnDurationMs } = settings;
      const header: TraceHeader = {
        ...{
          startedAt,
          firstTurn: turns[0]?.index ?? session.firstTurn,
          turnDurationMs,
          inputSampleRate,
          outputSampleRate,
        },
        ...{ seed, temperature, deadline, pace, budgetMs, deterministic, truncated },
        ...(identity === undefined ? {} : { engine: identity }),
        ...(experts === undefined ? {} : { experts }),
      };
      return { header, turns: [...turns] };
    },
    stop() {
      stopTurns();
      stopRewinds();
    },
  };
}

function redactedDelegation(delegation: Delegation, redact: (value: unknown) => unknown): Delegation {
  const { task, arguments: given } = delegation;
  return {
    ...delegation,
    task: String(redact(task)),
    ...(given === undefined ? {} : { arguments: redact(given) }),
  };
}

function traceTurn(turn: TurnRecord, images: boolean, redact: (value: unknown) => unknown): TraceTurn {
  const wordsOf = (activity: BackgroundActivity): BackgroundActivity =>
    activity.type === "background-delta" || activity.type === "background-drop"
      ? { ...activity, text: String(redact(activity.text)) }
      : activity;
  const told = (text: TextInput): TextInput =>
    text.source === "background" ? { ...text, text: String(redact(text.text)) } : text;
  const { index, startMs, input, output, timing, background, inside } = turn;
  const audio = packExactly(input.audio);
  const speech = packForListening(output.speech);
  const { decision, text, heard, delegation, cancelled, unsaid, yielded, skipped, fence } = output;
  const { controls, dmel, expertLoad } = inside ?? {};
  return {
    ...{ index, startMs, timing },
    input: {
      ...(audio === undefined ? {} : { audio }),
      paddedSamples: input.paddedSamples,
      // The record may be changed or transferred; the trace must not notice.
      images: images ? input.images.map((image) => ({ ...image, data: image.data.slice() })) : [],
      text: input.text.map(told),
      ...(input.stale === undefined ? {} : { stale: input.stale.map(told) }),
      forceListen: input.forceListen,
      ...(input.played === undefined ? {} : { played: input.played }),
    },
    output: {
      ...{ decision, text, heard, yielded, skipped, fence },
      ...(delegation === undefined ? {} : { delegation: redactedDelegation(delegation, redact) }),
      ...(cancelled === undefined ? {} : { cancelled }),
      ...(unsaid === undefined ? {} : { unsaid: String(redact(unsaid.map(({ words }) => words).join(" "))) }),
      ...(speech === undefined ? {} : { speech }),
      speechFingerprint: fingerprint(output.speech),
    },
    ...(background === undefined ? {} : { background: background.map(wordsOf) }),
    ...(controls === undefined ? {} : { controls: controls.slice() }),
    ...(dmel === undefined ? {} : { dmel: dmel.slice() }),
    ...(expertLoad === undefined
      ? {}
      : { expertLoad: Uint8Array.from(expertLoad, (share) => Math.round(255 * Math.max(0, Math.min(1, share)))) }),
  };
}
