// What a call gave, as language models see it: one JSON value, in which text of the tool is quoted and cannot be taken for anything else.

import type { CallResult } from "../jobs/job.js";

/** How a call ended. */
export type EndedCall = Pick<CallResult, "outcome" | "result" | "error">;

/** @param given - arguments of the call, for a model that has not made it */
export function resultJson(
  tool: string,
  { outcome, result = null, error = outcome }: EndedCall,
  given?: unknown,
): string {
  return JSON.stringify({ tool, arguments: given, outcome, ...(outcome === "done" ? { result } : { error }) });
}
