// What the log of a job says of calls before this one, so that a try after a crash does nothing a second time.

import type { CallResult, JobEvent } from "../jobs/job.js";
import type { CallEnding } from "./call-request.js";

/** The result of this very call, if it has one. */
export function loggedResult(log: readonly JobEvent[], call: string): CallResult | undefined {
  for (const event of log) {
    if (event.type !== "result" || event.call !== call) continue;
    const { type: _, ...result } = event;
    return result;
  }
  return undefined;
}

/**
 * What became of an irreversible call that began already, under this id or another with the same key: its ending, or `unknown` if
 * the log breaks off after it began.
 *
 * @returns undefined if none began, or it was ended before its tool was called
 */
export function earlierEnding(
  log: readonly JobEvent[],
  call: { readonly id: string; readonly key: string },
): CallEnding | undefined {
  const begun = new Set<string>();
  for (const event of log) {
    if (event.type !== "call" || event.state !== "running") continue;
    if (event.key === call.key || event.call === call.id) begun.add(event.call);
  }
  for (const id of begun) {
    const result = loggedResult(log, id);
    if (result === undefined) return unknownEnding("it began, and the log breaks off there");
    if (result.outcome === "cancelled") continue;
    const { call: _, name: __, ...ending } = result;
    return ending;
  }
  return undefined;
}

/** Of an irreversible call that began and was not seen to end. */
export function unknownEnding(why: string): CallEnding {
  return { outcome: "unknown", error: `${why}; whether it happened cannot be told, and it is not tried again` };
}
