// The tools of a run. What each call does, well or badly, is in its plan; those that cannot be undone leave a line in a file before
// they do anything else, so that it can be counted afterwards how often they ran, whoever died meanwhile.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { type Clock, DuplexError } from "@microturn/core";
import { type Tool, type ToolContext, type ToolSet, tool } from "@microturn/tools";
import { z } from "zod";
import { type CallPlan, irreversibleTools, type RunLimits, type ToolName, toolNames } from "./fault-plan.js";

/** One execution of an irreversible tool. */
export interface Execution {
  readonly tool: ToolName;
  readonly subject: string;
  readonly delegation: string;
  readonly idempotencyKey: string;
}

/** A file of executions. */
export class Ledger {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  write(execution: Execution): void {
    appendFileSync(this.#path, `${JSON.stringify(execution)}\n`);
  }

  read(): Execution[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Execution);
  }
}

/** What the tools need from the run that they are part of. */
export interface ToolHost {
  readonly clock: Clock;
  /** The plan of a call, and the ledger of its run. */
  find(subject: string): { readonly call: CallPlan; readonly ledger: Ledger };
  /** The tool has begun, and done what it does; it may die here. */
  begun?(context: ToolContext): void;
}

const input = z.object({ subject: z.string() });
const output = z.object({ subject: z.string(), note: z.string() });

/** What one tool is, besides what all are. */
const traits: Readonly<Record<ToolName, Partial<Tool>>> = {
  look: {},
  join: { duplicates: "join" },
  single: { duplicates: "reject", concurrency: 1 },
  replace: { duplicates: "replace" },
  retry: {},
  spoken: { progress: "spoken" },
  book: { irreversible: true },
  pay: { irreversible: true, duplicates: "join" },
};

/** Makes the tools. */
export function faultTools(host: ToolHost, limits: RunLimits): ToolSet {
  const made = toolNames.map((name) => {
    const one = tool({
      description: `Does what the plan says of ${name}.`,
      inputSchema: input,
      outputSchema: output,
      timeoutMs: limits.toolTimeoutMs,
      maxDurationMs: limits.toolDurationMs,
      ...traits[name],
      ...(name === "retry" ? { retry: { attempts: 3, delayMs: limits.retryMs, when: () => true } } : {}),
      execute: ({ subject }, context) => execute(host, name, subject, context) as never,
    });
    return [name, one] as const;
  });
  return Object.fromEntries(made);
}

function execute(host: ToolHost, name: ToolName, subject: string, context: ToolContext): unknown {
  const { call, ledger } = host.find(subject);
  if (irreversibleTools.includes(name)) {
    const { delegation, idempotencyKey } = context;
    ledger.write({ tool: name, subject, delegation, idempotencyKey });
  }
  host.begun?.(context);
  const fails = call.fault !== undefined && context.attempt <= call.failures;
  // Half of those that throw do so before they have given a promise.
  if (fails && call.fault === "throws" && call.way % 2 === 0) throw thrown(call.way >> 1);
  return work(host.clock, call, fails, context);
}

async function work(clock: Clock, call: CallPlan, fails: boolean, context: ToolContext): Promise<unknown> {
  const { subject, signs, durationMs, fault, way } = call;
  for (let sign = 1; sign <= signs; sign++) {
    await pause(clock, durationMs / (signs + 1), call, context);
    context.progress(`So far ${sign} of ${signs}.`);
  }
  await pause(clock, durationMs / (signs + 1), call, context);
  if (!fails) return { subject, note: "x".repeat(way) };
  switch (fault) {
    case "throws":
      throw thrown(way >> 1);
    case "hangs":
      return hang(clock, call, context);
    case "huge":
      return huge(subject, way);
    default:
      return misshapen(subject, way);
  }
}

/** Everything that is thrown by somebody. */
function thrown(way: number): unknown {
  const hostile = {
    get message(): string {
      throw new Error("the message throws as well");
    },
  };
  const all: readonly unknown[] = [
    new Error("the service is down"),
    undefined,
    null,
    "x".repeat(1_000_000),
    { code: 7n },
    new DuplexError("ABORTED", "the tool says that it was aborted"),
    new DOMException("aborted", "AbortError"),
    Object.assign(new Error(""), { cause: new Error("deep") }),
    hostile,
  ];
  return all[way % all.length];
}

/** Never comes to an end, silently or with signs of life; or only when it is told to. */
function hang(clock: Clock, { deaf, way }: CallPlan, { abortSignal, progress }: ToolContext): unknown {
  return new Promise((_, reject) => {
    let stopTimer = () => {};
    const sign = () => {
      progress("So far nothing.");
      stopTimer = clock.setTimer(sign, clock.now() + 150);
    };
    if (way % 3 === 0) sign();
    const stop = () => {
      stopTimer();
      if (!deaf) reject(abortSignal.reason);
    };
    if (abortSignal.aborted) stop();
    else abortSignal.addEventListener("abort", stop, { once: true });
  });
}

const megabytes = 10_000_000;

function huge(subject: string, way: number): unknown {
  const all: readonly (() => unknown)[] = [
    () => ({ subject, note: "x".repeat(megabytes) }),
    () => "y".repeat(megabytes),
    () => ({ subject, note: "", more: new Uint8Array(megabytes) }),
    () => ({ subject, note: "é".repeat(megabytes / 2) }),
    () => ({ subject, note: "", list: new Array(megabytes / 4).fill(1) }),
  ];
  return all[way % all.length]?.();
}

function misshapen(subject: string, way: number): unknown {
  const circular: Record<string, unknown> = { subject, note: "" };
  circular.self = circular;
  const hostile = {
    subject,
    get note(): string {
      throw new Error("the note throws");
    },
  };
  const all: readonly unknown[] = [
    undefined,
    7,
    "a text",
    { subject: 7, note: "" },
    { subject },
    { subject, note: 12n },
    { subject, note: () => subject },
    [subject, ""],
    Number.NaN,
    hostile,
    new Proxy({ subject, note: "" }, { ownKeys: () => ["subject", "subject"] }),
    { toJSON: () => "no" },
    { ...circular, note: circular },
  ];
  return all[way % all.length];
}

function pause(clock: Clock, ms: number, { deaf }: CallPlan, { abortSignal }: ToolContext): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      stopTimer();
      reject(abortSignal.reason);
    };
    const stopTimer = clock.setTimer(() => {
      abortSignal.removeEventListener("abort", stop);
      resolve();
    }, clock.now() + ms);
    if (deaf) return;
    if (abortSignal.aborted) stop();
    else abortSignal.addEventListener("abort", stop, { once: true });
  });
}
