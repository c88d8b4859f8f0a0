// Worker processes that die: each does jobs of a queue on Redis by the plans of their runs, and kills itself where a plan says so.
// The bench kills others at random, and starts a new one for each that has died.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@microturn/core";
import type { JobEvent, JobHandler } from "@microturn/tools";
import { bullmqWorker } from "@microturn/tools/bullmq";
import { delegationHandler } from "@microturn/tools/worker";
import { faultModel } from "./fault-model.js";
import { type DelegationPlan, type FaultPlan, faultPlan, type KillPoint } from "./fault-plan.js";
import { callsOf } from "./fault-run.js";
import { faultTools, Ledger } from "./fault-tools.js";
import { known } from "./fault-worlds.js";
import type { SeededRandom } from "./seeded-random.js";

/** What a worker process is told. */
export interface WorkerSettings {
  readonly connection: string;
  readonly queue: string;
  /** Where ledgers are. */
  readonly folder: string;
}

/** The ledger of a run. */
export function ledgerOf(folder: string, run: string): Ledger {
  return new Ledger(join(folder, `${run}.executions`));
}

/** Short, so that a job is taken over soon. */
const times = { lockMs: 1500, stalledMs: 400, retryDelayMs: 20 };
const jobsAtOnce = 4;

/** Worker processes, as many as are asked for, whatever becomes of them. */
export class KilledWorkers {
  readonly #settings: WorkerSettings;
  readonly #children = new Set<ChildProcess>();
  readonly #working = new Set<ChildProcess>();
  #closing = false;
  /** Processes that were killed. */
  kills = 0;
  /** How others ended that should not have. */
  readonly deaths: string[] = [];

  constructor(settings: WorkerSettings, count: number) {
    this.#settings = settings;
    for (let i = 0; i < count; i++) this.#start();
  }

  /** Kills one of them that takes jobs, if there is one. */
  killOne(random: SeededRandom): void {
    if (this.#working.size === 0) return;
    const child = random.pick([...this.#working]);
    this.#working.delete(child);
    child.kill("SIGKILL");
  }

  async close(): Promise<void> {
    this.#closing = true;
    const ended = [...this.#children].map((child) => once(child, "exit"));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ended);
  }

  #start(): void {
    const child = fork(fileURLToPath(import.meta.url), [workerFlag, JSON.stringify(this.#settings)]);
    this.#children.add(child);
    child.on("message", () => this.#working.add(child));
    child.on("exit", (code, signal) => {
      this.#children.delete(child);
      this.#working.delete(child);
      if (this.#closing) return;
      if (signal === "SIGKILL") this.kills++;
      else this.deaths.push(`a worker ended by itself: ${signal ?? `code ${code}`}`);
      this.#start();
    });
  }
}

/** What is known of a run in a worker. */
interface KnownRun {
  readonly plan: FaultPlan;
  readonly ledger: Ledger;
  readonly calls: ReturnType<typeof callsOf>;
  readonly delegations: ReadonlyMap<string, DelegationPlan>;
}

class Worker {
  readonly #settings: WorkerSettings;
  readonly #runs = new Map<string, KnownRun>();
  /** Deaths while a tool works, by delegation. */
  readonly #tools = new Map<string, () => void>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  async work(): Promise<void> {
    const { connection, queue } = this.#settings;
    // The limits are the same in every plan of the kind.
    const { limits } = faultPlan("killed-0");
    const clock = systemClock;
    const handler = delegationHandler({
      clock,
      stallMs: limits.stallMs,
      concurrency: 4 * jobsAtOnce,
      model: faultModel({
        clock,
        find: (id) => {
          const { delegations, plan } = this.#run(id);
          return { delegation: known(delegations, id), partMs: plan.partMs };
        },
      }),
      tools: faultTools(
        {
          clock,
          find: (subject) => {
            const { calls, ledger } = this.#run(subject);
            return { call: known(calls, subject), ledger };
          },
          begun: ({ delegation }) => this.#tools.get(delegation)?.(),
        },
        limits,
      ),
    });
    await handler.load();
    const worker = bullmqWorker({
      ...{ connection, queue, ...times },
      handler: this.#mortal(handler),
      // Tries are used up by the deaths of others, too.
      attempts: 1000,
      concurrency: jobsAtOnce,
    });
    await worker.ready;
    process.send?.("working");
  }

  /** The run that something is of, by its name. */
  #run(of: string): KnownRun {
    const name = of.slice(0, of.lastIndexOf("-"));
    let run = this.#runs.get(name);
    if (run === undefined) {
      const plan = faultPlan(name);
      const delegations = new Map([...plan.delegations, plan.last].map((one) => [one.id, one]));
      run = { plan, delegations, calls: callsOf(plan), ledger: ledgerOf(this.#settings.folder, name) };
      this.#runs.set(name, run);
    }
    return run;
  }

  /** A handler that dies where the plan of its job says so: at one point after the other, in one try after the other. */
  #mortal(handler: JobHandler): JobHandler {
    return async (run) => {
      const { id } = run.job.delegation;
      const point = this.#nextPoint(id);
      const die = () => this.#die(id);
      const timer = point?.at === "time" ? setTimeout(die, point.ms) : undefined;
      if (point?.at === "tool") this.#tools.set(id, die);
      let seen = 0;
      const isHere = (event: JobEvent, at: "before" | "after") =>
        point?.at === at && point.event === event.type && seen === point.n;
      try {
        await handler({
          ...run,
          append: async (event) => {
            if (event.type === (point as { readonly event?: string } | undefined)?.event) seen++;
            if (isHere(event, "before")) die();
            await run.append(event);
            if (isHere(event, "after")) die();
          },
        });
      } finally {
        clearTimeout(timer);
        this.#tools.delete(id);
      }
    };
  }

  #nextPoint(id: string): KillPoint | undefined {
    const path = this.#deathsOf(id);
    const died = existsSync(path) ? readFileSync(path, "utf8").length : 0;
    return known(this.#run(id).delegations, id).kills[died];
  }

  #die(id: string): void {
    appendFileSync(this.#deathsOf(id), "x");
    process.kill(process.pid, "SIGKILL");
    // It is under way; nothing more is done until it comes.
    for (;;);
  }

  #deathsOf(id: string): string {
    return join(this.#settings.folder, `${id}.deaths`);
  }
}

const workerFlag = "--killed-worker";

// As the child: what it works on is its argument.
if (process.argv[2] === workerFlag && process.send !== undefined) {
  process.on("disconnect", () => process.exit());
  await new Worker(JSON.parse(process.argv[3] as string) as WorkerSettings).work();
}
