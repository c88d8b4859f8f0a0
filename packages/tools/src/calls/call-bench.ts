// A table on a clock that tests move, with jobs whose logs they read. For tests only.

import { FakeClock, settled } from "@microturn/core/testing";
import { z } from "zod";
import type { CallResult, CallState, JobEvent } from "../jobs/job.js";
import type { Tool, ToolSet } from "../tool.js";
import type { Approval, CallRequest } from "./call-request.js";
import { CallTable, type CallTableOptions } from "./call-table.js";

/** What a test may say of a call; the rest is made up. */
export type Ask = Partial<CallRequest>;

/** A table and what was asked of it. */
export class CallBench {
  readonly clock = new FakeClock();
  readonly table: CallTable;
  /** By job. */
  readonly logs = new Map<string, JobEvent[]>();
  /** Calls that wait for approval. */
  readonly asked: { readonly state: CallState; answer(approval: Approval): void }[] = [];
  #ids = 0;

  constructor(tools: ToolSet, options: Omit<CallTableOptions, "tools" | "clock"> = {}) {
    this.table = new CallTable({ tools, clock: this.clock, ...options });
  }

  /** The log of a job; the first is called "job". */
  log(job = "job"): JobEvent[] {
    const log = this.logs.get(job) ?? [];
    this.logs.set(job, log);
    return log;
  }

  /** Asks for a call, and lets happen what can happen without time. */
  async ask(name: string, given: unknown = {}, more: Ask = {}): Promise<AskedFor> {
    const log = this.log(more.job);
    const result = this.table.call({
      job: "job",
      conversation: "conversation",
      delegation: "delegation",
      call: `call-${++this.#ids}`,
      name,
      arguments: given,
      signal: new AbortController().signal,
      append: async (event) => {
        log.push(structuredClone(event));
      },
      approval: (state) => new Promise((answer) => this.asked.push({ state, answer })),
      log,
      ...more,
    });
    const asked = new AskedFor(result);
    await settled();
    return asked;
  }

  /** What the log has of a call, in a word each: "queued running result". */
  told(call: string, job = "job"): string {
    const words: string[] = [];
    for (const event of this.log(job)) {
      if (!("call" in event) || event.call !== call) continue;
      words.push(event.type === "call" ? event.state : event.type);
    }
    return words.join(" ");
  }
}

/** A call that was asked for. */
export class AskedFor {
  /** Its result, once it has one. */
  result: CallResult | undefined;
  /** What the call rejected with. */
  error: unknown;

  constructor(result: Promise<CallResult>) {
    result.then(
      (value) => {
        this.result = value;
      },
      (error: unknown) => {
        this.error = error;
      },
    );
  }

  get outcome(): string {
    return this.result?.outcome ?? "none yet";
  }
}

/** A tool that takes anything, and ends when the test says so. */
export function heldTool(more: Partial<Tool> = {}) {
  const calls: {
    input: unknown;
    context: Parameters<NonNullable<Tool["execute"]>>[1];
    give(value: unknown): void;
    fail(error: unknown): void;
  }[] = [];
  const tool: Tool = {
    inputSchema: z.looseObject({}),
    execute: (input, context) =>
      new Promise((give, fail) => {
        calls.push({ input, context, give, fail });
      }),
    ...more,
  };
  return { tool, calls };
}
