// A queue that is made when it is first needed.

import { DuplexError } from "@microturn/core";
import type { Job, JobMessage, JobQueue, LoggedEvent } from "./job.js";

/** Stands for the queue that `make` gives; a failure to make it is tried again by the next who needs it. */
export class LazyJobs implements JobQueue {
  readonly #make: () => Promise<JobQueue>;
  #made: Promise<JobQueue> | undefined;
  #closed = false;

  constructor(make: () => Promise<JobQueue>) {
    this.#make = make;
  }

  /** Makes it. @throws whatever `make` throws; DuplexError `SESSION_CLOSED` */
  load(): Promise<JobQueue> {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", "jobs: the queue was closed; make another");
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  async submit(job: Job): Promise<void> {
    await (await this.load()).submit(job);
  }

  async *follow(
    id: string,
    options?: { readonly from?: number; readonly signal?: AbortSignal },
  ): AsyncIterable<LoggedEvent> {
    yield* (await this.load()).follow(id, options);
  }

  async send(id: string, message: JobMessage): Promise<void> {
    await (await this.load()).send(id, message);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#made?.catch(() => undefined))?.close();
  }
}
