// BullMQ under the suite: a queue here, workers in processes that are killed and stopped by signals, and Redis between them.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JobQueue } from "@microturn/tools";
import { bullmqJobs } from "@microturn/tools/bullmq";
import { build } from "esbuild";
import { sourceAliases } from "../../../scripts/source-aliases.js";
import type { QueueBench, QueueOptions, QueueUnderTest } from "./queue-under-test.js";
import type { FromWorker, ToWorker } from "./worker-process.js";

/** Times that make a takeover short. */
export const shortTimes = { lockMs: 1000, stalledMs: 300 };

/** Makes the program of a worker from its sources, and starts as many as are asked for. */
export async function buildWorkers(): Promise<Workers> {
  const folder = new URL("../../dist/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const path = fileURLToPath(new URL(`job-worker-${process.pid}.mjs`, folder));
  await build({
    entryPoints: [fileURLToPath(new URL("./worker-process.ts", import.meta.url))],
    outfile: path,
    ...{ bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "error" },
    external: ["bullmq", "ioredis"],
    alias: { ...sourceAliases },
  });
  return new Workers(path);
}

/** Processes of workers. Those that have nothing to do wait for the next test, as a process takes a second to start. */
export class Workers {
  readonly #path: string;
  readonly #resting: WorkerChild[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  take(hear: (message: FromWorker) => void): WorkerChild {
    const child = this.#resting.pop() ?? new WorkerChild(this.#path);
    child.hear = hear;
    return child;
  }

  async putBack(child: WorkerChild): Promise<void> {
    child.hear = () => {};
    await child.rest();
    this.#resting.push(child);
  }

  async close(): Promise<void> {
    await Promise.all(this.#resting.map((child) => child.kill()));
    rmSync(this.#path, { force: true });
  }
}

/** `bullmqJobs` with `bullmqWorker` as the suite wants them. Each start has a queue of its own in the same Redis. */
export function bullmqQueue(redis: () => string, workers: () => Workers): QueueUnderTest {
  let count = 0;
  return {
    name: "bullmqJobs",
    durable: true,
    async start(options) {
      const bench = new BullmqBench(redis(), `suite-${count++}`, workers(), options);
      if (!options.held) await bench.work();
      return bench;
    },
  };
}

/** A worker in a process of its own. */
class WorkerChild {
  readonly process: ChildProcess;
  hear: (message: FromWorker) => void = () => {};
  readonly #loaded: Promise<unknown>;
  readonly #appended = new Map<string, (code: string) => void>();
  #answered: () => void = () => {};

  constructor(path: string) {
    this.process = fork(path, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#loaded = once(this.process, "message");
    this.process.on("message", (message: FromWorker) => {
      if (message.type === "working" || message.type === "resting") this.#answered();
      else if (message.type === "appended") this.#appended.get(message.id)?.(message.code);
      else this.hear(message);
    });
    this.process.on("error", () => {}); // A message to one that was killed.
  }

  work(options: Extract<ToWorker, { type: "work" }>["options"]): Promise<void> {
    return this.#ask({ type: "work", options });
  }

  /** Closes its worker. */
  rest(): Promise<void> {
    return this.#ask({ type: "rest" });
  }

  append(id: string): Promise<string> {
    return new Promise((resolve) => {
      this.#appended.set(id, resolve);
      this.#say({ type: "append", id });
    });
  }

  get dead(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  async kill(): Promise<void> {
    if (this.dead) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }

  async #ask(message: ToWorker): Promise<void> {
    await this.#loaded;
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    this.#say(message);
    await answered;
  }

  #say(message: ToWorker): void {
    this.process.send(message);
  }
}

class BullmqBench implements QueueBench {
  readonly queue: JobQueue;
  readonly paused = new Set<string>();
  readonly #told = new Map<string, string[]>();
  readonly #queues: JobQueue[] = [];
  readonly #options: { readonly connection: string; readonly queue: string };
  readonly #attempts: number;
  readonly #workers: Workers;
  #active: WorkerChild | undefined;
  #frozen: WorkerChild | undefined;

  constructor(connection: string, queue: string, workers: Workers, { attempts }: QueueOptions) {
    this.#options = { connection, queue };
    this.#attempts = attempts;
    this.#workers = workers;
    this.queue = this.another();
  }

  another(): JobQueue {
    const queue = bullmqJobs(this.#options);
    this.#queues.push(queue);
    return queue;
  }

  async work(): Promise<void> {
    this.#active = this.#workers.take((message) => {
      if (message.type === "paused") this.paused.add(message.id);
      if (message.type === "told") this.#told.set(message.id, [...this.told(message.id), message.text]);
    });
    await this.#active.work({ ...this.#options, ...shortTimes, attempts: this.#attempts, retryDelayMs: 10 });
  }

  told(id: string): readonly string[] {
    return this.#told.get(id) ?? [];
  }

  async crash(): Promise<void> {
    await this.#active?.kill();
    this.paused.clear();
    await this.work();
  }

  async freeze(): Promise<void> {
    this.#frozen = this.#active;
    this.#frozen?.process.kill("SIGSTOP");
    this.paused.clear();
    await this.work();
  }

  thaw(id: string): Promise<string> {
    const frozen = this.#frozen as WorkerChild;
    const appended = frozen.append(id);
    frozen.process.kill("SIGCONT");
    return appended;
  }

  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close()));
    await this.#frozen?.kill();
    if (this.#active !== undefined && !this.#active.dead) await this.#workers.putBack(this.#active);
  }
}
