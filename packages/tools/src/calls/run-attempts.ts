// Tries a call as often as its rule allows, each try in the log before it begins.

import { type Clock, DuplexError } from "@microturn/core";
import type { GiveWay } from "../model/give-way.js";
import { describe } from "../schema/json-value.js";
import { orAborted, pause, settledWithin } from "../waiting.js";
import type { JournalCall } from "./call-journal.js";
import type { CallEnding } from "./call-request.js";
import { unknownEnding } from "./earlier-calls.js";
import type { OngoingCall } from "./ongoing-call.js";
import type { ReadTool } from "./read-tool.js";
import { type AttemptEnd, startAttempt } from "./run-attempt.js";

/** A tool that ignores its abort signal is waited for so long, ms; then it is left behind. */
export const leftBehindMs = 1000;
/** Longest pause between two tries, ms. */
const longestPauseMs = 30_000;

/**
 * Runs the tool of a call until it is done, or is not to be tried again: each pause is twice as long as the one before, and a
 * try that was given up has stopped before the next begins, if it does so within 1 s. A call that
 * was ended is not tried again, nor one without a sign of life, unless the rule's `when` asks for it. An irreversible one never is.
 *
 * @throws what appending to the log throws
 */
export async function runAttempts(
  call: OngoingCall,
  options: {
    readonly read: ReadTool;
    readonly input: unknown;
    readonly journalCall: JournalCall;
    readonly clock: Clock;
    readonly giveWay: GiveWay;
  },
): Promise<CallEnding> {
  const { read, input, journalCall, clock, giveWay } = options;
  const { tool, limits } = read;
  const { request, journal, signal } = call;
  const untilMs = clock.now() + limits.maxDurationMs;
  for (let n = 1; ; n++) {
    if (!signal.aborted) await journal.state(journalCall, "running", n);
    if (signal.aborted) return call.ended();
    call.begun = true;
    const attempt = startAttempt({
      tool,
      input,
      context: {
        toolCallId: request.call,
        idempotencyKey: `${request.job}/${request.call}`,
        conversation: request.conversation,
        delegation: request.delegation,
        attempt: journal.attempt(n),
      },
      outputSchema: read.output,
      maxResultBytes: limits.maxResultBytes,
      signal,
      clock,
      giveWay,
      timeoutMs: limits.timeoutMs,
      untilMs,
      name: request.name,
      onProgress: (text) => journal.progress(text),
    });
    call.settled = attempt.settled;
    const end = await attempt.end;
    if (journal.failure !== undefined) throw journal.failure.error;
    const pauseMs = Math.min(longestPauseMs, (tool.retry?.delayMs ?? 500) * 2 ** (n - 1));
    if (!isTriedAgain(call, end, n) || clock.now() + pauseMs >= untilMs) return endingOf(call, end);
    try {
      const stopped = settledWithin(call.settled, leftBehindMs, clock);
      await orAborted(Promise.all([pause(pauseMs, clock, signal), stopped]), signal);
    } catch {
      return call.ended();
    }
  }
}

function isTriedAgain({ tool, irreversible }: OngoingCall, end: AttemptEnd, n: number): boolean {
  const rule = tool?.retry;
  if (rule === undefined || irreversible || n >= rule.attempts) return false;
  if (end.type === "returned" || end.type === "aborted") return false;
  if (end.type === "timed-out" && (end.final || rule.when === undefined)) return false;
  try {
    return rule.when === undefined || rule.when(end.error);
  } catch {
    return false;
  }
}

/** Whether a tool that reached out says that it cannot tell: its server was lost in mid-call. */
function mayHaveRun(error: unknown): boolean {
  return DuplexError.is(error, "TOOL_FAILED") && error.details.mayHaveRun === true;
}

function endingOf(call: OngoingCall, end: AttemptEnd): CallEnding {
  switch (end.type) {
    case "returned":
      return { outcome: "done", result: end.value };
    case "threw":
      return call.irreversible && mayHaveRun(end.error)
        ? unknownEnding(describe(end.error))
        : { outcome: "failed", error: describe(end.error) };
    case "timed-out":
      return call.irreversible ? unknownEnding(end.error.message) : { outcome: "timed-out", error: end.error.message };
    case "aborted":
      return call.ended();
  }
}
