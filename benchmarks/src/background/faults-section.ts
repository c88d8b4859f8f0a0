// What goes wrong in the background, a thousand times at random: tools and providers that fail in every way, processes that are
// killed, sessions that break off. What must hold in each run is in fault-verdict.ts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@microturn/core";
import { bullmqJobs } from "@microturn/tools/bullmq";
import { type PrivateRedis, redisMissing, startRedis } from "../../../conformance/src/jobs/private-redis.js";
import { type BenchContext, benchEngine } from "../model.js";
import type { BenchGoal, BenchRow, BenchSection } from "../report.js";
import { type FaultKind, faultKinds, faultPlan } from "./fault-plan.js";
import { playFaultRun } from "./fault-run.js";
import { Ledger } from "./fault-tools.js";
import type { Problem, RunRecord } from "./fault-verdict.js";
import { fakeWorld, localWork, type OpenWorld, readingEngine, realWorld } from "./fault-worlds.js";
import { KilledWorkers, ledgerOf } from "./killed-workers.js";
import { SeededRandom } from "./seeded-random.js";
import { utterances } from "./simulated-talk.js";

/** Runs of each kind: in all, and in a short bench. */
const counts: Readonly<Record<FaultKind, readonly [all: number, quick: number]>> = {
  throws: [85, 3],
  hangs: [85, 3],
  huge: [85, 3],
  misshapen: [85, 3],
  drops: [85, 3],
  limits: [85, 3],
  reconnects: [85, 3],
  duplicates: [85, 3],
  cancels: [85, 3],
  mixed: [95, 4],
  mini: [20, 1],
  killed: [120, 8],
};

/** One run alone, such as `hangs-17`. */
const alone = "MICROTURN_FAULT_RUN";
const killedAtOnce = 12;
const workerProcesses = 6;
/** Of the runs: while one is played, the bench kills a process at random besides. */
const killedBesides = 0.5;
const miniAtOnce = 4;

interface Counted {
  runs: number;
  delegations: number;
  calls: number;
  irreversible: number;
  entered: number;
  readonly outcomes: Record<string, number>;
  readonly problems: Record<Problem["type"], number>;
}

/** Randomised faults. */
export async function faultsSection(context: BenchContext): Promise<BenchSection> {
  const bench = new FaultBench(context);
  try {
    return await bench.section();
  } finally {
    bench.close();
  }
}

class FaultBench {
  readonly #context: BenchContext;
  readonly #folder = mkdtempSync(join(tmpdir(), "microturn-faults-"));
  readonly #counted = new Map<FaultKind, Counted>();
  readonly #failed: { readonly run: string; readonly problems: readonly Problem[] }[] = [];
  /** Rejections and errors that nobody handled, with the run in which they came to light. */
  readonly #unhandled: string[] = [];
  readonly #onUnhandled = (error: unknown) => this.#unhandled.push(`${this.#current}: ${error}`);
  readonly #names: readonly string[];
  #current = "";
  #kills = 0;
  #leftOut: string | undefined;

  constructor(context: BenchContext) {
    this.#context = context;
    const only = process.env[alone];
    this.#names = only === undefined ? allNames(context.quick) : only.split(",");
    process.on("unhandledRejection", this.#onUnhandled);
    process.on("uncaughtException", this.#onUnhandled);
  }

  close(): void {
    process.off("unhandledRejection", this.#onUnhandled);
    process.off("uncaughtException", this.#onUnhandled);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async section(): Promise<BenchSection> {
    const of = (kind: FaultKind) => this.#names.filter((name) => name.startsWith(`${kind}-`));
    const before = resources();
    for (const name of this.#names.filter((name) => !/^(mini|killed)-/.test(name))) await this.#playFake(name);
    await this.#playMini(of("mini"));
    await this.#playKilled(of("killed"));
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const left = resources().filter((name) => !removeOne(before, name));
    return this.#report(left);
  }

  async #playFake(name: string): Promise<void> {
    this.#current = name;
    const plan = faultPlan(name);
    const world = fakeWorld(plan, new Ledger(join(this.#folder, `${name}.executions`)));
    await this.#play(name, world);
  }

  async #playMini(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    this.#current = "mini";
    const engine = benchEngine(this.#context, { maxSessions: 2 * miniAtOnce });
    await engine.load();
    const voice = await userVoice();
    await atOnce(miniAtOnce, names, (name) => {
      const plan = faultPlan(name);
      const ledger = new Ledger(join(this.#folder, `${name}.executions`));
      const jobs = localWork(plan, ledger, systemClock);
      return this.#play(name, realWorld({ engine, jobs, ledger, voice, turnMs: 10, maxTurns: 3000 }), jobs);
    });
    await engine.close();
  }

  async #playKilled(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    this.#leftOut = redisMissing();
    if (this.#leftOut !== undefined) return;
    this.#current = "killed";
    const redis = await startRedis();
    try {
      await this.#playOn(redis, names);
    } finally {
      await redis.stop();
    }
  }

  async #playOn({ url: connection }: PrivateRedis, names: readonly string[]): Promise<void> {
    const queue = "faults";
    const jobs = bullmqJobs({ connection, queue });
    const workers = new KilledWorkers({ connection, queue, folder: this.#folder }, workerProcesses);
    const random = new SeededRandom(names.length);
    try {
      await atOnce(killedAtOnce, names, (name) => {
        const plan = faultPlan(name);
        const { engine, onTurn } = readingEngine(plan.readsFor);
        const ledger = ledgerOf(this.#folder, name);
        if (random.chance(killedBesides)) setTimeout(() => workers.killOne(random), random.between(0, 3000));
        return this.#play(name, realWorld({ engine, onTurn, jobs, ledger, turnMs: 25, maxTurns: 6000 }));
      });
    } finally {
      await workers.close();
      await jobs.close();
    }
    this.#kills = workers.kills;
    for (const text of workers.deaths) this.#failed.push({ run: "killed", problems: [{ type: "other", text }] });
  }

  /** @param held - what is closed after the run */
  async #play(name: string, world: OpenWorld, held?: { close(): Promise<void> }): Promise<void> {
    const plan = faultPlan(name);
    const unhandled = this.#unhandled.length;
    const record = await playFaultRun(plan, world);
    await held?.close();
    const left = await world.close();
    const problems = [...record.problems];
    if (left !== undefined) problems.push({ type: "other", text: left });
    for (const text of this.#unhandled.slice(unhandled)) problems.push({ type: "other", text });
    this.#count(plan.kind, record, problems);
    if (problems.length > 0) {
      this.#failed.push({ run: name, problems });
      const told = problems.map(({ type, text }) => `\n  ${type}: ${text}`).join("");
      process.stderr.write(`\nbackground-faults: ${name} failed (play it again with ${alone}=${name})${told}\n`);
    }
    const done = [...this.#counted.values()].reduce((sum, { runs }) => sum + runs, 0);
    this.#context.say(`${done} of ${this.#names.length} runs (${name})`);
  }

  #count(kind: FaultKind, record: RunRecord, problems: readonly Problem[]): void {
    const counted = this.#counted.get(kind) ?? nothingCounted();
    this.#counted.set(kind, counted);
    counted.runs++;
    counted.delegations += record.asked.length;
    counted.irreversible += record.executions.length;
    counted.entered += record.entered.length;
    for (const log of record.logs.values()) {
      for (const event of log) {
        if (event.type !== "result") continue;
        counted.calls++;
        counted.outcomes[event.outcome] = (counted.outcomes[event.outcome] ?? 0) + 1;
      }
    }
    for (const { type } of problems) counted.problems[type]++;
  }

  #report(left: readonly string[]): BenchSection {
    const all = [...this.#counted.values()];
    const sum = (of: (counted: Counted) => number) => all.reduce((total, counted) => total + of(counted), 0);
    const of = (type: Problem["type"]) => sum(({ problems }) => problems[type]);
    const runs = sum((counted) => counted.runs);
    const stopped = new Set(
      this.#failed.filter(({ problems }) => problems.some(({ type }) => type === "stopped")).map(({ run }) => run),
    );
    const rows = (Object.keys(faultKinds) as FaultKind[]).flatMap((kind): BenchRow[] => {
      const counted = this.#counted.get(kind);
      if (counted === undefined) return [];
      const { delegations, calls, irreversible, outcomes, problems } = counted;
      const note = `${delegations} delegations, ${calls} calls (${inWords(outcomes)}), ${irreversible} times irreversible`;
      const bad = Object.values(problems).reduce((total, count) => total + count, 0);
      return [{ name: faultKinds[kind], value: `${counted.runs} runs`, note: `${note}; ${bad} problems` }];
    });
    const killed = this.#leftOut ?? `${this.#kills} processes killed`;
    const other = of("other") + of("unapproved");
    const deaths = this.#failed.filter(({ run }) => run === "killed").length;
    const goal = (name: string, count: number): BenchGoal => ({
      ...{ name, value: `${count}`, goal: "0", held: count === 0 },
    });
    return {
      title: `Faults of the background in ${runs} randomised runs`,
      rows: [
        ...rows,
        { name: "worker processes", value: killed },
        { name: "left behind", value: left.length === 0 ? "nothing" : left.join(", ") },
        {
          name: "runs that failed",
          value: `${this.#failed.length}`,
          note: this.#failed.length === 0 ? "" : `${alone}=${this.#failed.map(({ run }) => run).join(",")}`,
        },
      ],
      goals: [
        goal("calls, delegations and words lost or doubled", of("lost")),
        goal("run twice though irreversible", of("twice")),
        {
          name: "runs in which the conversation went on",
          value: `${runs - stopped.size} of ${runs}`,
          goal: "all",
          held: stopped.size === 0 && runs === this.#names.length,
        },
        goal("unhandled errors, timers and handles left, and other problems", other + left.length + deaths),
      ],
      figures: { runs, kills: this.#kills, byKind: Object.fromEntries(this.#counted), failed: this.#failed, left },
    };
  }
}

function allNames(quick: boolean): string[] {
  return (Object.keys(counts) as FaultKind[]).flatMap((kind) =>
    Array.from({ length: counts[kind][quick ? 1 : 0] }, (_, i) => `${kind}-${i + 1}`),
  );
}

function nothingCounted(): Counted {
  return {
    ...{ runs: 0, delegations: 0, calls: 0, irreversible: 0, entered: 0, outcomes: {} },
    problems: { lost: 0, twice: 0, unapproved: 0, stopped: 0, other: 0 },
  };
}

function inWords(outcomes: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  return sorted.map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}

/** Plays several at a time. */
async function atOnce(limit: number, names: readonly string[], play: (name: string) => Promise<void>): Promise<void> {
  const waiting = [...names];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await play(name);
  };
  await Promise.all(Array.from({ length: Math.min(limit, names.length) }, worker));
}

/** What keeps the process alive now. */
function resources(): string[] {
  return process.getActiveResourcesInfo();
}

function removeOne(from: string[], name: string): boolean {
  const at = from.indexOf(name);
  if (at >= 0) from.splice(at, 1);
  return at >= 0;
}

/** Somebody who says one thing after the other. */
async function userVoice(): Promise<(turn: number) => Float32Array> {
  const words = await utterances();
  const sound = Float32Array.from(words.flatMap((one) => [...one]));
  const turns = Math.floor(sound.length / 3200);
  return (turn) => sound.subarray((turn % turns) * 3200, ((turn % turns) + 1) * 3200);
}
