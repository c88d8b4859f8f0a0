// Thousands of random calls with faults of every kind, and the promises that must hold for each of them.

import { DuplexError } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { CallResult, JobEvent } from "../jobs/job.js";
import type { Tool, ToolContext, ToolSet } from "../tool.js";
import { canonicalJson } from "./call-key.js";
import type { CallRequest } from "./call-request.js";
import { CallTable } from "./call-table.js";

const runs = 100;
const callsOfRun = 40;
const overall = 4;

/** xorshift32: enough for choices in a test. */
function seeded(seed: number) {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    chance: (share: number) => next() < share,
    below: (limit: number) => Math.floor(next() * limit),
    of: <Value>(values: readonly Value[]): Value => values[Math.floor(next() * values.length)] as Value,
  };
}

interface Asked {
  readonly request: CallRequest;
  readonly abort: AbortController;
  settled: number;
  result: CallResult | undefined;
  error: unknown;
}

interface Job {
  readonly id: string;
  readonly conversation: string;
  readonly log: JobEvent[];
  /** Of the process that works on it. */
  process: { alive: boolean };
  readonly asked: Map<string, { name: string; given: unknown }>;
}

/** One run: an application, its tools, and processes that may crash. */
class RandomRun {
  readonly random: ReturnType<typeof seeded>;
  /** Of the tools and the user; that of the tables is looked at for timers that are left. */
  readonly world = new FakeClock();
  clock = new FakeClock();
  readonly tools: ToolSet;
  readonly jobs: Job[];
  readonly problems: string[] = [];
  readonly approved = new Set<string>();
  readonly executed = new Map<string, number>();
  readonly keys = new Map<string, string>();
  readonly counts = { calls: 0, executions: 0, crashes: 0, outcomes: new Map<string, number>() };
  executing = new Set<{ name: string; abortedAtMs: number | undefined; process: { alive: boolean } }>();
  process = { alive: true };
  table: CallTable;
  asked: Asked[] = [];
  all: Asked[] = [];

  constructor(seed: number) {
    this.random = seeded(seed);
    this.tools = Object.fromEntries(
      [
        ...(["allow", "reject", "replace", "join"] as const).flatMap((duplicates) => [
          [`plain_${duplicates}`, this.#tool({ duplicates })],
          [`pay_${duplicates}`, this.#tool({ duplicates, irreversible: true })],
        ]),
        ["retried", this.#tool({ retry: { attempts: 3, delayMs: 50, when: () => this.random.chance(0.8) } })],
        ["single", this.#tool({ concurrency: 1 })],
        ["latest", this.#tool({ duplicates: "replace", key: () => "" })],
        ["asks", this.#tool({ needsApproval: ({ n }: { n: number }) => n % 2 === 0 })],
      ].map(([name, make]) => [name, (make as (name: string) => Tool)(name as string)]),
    );
    this.jobs = Array.from({ length: 4 }, (_, n) => ({
      id: `job${n}`,
      conversation: `conversation${n % 2}`,
      log: [],
      process: this.process,
      asked: new Map(),
    }));
    this.table = this.#makeTable();
  }

  #makeTable(): CallTable {
    return new CallTable({
      tools: this.tools,
      concurrency: overall,
      clock: this.clock,
      allow: ({ arguments: given }) => ((given as { n: number }).n === 7 ? "seven is not allowed" : true),
    });
  }

  #tool(more: Partial<Tool>) {
    return (name: string): Tool => ({
      inputSchema: z.object({ n: z.number() }),
      outputSchema: z.object({ ok: z.boolean() }),
      timeoutMs: 400,
      maxDurationMs: 1500,
      ...more,
      execute: ((input: { n: number }, context: ToolContext) => this.#execute(name, input, context)) as never,
    });
  }

  /** What a tool does, well or badly. */
  #execute(name: string, input: { n: number }, context: ToolContext): unknown {
    const { random, process } = this;
    this.counts.executions++;
    if (!process.alive) this.problems.push(`${name} began in a process that is dead`);
    const job = this.jobs.find((one) => context.idempotencyKey.startsWith(`${one.id}/`));
    const begun = job?.log.some(
      (event) =>
        event.type === "call" &&
        event.call === context.toolCallId &&
        event.state === "running" &&
        event.attempt === context.attempt,
    );
    if (begun !== true) this.problems.push(`${name} ran before the log had it`);
    const place = `${job?.id} ${name} ${canonicalJson(input)}`;
    if (this.tools[name]?.irreversible) {
      const times = (this.executed.get(place) ?? 0) + 1;
      this.executed.set(place, times);
      if (times > 1) this.problems.push(`${place} was run ${times} times`);
    }
    const needed = this.tools[name]?.irreversible || (name === "asks" && input.n % 2 === 0);
    if (needed && !this.approved.has(`${job?.id} ${context.toolCallId}`))
      this.problems.push(`${place} ran without approval`);
    const key = this.keys.get(`${job?.id} ${context.toolCallId}`);
    if (key !== undefined && key !== context.idempotencyKey) this.problems.push("the idempotency key changed");
    this.keys.set(`${job?.id} ${context.toolCallId}`, context.idempotencyKey);

    const mine = { name, abortedAtMs: undefined as number | undefined, process };
    this.executing.add(mine);
    context.abortSignal.addEventListener("abort", () => {
      mine.abortedAtMs = this.clock.now();
    });
    this.#checkLimits();
    const end = <Value>(value: Value): Value => {
      this.executing.delete(mine);
      return value;
    };
    const after = (ms: number, deaf = false) =>
      new Promise<void>((resolve, reject) => {
        const cancel = this.world.setTimer(resolve, this.world.now() + ms);
        if (deaf) return;
        context.abortSignal.addEventListener("abort", () => {
          cancel();
          this.executing.delete(mine);
          reject(context.abortSignal.reason);
        });
      });
    const ms = random.below(600);
    switch (random.below(11)) {
      case 0:
        end(0);
        throw new Error("at once");
      case 1:
        return after(ms).then(() => {
          end(0);
          throw new Error("later");
        });
      case 2: // never settles, and does not listen
        return new Promise(() => {});
      case 3: // hangs until it is told
        return after(1e9);
      case 4:
        return after(ms).then(() => end({ ok: true, text: "x".repeat(10_000_000) }));
      case 5:
        return after(ms).then(() => end({ ok: "yes" }));
      case 6: // does not listen, and answers late
        return after(ms * 4, true).then(() => end({ ok: true }));
      case 7: {
        const yields = random.below(5);
        return (async function* () {
          for (let n = 0; n < yields; n++) {
            await after(300);
            yield { ok: false };
          }
          yield end({ ok: true });
        })();
      }
      case 8: // chatty
        return (async () => {
          for (let n = 0; n < 5; n++) {
            await after(250);
            for (let m = 0; m < 20; m++) context.progress(`at ${n}.${m}`);
          }
          return end({ ok: true });
        })();
      case 9:
        return end({ ok: true });
      default:
        return after(ms).then(() => end({ ok: true }));
    }
  }

  /** Tools left behind for more than a second count no more. */
  #checkLimits(): void {
    const nowMs = this.clock.now();
    const counted = [...this.executing].filter(
      (one) => one.process === this.process && (one.abortedAtMs === undefined || nowMs < one.abortedAtMs + 1000),
    );
    if (counted.length > overall) this.problems.push(`${counted.length} ran at once`);
    if (counted.filter((one) => one.name === "single").length > 1) this.problems.push("two of `single` ran at once");
    if (this.table.running > overall) this.problems.push(`${this.table.running} slots of ${overall}`);
  }

  ask(job: Job, call: string, name: string, given: unknown): void {
    const { random, process } = this;
    job.asked.set(call, { name, given });
    const abort = new AbortController();
    const log = random.chance(0.5) ? job.log : [...job.log];
    const pausing = random.chance(0.3);
    const append = async (event: JobEvent) => {
      if (pausing)
        await new Promise<void>((resolve) => this.world.setTimer(resolve, this.world.now() + random.below(100)));
      if (!process.alive) throw new DuplexError("ABORTED", "this try is over");
      job.log.push(structuredClone(event));
    };
    const approval: CallRequest["approval"] = (state) =>
      new Promise((answer, fail) => {
        const told = job.log.some(
          (event) => event.type === "call" && event.call === state.call && event.state === "awaiting-approval",
        );
        if (!told) this.problems.push("approval was asked for before the log had it");
        if (random.chance(0.1)) return; // nobody ever answers
        this.world.setTimer(() => {
          const kind = random.below(10);
          if (kind < 7) {
            this.approved.add(`${job.id} ${state.call}`);
            answer({ approved: true });
          } else if (kind < 9) answer({ approved: false, reason: "no" });
          else fail(new Error("nobody there"));
        }, this.world.now() + random.below(800));
      });
    const request: CallRequest = {
      job: job.id,
      conversation: job.conversation,
      delegation: "delegation",
      call,
      name,
      arguments: given,
      signal: abort.signal,
      append,
      approval,
      log,
    };
    const asked: Asked = { request, abort, settled: 0, result: undefined, error: undefined };
    this.asked.push(asked);
    this.all.push(asked);
    this.table.call(request).then(
      (result) => {
        asked.settled++;
        asked.result = result;
      },
      (error: unknown) => {
        asked.settled++;
        asked.error = error;
        if (process.alive) this.problems.push(`rejected with ${error}`);
      },
    );
  }

  async pass(ms: number, stepMs = 25): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.world.advance(stepMs);
      await this.clock.advance(stepMs);
      this.#checkLimits();
    }
  }

  /** The process dies with all that it holds; another goes on from the logs. */
  async crash(): Promise<void> {
    this.counts.crashes++;
    this.process.alive = false;
    for (const { abort } of this.asked) abort.abort(new Error("the process died"));
    const old = this.table;
    const closing = old.close();
    await this.pass(200);
    this.process = { alive: true };
    this.clock = new FakeClock();
    this.table = this.#makeTable();
    this.asked = [];
    void closing;
    for (const job of this.jobs) {
      for (const [call, { name, given }] of job.asked) {
        const over = job.log.some((event) => event.type === "result" && event.call === call);
        if (!over || this.random.chance(0.1)) this.ask(job, call, name, given);
      }
    }
  }

  async run(): Promise<void> {
    const { random } = this;
    const names = Object.keys(this.tools);
    for (let n = 0; n < callsOfRun; n++) {
      const given = random.chance(0.03) ? '{"n":' : random.chance(0.03) ? { n: "x" } : { n: random.below(8) };
      this.ask(random.of(this.jobs), `call${n}`, random.chance(0.02) ? "unknown" : random.of(names), given);
      if (random.chance(0.15)) this.table.cancel(`call${random.below(n + 1)}`, "cancelled by the test");
      if (random.chance(0.1)) random.of(this.asked).abort.abort("aborted by the test");
      if (random.chance(0.02)) await this.crash();
      if (random.chance(0.6)) await this.pass(random.below(300));
    }
    if (random.chance(0.5)) await this.pass(5000, 100);
    let closed = false;
    this.table.close().then(() => {
      closed = true;
    });
    await this.pass(7000, 100);
    if (!closed) this.problems.push("close did not resolve");
    const executions = this.counts.executions;
    this.ask(this.jobs[0] as Job, "late", names[0] as string, { n: 0 });
    await this.pass(5000, 100);
    if (this.counts.executions !== executions) this.problems.push("something ran after close");
    if (this.table.running !== 0) this.problems.push(`${this.table.running} slots are taken after close`);
    if (this.clock.pending !== 0) this.problems.push(`${this.clock.pending} timers are left`);
    this.#checkEnds();
  }

  #checkEnds(): void {
    for (const { request, settled, result, error } of this.all) {
      if (settled !== 1) this.problems.push(`${request.call} settled ${settled} times`);
      if (error !== undefined) continue;
      const job = this.jobs.find((one) => one.id === request.job) as Job;
      const logged = job.log.filter((event) => event.type === "result" && event.call === request.call);
      if (logged.length !== 1) this.problems.push(`${request.call} has ${logged.length} results`);
      const { type: _, ...first } = (logged[0] ?? { type: "result" }) as JobEvent & { type: "result" };
      if (canonicalJson(first) !== canonicalJson(result)) this.problems.push(`${request.call}: log and result differ`);
      const outcome = result?.outcome ?? "none";
      this.counts.outcomes.set(outcome, (this.counts.outcomes.get(outcome) ?? 0) + 1);
      if ((outcome === "done") === (result?.error !== undefined))
        this.problems.push(`${outcome} with error ${result?.error}`);
    }
    for (const job of this.jobs) {
      for (const call of job.asked.keys()) {
        const events = job.log.filter((event) => "call" in event && event.call === call);
        if (events.at(-1)?.type !== "result") this.problems.push(`${call} goes on after its result`);
      }
    }
    this.counts.calls = this.all.length;
  }
}

describe("random calls", () => {
  it(`keep every promise in ${runs} runs of ${callsOfRun} calls with faults, crashes among them`, async () => {
    const total = { calls: 0, executions: 0, crashes: 0 };
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= runs; seed++) {
      const run = new RandomRun(seed);
      await run.run();
      expect(run.problems, `seed ${seed}`).toEqual([]);
      total.calls += run.counts.calls;
      total.executions += run.counts.executions;
      total.crashes += run.counts.crashes;
      for (const [outcome, count] of run.counts.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    }
    // The faults were really there.
    expect(total.calls).toBeGreaterThan(runs * callsOfRun);
    expect(total.crashes).toBeGreaterThan(runs / 4);
    expect(total.executions).toBeGreaterThan(total.calls / 4);
    for (const outcome of ["done", "failed", "timed-out", "cancelled", "rejected", "unknown"]) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(runs / 4);
    }
  });
});
