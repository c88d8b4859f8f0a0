// One call of a tool of an MCP server: with our limits instead of the SDK's 60 seconds, its progress passed on, and every way
// in which it can end told apart. What the server says in an error is quoted, for it is read by a model.

import { DuplexError } from "@microturn/core";
import {
  type CallToolResult,
  type Client,
  type Progress,
  ProtocolError,
  SdkError,
  SdkErrorCode,
  type Tool as ServerTool,
} from "@modelcontextprotocol/client";
import type { ToolContext } from "../tool.js";
import { connectionLostCode } from "./http-transport.js";
import { oneLine, quoted } from "./server-text.js";
import { contentText, toolResult } from "./tool-result.js";

/**
 * Where the key of the call is in the `_meta` of its request. MCP has no field for it (a proposal, SEP-3182, was closed), so that
 * only a server that knows this one drops what it has done already.
 */
export const idempotencyKeyField = "microturn/idempotencyKey";

/** Most that is passed on of the server's words about a failure (less than half of what a log keeps of an error), and about its progress. */
const maxErrorChars = 900;
const maxProgressChars = 200;
/** A server may tell its progress a thousand times a second; as a sign of life a few are enough. */
const progressEveryMs = 250;
/** How much longer than ours the SDK's own limit is, so that ours is the one that ends a call. */
const graceMs = 10_000;
const longestTimerMs = 2 ** 31 - 1;

/**
 * Calls a tool.
 *
 * @param definition - as it was when it was listed: the result is checked against its `outputSchema`, whatever the server says now
 * @param maxDurationMs - of the call in all; the caller's abort signal keeps the shorter limits
 * @returns its structured value, or its text
 * @throws DuplexError `TOOL_FAILED`; `details.mayHaveRun` says whether something may have happened all the same
 * @throws the reason of `context.abortSignal` once that fires; the server is told
 */
export async function callTool(
  client: Client,
  definition: ServerTool,
  maxDurationMs: number,
  input: unknown,
  context: ToolContext,
): Promise<unknown> {
  const { name } = definition;
  context.abortSignal.throwIfAborted();
  if (client.transport === undefined) {
    throw new DuplexError(
      "TOOL_FAILED",
      `${name}: expected a connection to its MCP server, but it is closed; nothing was done. Connect to the server anew`,
      { details: { tool: name, mayHaveRun: false } },
    );
  }
  const timeout = Math.min(maxDurationMs + graceMs, longestTimerMs);
  const report = progressReport(context);
  let result: CallToolResult;
  try {
    result = await client.callTool(
      {
        name,
        arguments: input as Record<string, unknown>,
        _meta: { [idempotencyKeyField]: context.idempotencyKey },
      },
      {
        signal: context.abortSignal,
        timeout,
        maxTotalTimeout: timeout,
        resetTimeoutOnProgress: true,
        onprogress: report.progress,
        toolDefinition: definition,
      },
    );
  } catch (error) {
    // The SDK wraps the reason; whoever ended the call knows it by itself.
    context.abortSignal.throwIfAborted();
    throw failure(name, error);
  } finally {
    report.end();
  }
  if (result.isError) {
    throw new DuplexError(
      "TOOL_FAILED",
      `${name}: its MCP server says that it failed: ${quoted(contentText(result.content), maxErrorChars)}`,
      { details: { tool: name, mayHaveRun: true } },
    );
  }
  return toolResult(result);
}

/** Passes progress on as words, not too often, and not once the call is over. */
function progressReport(context: ToolContext) {
  let over = false;
  let last = Number.NEGATIVE_INFINITY;
  return {
    progress(step: Progress): void {
      const now = performance.now();
      if (over || now - last < progressEveryMs) return;
      last = now;
      context.progress(progressText(step));
    },
    end() {
      over = true;
    },
  };
}

/** How far a call is, in words: what the server says of it, and the share that is done where it is known. */
export function progressText({ progress, total, message }: Progress): string {
  const words = oneLine(message, maxProgressChars);
  const share = total !== undefined && total > 0 ? Math.round((100 * progress) / total) : undefined;
  const percent = share === undefined || share < 0 || share > 100 ? undefined : `${share} %`;
  if (words !== "") return percent === undefined ? words : `${words} (${percent})`;
  return percent ?? `step ${progress}`;
}

function failure(name: string, error: unknown): DuplexError {
  const words = quoted(error instanceof Error ? error.message : String(error), maxErrorChars);
  const closed = error instanceof SdkError && error.code === SdkErrorCode.ConnectionClosed;
  if (closed || (error instanceof ProtocolError && error.code === connectionLostCode)) {
    return new DuplexError(
      "TOOL_FAILED",
      `${name}: expected an answer, but the connection to its MCP server closed while the call ran; whether it happened is not known. ` +
        "Look before it is done again, and connect to the server anew",
      { cause: error, details: { tool: name, mayHaveRun: true } },
    );
  }
  if (error instanceof ProtocolError) {
    return new DuplexError("TOOL_FAILED", `${name}: its MCP server, or what it gave, was not as agreed: ${words}`, {
      cause: error,
      details: { tool: name, mayHaveRun: true, mcpCode: error.code },
    });
  }
  return new DuplexError("TOOL_FAILED", `${name}: the call to its MCP server failed: ${words}`, {
    cause: error,
    details: { tool: name, mayHaveRun: true },
  });
}
