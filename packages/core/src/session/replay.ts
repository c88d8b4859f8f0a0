// Replays a trace through an engine and compares every bit that came out (rule 7).

import type { Engine, EngineSession, TurnInput, TurnOutput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { fingerprint, packForListening, type SessionTrace, type TraceTurn, traceAudio } from "./trace.js";

/** What a replay found. */
export interface ReplayReport {
  /** Micro-turns compared; all of the trace when it was the same (but for a last step that the trace does not hold whole). */
  readonly turns: number;
  /** Every compared field was the same, speech to the bit. */
  readonly same: boolean;
  /** The first field that was not. */
  readonly difference?: ReplayDifference;
}

/** The first thing that came out differently. */
export interface ReplayDifference {
  readonly turnIndex: number;
  /** `dmel` means that already the model's input differs: the codecs, not the model. */
  readonly field: "dmel" | "controls" | "decision" | "heard" | "text" | "delegation" | "unsaid" | "yielded" | "speech";
  /** The recorded value, in words. */
  readonly expected: string;
  /** What came out now. */
  readonly got: string;
}

/** Options of {@link replayTrace}. */
export interface ReplayOptions {
  readonly signal?: AbortSignal;
  /** Called after each micro-turn that was the same. */
  readonly onTurn?: (done: number, total: number) => void;
}

/**
 * Steps an engine through a trace, in the steps of the recorded session, and stops at the first difference.
 *
 * On the engine that recorded it, with the same model, backend and machine type, the result is the same to the bit if the
 * engine is `deterministic`; elsewhere the report says where it begins to differ.
 *
 * @throws DuplexError `TRACE_INVALID` if the trace has no beginning, its steps do not add up, or it is of an engine
 *   with another clock; `ABORTED`
 */
export async function replayTrace(
  trace: SessionTrace,
  engine: Engine,
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  const { header, turns } = trace;
  const { signal, onTurn } = options;
  if (header.firstTurn !== 0) {
    throw invalid(
      `expected a trace from micro-turn 0 on, this one begins at ${header.firstTurn}: record from the start`,
    );
  }
  const session = await engine.open({
    seed: header.seed,
    temperature: header.temperature,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    checkClock(trace, session);
    let from = 0;
    while (from < turns.length) {
      if (signal?.aborted)
        throw new DuplexError("ABORTED", "replayTrace: its signal was aborted", { cause: signal.reason });
      const { stepTurns } = turns[from].timing;
      const step = turns.slice(from, from + stepTurns);
      if (step.length < stepTurns) break; // the trace was cut off inside a merged step
      const last = step[stepTurns - 1];
      if (step.some((turn) => turn.timing.stepTurns !== stepTurns || (turn !== last && !turn.output.skipped))) {
        throw invalid(
          `expected micro-turns ${turns[from].index} to ${last.index} to be one step: the trace was altered`,
        );
      }
      const output = await session.step(stepInput(trace, step));
      const difference = compare(last, output);
      if (difference !== undefined) return { turns: from, same: false, difference };
      from += stepTurns;
      onTurn?.(from, turns.length);
    }
    return { turns: from, same: true };
  } finally {
    await session.close();
  }
}

function checkClock({ header }: SessionTrace, { capabilities }: EngineSession): void {
  for (const name of ["turnDurationMs", "inputSampleRate", "outputSampleRate"] as const) {
    if (header[name] !== capabilities[name]) {
      throw invalid(`expected an engine with ${name} ${header[name]}, got ${capabilities[name]}`);
    }
  }
}

function stepInput({ header }: SessionTrace, step: readonly TraceTurn[]): TurnInput {
  const samples = Math.round((header.inputSampleRate * header.turnDurationMs) / 1000);
  const audio = new Float32Array(step.length * samples);
  step.forEach((turn, i) => {
    audio.set(traceAudio(turn.input.audio, samples), i * samples);
  });
  const last = step[step.length - 1];
  return {
    index: last.index,
    turns: step.length,
    audio,
    images: step.flatMap((turn) => turn.input.images),
    // Numbers of results and names of delegations belong to the session, and say nothing to another.
    text: step.flatMap((turn) => turn.input.text.map(({ delivery: _, delegation: __, ...text }) => text)),
    forceListen: last.input.forceListen,
    ...(last.input.played === undefined ? {} : { played: last.input.played }),
  };
}

function compare(turn: TraceTurn, output: TurnOutput): ReplayDifference | undefined {
  const { inside } = output;
  const expected = turn.output;
  // A rewind cut this step: it is there for the engine's state, and what it gave was not kept.
  if (expected.skipped) return undefined;
  const pairs: [ReplayDifference["field"], string | undefined, string | undefined][] = [
    ["dmel", turn.dmel?.join(" "), inside?.dmel?.join(" ")],
    ["controls", turn.controls?.join(" "), inside?.controls?.join(" ")],
    ["decision", expected.decision, output.decision],
    ["heard", expected.heard, output.heard],
    ["text", expected.text, output.text],
    ["delegation", expected.delegation?.task ?? "", output.delegation?.task ?? ""],
    ["unsaid", expected.unsaid ?? "", (output.unsaid ?? []).map(({ words }) => words).join(" ")],
    ["yielded", String(expected.yielded), String(output.yielded === true && !turn.input.forceListen)],
  ];
  for (const [field, before, now] of pairs) {
    if (before !== undefined && now !== undefined && before !== now) {
      return { turnIndex: turn.index, field, expected: before, got: now };
    }
  }
  const print = fingerprint(output.speech);
  if (print === expected.speechFingerprint) return undefined;
  const far = furthest(expected.speech, packForListening(output.speech), output.speech.length);
  return {
    turnIndex: turn.index,
    field: "speech",
    expected: expected.speechFingerprint,
    got: `${print} (at most ${far}/32768 apart)`,
  };
}

function furthest(a: Int16Array | undefined, b: Int16Array | undefined, samples: number): number {
  let most = 0;
  for (let i = 0; i < samples; i++) most = Math.max(most, Math.abs((a?.[i] ?? 0) - (b?.[i] ?? 0)));
  return most;
}

function invalid(problem: string): DuplexError {
  return new DuplexError("TRACE_INVALID", `replayTrace: ${problem}`);
}
