// One try of a call: the tool runs against its time limits and the signal of the call. Whatever comes first decides; what the
// tool does after that is swallowed.

import { type Clock, DuplexError } from "@microturn/core";
import type { GiveWay } from "../model/give-way.js";
import { fitResult } from "../schema/fit-result.js";
import type { ReadSchema } from "../schema/read-schema.js";
import type { Tool, ToolContext } from "../tool.js";
import { TimeLimit, type TimeLimitReached } from "./time-limit.js";

/** How one try ended. */
export type AttemptEnd =
  | { readonly type: "returned"; readonly value: unknown }
  | { readonly type: "threw"; readonly error: unknown }
  /** `final`: the time for the call as a whole is over. */
  | { readonly type: "timed-out"; readonly error: DuplexError; readonly final: boolean }
  | { readonly type: "aborted" };

/** A try that has begun. */
export interface Attempt {
  /** Never rejects. */
  readonly end: Promise<AttemptEnd>;
  /** Resolves when the tool has really stopped, which may be never. */
  readonly settled: Promise<void>;
}

/** What a try needs. */
export interface AttemptOptions {
  readonly tool: Tool;
  readonly input: unknown;
  readonly context: Omit<ToolContext, "abortSignal" | "progress" | "messages">;
  readonly outputSchema: ReadSchema | undefined;
  readonly maxResultBytes: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly giveWay: GiveWay;
  readonly timeoutMs: number;
  /** When the call as a whole must be over, on the clock. */
  readonly untilMs: number;
  readonly name: string;
  readonly onProgress: (text: string) => void;
}

/** Begins a try. The signal must not have fired. */
export function startAttempt(options: AttemptOptions): Attempt {
  const { signal, name, timeoutMs, clock } = options;
  const abort = new AbortController();
  let over = false;
  let tell: (end: AttemptEnd) => void = () => {};
  const end = new Promise<AttemptEnd>((resolve) => {
    tell = resolve;
  });
  const finish = (how: AttemptEnd, reason?: unknown) => {
    if (over) return;
    over = true;
    limit.stop();
    signal.removeEventListener("abort", onAbort);
    tell(how);
    if (how.type === "aborted" || how.type === "timed-out") abort.abort(reason);
  };
  const onAbort = () => finish({ type: "aborted" }, signal.reason);
  const onReached = (reached: TimeLimitReached) => {
    const final = reached === "duration";
    const what = final
      ? "was not done in the longest time that it may take"
      : `gave no sign of life for ${timeoutMs} ms`;
    const error = new DuplexError("TOOL_FAILED", `${name}: the call ${what}`, { details: { timedOut: true } });
    finish({ type: "timed-out", error, final }, error);
  };
  let limit = new TimeLimit({ clock, timeoutMs, untilMs: options.untilMs, onReached });
  signal.addEventListener("abort", onAbort, { once: true });
  const context: ToolContext = {
    ...options.context,
    messages: [],
    abortSignal: abort.signal,
    progress(text) {
      if (over) return;
      limit.signOfLife();
      options.onProgress(String(text));
    },
  };
  /** The tool is done: that its result waits is none of its time. */
  const giveWay = async () => {
    const way = options.giveWay();
    if (way === undefined) return;
    limit.stop();
    const sinceMs = clock.now();
    await way;
    if (over) return;
    limit = new TimeLimit({ clock, timeoutMs, untilMs: options.untilMs + clock.now() - sinceMs, onReached });
  };
  const settled = runTool(options, context, { signOfLife: () => limit.signOfLife(), giveWay }).then(
    (value) => finish({ type: "returned", value }),
    (error: unknown) => finish({ type: "threw", error }),
  );
  return { end, settled };
}

async function runTool(
  options: AttemptOptions,
  context: ToolContext,
  { signOfLife, giveWay }: { readonly signOfLife: () => void; readonly giveWay: () => Promise<void> },
): Promise<unknown> {
  const { tool, input, name, outputSchema, maxResultBytes } = options;
  const given: unknown = await tool.execute?.(input, context);
  const value = isAsyncIterable(given) ? await lastOf(given, context.abortSignal, signOfLife) : given;
  await giveWay();
  if (context.abortSignal.aborted) return undefined; // nobody looks at it
  const result = await fitResult(value, { schema: outputSchema, maxBytes: maxResultBytes });
  if (result.ok) return result.value;
  throw new DuplexError("TOOL_FAILED", `${name}: it ran, but its result cannot be used: ${result.problem}`);
}

/** The last value; those before it are only signs of life. An abort asks the iterable to end, and waits for nothing. */
async function lastOf(values: AsyncIterable<unknown>, signal: AbortSignal, signOfLife: () => void): Promise<unknown> {
  const iterator = values[Symbol.asyncIterator]();
  const stop = () => void (async () => iterator.return?.())().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  let last: unknown;
  while (!signal.aborted) {
    const next = await iterator.next();
    if (next.done === true) break;
    last = next.value;
    signOfLife();
  }
  signal.removeEventListener("abort", stop);
  return last;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
