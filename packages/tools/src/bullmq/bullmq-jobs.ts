// Jobs on Redis, as a session sees them: submit, follow, send. Workers do them in other processes (bullmq-worker.ts), and a job
// goes on when the session, its server, or a worker is gone.

import { Queue } from "bullmq";
import type { Job, JobMessage, JobQueue, LoggedEvent } from "../jobs/job.js";
import { inRange, queueClosed } from "../jobs/log-limits.js";
import { bullmqId, checkTimes, JobStore } from "./job-store.js";
import { Notices } from "./notices.js";
import { type RedisAddress, RedisLink } from "./redis-link.js";

/** Options of {@link bullmqJobs}. */
export interface BullmqJobsOptions {
  /** Where Redis is. It wants `maxmemory-policy noeviction`, as BullMQ does. */
  readonly connection: RedisAddress;
  /** Name of the queue, the same for its workers, without ":"; default `microturn`. */
  readonly queue?: string;
  /** What the keys in Redis begin with, the same for its workers; default `bull`, as of BullMQ. */
  readonly prefix?: string;
  /** How long a job that is over can still be followed, ms; then Redis forgets all of it. Default 600 000. */
  readonly keepMs?: number;
  /** After this time without a sign of life, such as without any worker, a job is forgotten, ms; default 86 400 000. */
  readonly maxIdleMs?: number;
  /** Longest time of `submit` and `send` while Redis does not answer, ms; default 5000. */
  readonly submitMs?: number;
  /** How long `follow` waits for Redis to come back before it fails, ms; default 60 000. */
  readonly maxAwayMs?: number;
}

/** How often a follower looks by itself, in case a notice was lost, ms. */
const lookMs = 2000;
/** How often a follower of a log that stands still asks whether BullMQ still has the job, ms. */
const doubtMs = 10_000;

/**
 * Jobs on Redis by BullMQ. They outlive this process; {@link bullmqWorker} does them.
 *
 * Redis holds what is said and done in clear: the conversation, arguments and results. Nothing of it is left when a job has been
 * over for `keepMs`.
 *
 * While Redis is away `submit` and `send` fail after `submitMs`, and followers wait for `maxAwayMs` and go on where they were.
 * One that failed by time may have been kept after all; submitting the job again is harmless.
 *
 * @throws RangeError, TypeError if an option cannot be used
 * @example
 * const jobs = bullmqJobs({ connection: "redis://localhost:6379" });
 */
export function bullmqJobs(options: BullmqJobsOptions): JobQueue {
  return new BullmqJobs(options);
}

class BullmqJobs implements JobQueue {
  readonly #options: Required<BullmqJobsOptions>;
  readonly #link: RedisLink;
  readonly #store: JobStore;
  #bullmq: Queue | undefined;
  #notices: Notices | undefined;
  #closed = false;

  constructor(options: BullmqJobsOptions) {
    this.#options = {
      ...{
        queue: "microturn",
        prefix: "bull",
        keepMs: 600_000,
        maxIdleMs: 86_400_000,
        submitMs: 5000,
        maxAwayMs: 60_000,
      },
      ...options,
    };
    const { keepMs, maxIdleMs, submitMs, maxAwayMs } = this.#options;
    checkTimes({ keepMs, maxIdleMs, submitMs, maxAwayMs });
    this.#link = new RedisLink(options.connection);
    this.#store = new JobStore(this.#link, this.#options.prefix, this.#options.queue);
  }

  async submit(job: Job): Promise<void> {
    const { keepMs, maxIdleMs, submitMs } = this.#options;
    const untilMs = performance.now() + submitMs;
    this.#checkOpen("submit");
    const known = await this.#store.submit(job, keepMs, maxIdleMs, { limitMs: submitMs });
    if (known === "over") return;
    // Also for one that is known: whoever submitted it may have died before this, and BullMQ takes an id once only.
    await this.#link.call("submit", () => this.#enqueue(job.id), { limitMs: Math.max(1, untilMs - performance.now()) });
  }

  async *follow(
    id: string,
    { from = 0, signal: given }: { readonly from?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    inRange("from", from, 0);
    // One of its own: the same signal may stop many followers, and Node warns of more than ten listeners.
    const signal = given === undefined ? undefined : AbortSignal.any([given]);
    signal?.throwIfAborted();
    this.#checkOpen("follow");
    const limit = { limitMs: this.#options.maxAwayMs, signal };
    this.#notices ??= new Notices(this.#options.connection);
    const notice = this.#notices.open(this.#store.logChannel(id));
    try {
      let quietSinceMs = performance.now();
      for (let index = from; ; ) {
        const { rings } = notice.bell;
        const { events, over } = await this.#store.read(id, index, limit);
        for (const logged of events) {
          yield logged;
          signal?.throwIfAborted();
          index = logged.index + 1;
        }
        if (over) return;
        this.#checkOpen("follow");
        if (events.length > 0) {
          quietSinceMs = performance.now();
          continue;
        }
        await notice.bell.wait(rings, { signal, timeoutMs: lookMs });
        signal?.throwIfAborted();
        this.#checkOpen("follow");
        if (performance.now() - quietSinceMs > doubtMs) {
          await this.#store.endIfAbandoned(id, limit);
          quietSinceMs = performance.now();
        }
      }
    } finally {
      notice.close();
    }
  }

  async send(id: string, message: JobMessage): Promise<void> {
    this.#checkOpen("send");
    await this.#store.send(id, message, { limitMs: this.#options.submitMs });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.close();
    this.#notices?.close();
    // Its connection is the link's; what it still waits for was told that this is closed.
    await this.#bullmq?.close().catch(() => {});
  }

  async #enqueue(id: string): Promise<void> {
    const queue = this.#queue();
    try {
      await queue.add(
        "delegation",
        {},
        {
          jobId: bullmqId(id),
          // How often a job is tried is counted in its own state, with the tries whose workers died.
          attempts: 1_000_000,
          backoff: { type: "microturn" },
          removeOnComplete: true,
          removeOnFail: true,
          stackTraceLimit: 0,
        },
      );
    } catch (error) {
      // One whose connection broke while it began does not come back.
      this.#bullmq = undefined;
      queue.close().catch(() => {});
      throw error;
    }
  }

  #queue(): Queue {
    if (this.#bullmq === undefined) {
      const { queue, prefix } = this.#options;
      this.#bullmq = new Queue(queue, { connection: this.#link.redis, prefix, streams: { events: { maxLen: 100 } } });
      this.#bullmq.on("error", () => {}); // Told by the call that fails of it.
    }
    return this.#bullmq;
  }

  #checkOpen(operation: string): void {
    if (this.#closed) throw queueClosed(operation);
  }
}
