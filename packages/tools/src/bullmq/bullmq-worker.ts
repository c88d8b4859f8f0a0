// A worker that does the jobs of a queue on Redis. BullMQ hands them out, keeps a lock on each while its worker lives, and hands
// a job out again when the lock has run out: at least once. What makes it once is the log, with a fence that only the present
// try passes.

import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { DuplexError, systemClock } from "@microturn/core";
import { type Job as BullmqJob, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { JobEvent, JobHandler } from "../jobs/job.js";
import { failureText, JobTry, retryPauseMs, tryFailed } from "../jobs/job-try.js";
import { inRange, type LogLimits, logLimits } from "../jobs/log-limits.js";
import { settledWithin } from "../waiting.js";
import { checkTimes, JobStore, jobIdOf } from "./job-store.js";
import { LogAppender, redisIsAway, whyLost } from "./log-appender.js";
import { Notices } from "./notices.js";
import { openRedis, type RedisAddress, RedisLink } from "./redis-link.js";

/** Options of {@link bullmqWorker}. */
export interface BullmqWorkerOptions extends Partial<LogLimits> {
  /** Where Redis is. */
  readonly connection: RedisAddress;
  /** Name of the queue; default `microturn`. */
  readonly queue?: string;
  /** What the keys in Redis begin with; default `bull`. */
  readonly prefix?: string;
  /** Does the jobs. */
  readonly handler: JobHandler;
  /** Jobs at once, those that wait for somebody's approval included; default 8. */
  readonly concurrency?: number;
  /** A worker that has not been heard of for so long has lost its jobs, ms; it is heard of twice in that time. Default 10 000. */
  readonly lockMs?: number;
  /** How often the workers of a queue look for jobs that were lost, ms; it takes them two looks. Default 5000. */
  readonly stalledMs?: number;
  /** Tries of a job in all, those whose workers died included; default 4. */
  readonly attempts?: number;
  /** Pause before the second try of one that failed, ms; doubled each time, at most 30 000. Default 500. */
  readonly retryDelayMs?: number;
  /** Told of every try that failed, and when Redis cannot be reached, such as for a log. Default nobody. */
  readonly onError?: (error: DuplexError) => void;
}

/** A worker at work. */
export interface BullmqWorker {
  /** Resolves once it takes jobs. While Redis is away it waits; rejects with `SESSION_CLOSED` if it is closed before. */
  readonly ready: Promise<void>;
  /**
   * Stops what runs, gives its jobs back to other workers, and lets go of Redis. Always resolves, after 8 s at the latest.
   * A try that was given back does not count.
   */
  close(): Promise<void>;
}

/** How long a handler may take to return after its signal, ms; then it is left alone. */
const graceMs = 2000;
/** How often a try looks for messages by itself, in case a notice was lost, ms. */
const lookMs = 2000;

/**
 * Does jobs of a queue on Redis, in this process. Start as many as you like, anywhere.
 *
 * A job whose worker is killed is taken over after at most `lockMs` + 2 `stalledMs` by another, which sees the whole log.
 *
 * @throws RangeError, TypeError if an option cannot be used
 * @example
 * const worker = bullmqWorker({ connection: "redis://localhost:6379", handler });
 * process.once("SIGTERM", () => worker.close());
 */
export function bullmqWorker(options: BullmqWorkerOptions): BullmqWorker {
  return new RunningWorker(options);
}

class RunningWorker implements BullmqWorker {
  readonly ready: Promise<void>;
  readonly #handler: JobHandler;
  readonly #onError: (error: DuplexError) => void;
  readonly #attempts: number;
  readonly #lockMs: number;
  readonly #limits: LogLimits;
  readonly #link: RedisLink;
  readonly #store: JobStore;
  readonly #notices: Notices;
  readonly #redis: Redis;
  readonly #worker: Worker;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #tries = new Map<string, { readonly current: JobTry; readonly sinceMs: number }>();
  readonly #closing = new AbortController();
  #renewedMs = 0;
  #closed: Promise<void> | undefined;

  constructor(options: BullmqWorkerOptions) {
    const { connection, handler, queue = "microturn", prefix = "bull", concurrency = 8 } = options;
    const { lockMs = 10_000, stalledMs = 5000, attempts = 4, retryDelayMs = 500, onError = () => {} } = options;
    checkTimes({ lockMs, stalledMs });
    inRange("concurrency", concurrency, 1);
    inRange("attempts", attempts, 1);
    inRange("retryDelayMs", retryDelayMs, 0);
    this.#handler = handler;
    this.#onError = onError;
    this.#attempts = attempts;
    this.#lockMs = lockMs;
    this.#limits = logLimits(options);
    this.#link = new RedisLink(connection, onError);
    this.#store = new JobStore(this.#link, prefix, queue);
    this.#notices = new Notices(connection);
    this.#redis = openRedis(connection, { maxRetriesPerRequest: null });
    this.#redis.on("error", () => {}); // BullMQ waits until it is back.
    this.#worker = new Worker(queue, (job, token) => this.#process(job, token ?? ""), {
      connection: this.#redis,
      prefix,
      concurrency,
      lockDuration: lockMs,
      stalledInterval: stalledMs,
      // Tries are counted in the state of a job, where a crash costs one try as an error does.
      maxStalledCount: 1_000_000,
      runRetryDelay: 1000,
      settings: {
        backoffStrategy: (_made, _type, error) =>
          error instanceof FailedTry ? retryPauseMs(retryDelayMs, error.failures) : 0,
      },
    });
    // Errors of the connection pass; those of a job that another has taken over are told to its try below.
    this.#worker.on("error", () => {});
    this.#worker.on("locksRenewed", () => {
      this.#renewedMs = performance.now();
    });
    this.#worker.on("lockRenewalFailed", (ids: string[]) => {
      for (const id of ids) this.#tries.get(id)?.current.stop(whyLost("fenced"));
    });
    this.#watch = setInterval(() => this.#stopTheLost(), Math.max(1, Math.ceil(lockMs / 4)));
    setMaxListeners(0, this.#closing.signal); // One for each job.
    const closed = new Promise<never>((_, reject) => {
      const error = new DuplexError("SESSION_CLOSED", "ready: the worker was closed before it could reach Redis");
      this.#closing.signal.addEventListener("abort", () => reject(error), { once: true });
    });
    this.ready = Promise.race([this.#worker.waitUntilReady().then(() => {}), closed]);
    this.ready.catch(() => {}); // Whoever does not wait for it is not told.
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#watch);
    for (const { current } of this.#tries.values()) current.stop(itsWorkerCloses);
    await settledWithin(this.#worker.close(), 2 * graceMs, systemClock);
    await settledWithin(this.#worker.close(true), graceMs, systemClock);
    this.#notices.close();
    this.#link.close();
    this.#redis.disconnect();
  }

  /** A lock that could not be renewed for its whole time may be another's by now, even if nobody can tell us. */
  #stopTheLost(): void {
    const now = performance.now();
    for (const { current, sinceMs } of this.#tries.values()) {
      if (now - Math.max(sinceMs, this.#renewedMs) > this.#lockMs) current.stop(redisIsAway);
    }
  }

  async #process(bullmqJob: BullmqJob, token: string): Promise<void> {
    try {
      await this.#try(bullmqJob.id as string, token);
    } catch (error) {
      // Nothing of what went wrong gets into BullMQ's own records, which are kept longer than the job.
      if (this.#closing.signal.aborted) throw new GivenBack();
      throw error instanceof FailedTry ? error : new FailedTry(1);
    }
  }

  async #try(bullmqId: string, token: string): Promise<void> {
    const sinceMs = performance.now();
    const id = jobIdOf(bullmqId);
    const fence = randomUUID();
    const limit = { limitMs: this.#lockMs, signal: this.#closing.signal };
    const begun = await this.#store.begin(id, token, fence, limit);
    if (typeof begun === "string") {
      if (begun === "fenced") throw new FailedTry(1);
      return; // Its end was kept, and its worker died before it could tell BullMQ; or it came too late for anybody.
    }
    const { attempt, spent, job } = begun;
    const log: JobEvent[] = [];
    while (log.length < begun.count) {
      for (const { event } of (await this.#store.read(id, log.length, limit)).events) log.push(event);
    }
    const appender = new LogAppender({ store: this.#store, id, fence, place: log.length, limits: this.#limits });
    if (spent > this.#attempts) {
      const why = `${spent - 1} tries were begun and none of them came to an end: their workers died, or lost Redis`;
      await appender.end(why, limit);
      return;
    }

    const current: JobTry = new JobTry({
      ...{ job, log, attempt },
      keep: (text, isEnd) => appender.append(text, isEnd, { limitMs: 2 * this.#lockMs, signal: current.run.signal }),
    });
    appender.onLost = (why) => current.stop(why);
    this.#tries.set(bullmqId, { current, sinceMs });
    if (this.#closing.signal.aborted) current.stop(itsWorkerCloses);
    const over = new AbortController();
    const hearing = this.#hear(id, fence, current, AbortSignal.any([over.signal, current.run.signal]));
    const outcome = await current.perform(this.#handler, { graceMs, clock: systemClock });
    this.#tries.delete(bullmqId);
    over.abort();
    await hearing;

    if (outcome.type === "ended") return;
    if (outcome.type === "stopped") {
      if (this.#closing.signal.aborted) await this.#store.giveBack(id, fence, { limitMs: graceMs });
      else queueMicrotask(() => this.#onError(tryFailed(id, attempt, current.run.signal.reason)));
      throw new FailedTry(1);
    }
    const { error } = outcome;
    queueMicrotask(() => this.#onError(tryFailed(id, attempt, error)));
    if (!outcome.final && spent < this.#attempts) throw new FailedTry(spent);
    await appender.end(failureText(error, attempt), limit);
  }

  /** Passes messages on to a try until it is over, and stops it when the job is not its own any more. */
  async #hear(id: string, fence: string, current: JobTry, signal: AbortSignal): Promise<void> {
    const notice = this.#notices.open(this.#store.messageChannel(id));
    let after = "0";
    try {
      while (!signal.aborted) {
        const { rings } = notice.bell;
        const { state, messages } = await this.#store.hear(id, fence, after, { limitMs: 2 * this.#lockMs, signal });
        if (state !== "going") return current.stop(whyLost(state));
        for (const [at, message] of messages) {
          current.hear(message);
          after = at;
        }
        if (messages.length === 0) await notice.bell.wait(rings, { signal, timeoutMs: lookMs });
      }
    } catch {
      if (!signal.aborted) current.stop(redisIsAway);
    } finally {
      notice.close();
    }
  }
}

const itsWorkerCloses = "its worker is closing";

/** What BullMQ is told of a try that did not end its job. It keeps the words, so they say nothing of the work. */
class FailedTry extends Error {
  /** How many have failed so far. */
  readonly failures: number;

  constructor(failures: number) {
    super("the try did not end the job; another follows");
    this.failures = failures;
  }
}

/** What BullMQ is told of a try that stopped because its worker closes. */
class GivenBack extends Error {
  constructor() {
    super("the worker closes; another takes the job");
  }
}
