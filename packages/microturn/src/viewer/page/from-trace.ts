// From a trace to what the page draws: joins the sound, places it in time, names the stages.

import { type SessionTrace, type TraceTurn, traceAudio } from "@microturn/core";
import { backgroundOf } from "./background-from-trace.js";
import type { SessionView, Span, TurnView } from "./session-view.js";

/**
 * Builds the view of a trace. The output of micro-turn n sounds during micro-turn n + 1, and that is where the page shows
 * the assistant's voice; words stay in the micro-turn that gave them.
 */
export function viewOfTrace({ header, turns: records }: SessionTrace): SessionView {
  const turnMs = header.turnDurationMs;
  const inputTurn = Math.round((header.inputSampleRate * turnMs) / 1000);
  const outputTurn = Math.round((header.outputSampleRate * turnMs) / 1000);
  const user = new Float32Array(records.length * inputTurn);
  const assistant = new Float32Array((records.length + 1) * outputTurn);
  const turns = records.map((record, i): TurnView => {
    const { input, output, timing } = record;
    if (input.audio !== undefined) {
      user.set(traceAudio(input.audio, inputTurn).subarray(0, inputTurn), i * inputTurn);
    }
    if (output.speech !== undefined) {
      assistant.set(traceAudio(output.speech, outputTurn).subarray(0, outputTurn), (i + 1) * outputTurn);
    }
    return {
      index: i,
      decision: output.decision,
      heard: output.heard,
      said: output.text,
      typed: input.text.map((piece) => piece.text),
      images: input.images.length,
      ...(output.delegation === undefined ? {} : { delegation: output.delegation.task }),
      late: timing.late,
      yielded: output.yielded,
      skipped: output.skipped,
      merged: timing.stepTurns,
      stages: output.skipped ? [] : stagesOf(record),
      ...(output.skipped ? {} : { slackMs: timing.slackMs }),
      ...(record.controls === undefined ? {} : { controls: record.controls }),
      ...expertsOf(record, header.experts),
    };
  });
  const background = backgroundOf(records, turnMs);
  return {
    title: header.engine === undefined ? "Microturn session" : `Session with ${header.engine.model}`,
    facts: factsOf(header),
    turnMs,
    durationMs: (records.length + 1) * turnMs,
    user: { sampleRate: header.inputSampleRate, samples: user },
    assistant: { sampleRate: header.outputSampleRate, samples: assistant },
    turns,
    delegations: background === undefined ? delegationSpans(records, turnMs) : [],
    ...(background === undefined ? {} : { background }),
    ...(header.experts === undefined ? {} : { expertShape: header.experts }),
  };
}

function factsOf(header: SessionTrace["header"]): SessionView["facts"] {
  const facts = [
    { name: "runs on", value: header.engine?.backend ?? "unknown" },
    { name: "pace", value: header.pace === "realtime" ? `real time, ${header.deadline}` : "as fast as it goes" },
    { name: "seed", value: String(header.seed) },
    { name: "temperature", value: String(header.temperature) },
    { name: "opened", value: header.startedAt.replace("T", " ").replace(/\.\d+Z$/, " UTC") },
  ];
  if (header.firstTurn > 0) facts.push({ name: "from micro-turn", value: String(header.firstTurn) });
  if (header.truncated) facts.push({ name: "recording", value: "stopped at its limit" });
  return facts;
}

function expertsOf(record: TraceTurn, shape: SessionTrace["header"]["experts"]): { experts?: Float32Array } {
  if (shape === undefined || record.expertLoad?.length !== shape[0] * shape[1]) return {};
  return { experts: Float32Array.from(record.expertLoad, (share) => share / 255) };
}

function stagesOf({ timing }: TraceTurn): TurnView["stages"] {
  return [
    { name: "encode", ms: timing.encodeMs },
    { name: "wait", ms: timing.waitMs },
    { name: "model", ms: timing.runMs },
    { name: "decode", ms: timing.decodeMs },
    { name: "session", ms: timing.sessionMs },
  ];
}

/** From each delegation to the micro-turn in which the background's next text entered, or to the end. */
function delegationSpans(records: readonly TraceTurn[], turnMs: number): Span[] {
  const spans: Span[] = [];
  records.forEach((record, i) => {
    const task = record.output.delegation?.task;
    if (task === undefined) return;
    const back = records.findIndex(
      (later, j) => j > i && later.input.text.some((text) => text.source === "background"),
    );
    spans.push({
      startMs: (i + 1) * turnMs,
      endMs: (back < 0 ? records.length : back) * turnMs,
      label: task === "" ? "background" : task,
    });
  });
  return spans;
}
