// What a tool gets with a call, as the background gives it; for tests that call a tool without one.

import type { ToolContext } from "../../tool.js";

/** A call with a record of its progress. */
export function toolContext(abortSignal: AbortSignal = new AbortController().signal): ToolContext & {
  readonly told: readonly string[];
} {
  const told: string[] = [];
  return {
    toolCallId: "call-1",
    abortSignal,
    idempotencyKey: "conversation-1/delegation-1/call-1",
    conversation: "conversation-1",
    delegation: "delegation-1",
    attempt: 1,
    progress: (text) => void told.push(text),
    messages: [],
    told,
  };
}
