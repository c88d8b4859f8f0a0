// Jobs in this process under the suite. Its worker cannot die without the test, so that a crash is a handler that throws in the
// middle of what it does, and a worker that is taken over is a try that goes on after it was given up.

import { codeOf } from "@microturn/core/testing";
import type { JobQueue, JobRun } from "@microturn/tools";
import { localJobs } from "@microturn/tools/worker";
import type { QueueBench, QueueOptions, QueueUnderTest } from "./queue-under-test.js";
import { scriptedHandler } from "./scripted-handler.js";

/**
 * `localJobs` as the suite wants it.
 *
 * @param between - what a test of the suite puts between the queue and its user
 * @param tries - what it puts between a try and the handler
 */
export function localQueue(
  between: (queue: JobQueue) => JobQueue = (queue) => queue,
  tries: (run: JobRun) => JobRun = (run) => run,
): QueueUnderTest {
  return { name: "localJobs", durable: false, start: async (options) => new LocalBench(options, between, tries) };
}

class LocalBench implements QueueBench {
  readonly queue: JobQueue;
  readonly #paused = new Map<string, { readonly run: JobRun; readonly die: (error: Error) => void }>();
  readonly #frozen = new Map<string, JobRun>();
  readonly #told = new Map<string, string[]>();
  readonly #crashed = new Set<JobRun>();
  readonly #running = new Set<JobRun>();
  #work: () => void = () => {};

  constructor(
    { attempts, held }: QueueOptions,
    between: (queue: JobQueue) => JobQueue,
    tries: (run: JobRun) => JobRun,
  ) {
    const worked = new Promise<void>((resolve) => {
      this.#work = resolve;
    });
    if (!held) this.#work();
    this.queue = between(
      localJobs(
        async (given) => {
          await worked;
          const run = tries(given);
          this.#running.add(run);
          try {
            await this.#handler(run)(run);
          } finally {
            this.#running.delete(run);
          }
        },
        { attempts, retryDelayMs: 0 },
      ),
    );
  }

  get paused(): ReadonlySet<string> {
    return new Set(this.#paused.keys());
  }

  another(): JobQueue {
    throw new Error("jobs in this process have one queue");
  }

  async work(): Promise<void> {
    this.#work();
  }

  told(id: string): readonly string[] {
    return this.#told.get(id) ?? [];
  }

  async crash(): Promise<void> {
    for (const run of this.#running) this.#crashed.add(run);
    for (const { die } of this.#paused.values()) die(new Error("the worker has crashed"));
    this.#paused.clear();
  }

  async freeze(): Promise<void> {
    for (const [id, { run }] of this.#paused) this.#frozen.set(id, run);
    await this.crash();
  }

  thaw(id: string): Promise<string> {
    const run = this.#frozen.get(id);
    if (run === undefined) throw new Error(`${id} is not frozen`);
    return codeOf(run.append({ type: "delta", text: "from a try that was taken over" }));
  }

  close(): Promise<void> {
    return this.queue.close();
  }

  #handler(run: JobRun) {
    return scriptedHandler({
      pause: ({ job }) =>
        new Promise((_, die) => {
          this.#paused.set(job.id, { run, die });
        }),
      tell: (id, text) => {
        if (this.#crashed.has(run)) throw new Error("the worker has crashed");
        this.#told.set(id, [...this.told(id), text]);
      },
    });
  }
}
