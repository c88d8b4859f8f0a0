// Jobs in this process: logs in memory, gone with it. For one server, for tests, and for whoever has no Redis.
// What it promises is the contract of job.ts, and the same suite as for BullMQ holds it to that.

import { type Clock, DuplexError, systemClock } from "@microturn/core";
import { settledWithin } from "../waiting.js";
import { Bell } from "./bell.js";
import type { Job, JobEvent, JobHandler, JobMessage, JobQueue, LoggedEvent } from "./job.js";
import { failureText, JobTry, retryPauseMs, textOf, tryFailed } from "./job-try.js";
import {
  inRange,
  type LogLimits,
  logFull,
  logLimits,
  maxMessages,
  queueClosed,
  tooManyMessages,
  unknownJob,
} from "./log-limits.js";

/** Options of {@link localJobs}. */
export interface LocalJobsOptions extends Partial<LogLimits> {
  /** Tries of a job in all, at least 1; default 3. */
  readonly attempts?: number;
  /** Pause before the second try, ms; doubled each time, at most 30 000. Default 500. */
  readonly retryDelayMs?: number;
  /** How long a job that is over can still be followed, ms; default 600 000. */
  readonly keepMs?: number;
  /** Jobs that are known at once, over or not; default 1000. The oldest that are over make room for new ones. */
  readonly maxJobs?: number;
  /** Told of every try that failed, such as for a log. Default nobody. */
  readonly onError?: (error: DuplexError) => void;
  /** Default the clock of the machine. */
  readonly clock?: Clock;
}

/** How long a handler may take to return after its signal, ms; then it is left alone. */
const graceMs = 2000;

/**
 * Jobs that this process does by itself, each at once.
 *
 * @param handler - does them
 * @throws RangeError if an option is outside its range
 * @example
 * const jobs = localJobs(async (run) => {
 *   await run.append({ type: "delta", text: "It is sunny in Rome." });
 *   await run.append({ type: "end", outcome: "done" });
 * });
 */
export function localJobs(handler: JobHandler, options: LocalJobsOptions = {}): JobQueue {
  return new LocalJobs(handler, options);
}

interface LocalJob {
  readonly id: string;
  /** Itself as JSON; empty once it is over. */
  text: string;
  /** Events as JSON: nobody can change what has been logged, and what is followed here is what Redis would give. */
  readonly log: string[];
  readonly bell: Bell;
  readonly messages: JobMessage[];
  chars: number;
  current: JobTry | undefined;
  overAtMs: number | undefined;
}

class LocalJobs implements JobQueue {
  readonly #handler: JobHandler;
  readonly #onError: (error: DuplexError) => void;
  readonly #clock: Clock;
  readonly #attempts: number;
  readonly #retryDelayMs: number;
  readonly #keepMs: number;
  readonly #maxJobs: number;
  readonly #limits: LogLimits;
  readonly #jobs = new Map<string, LocalJob>();
  readonly #working = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(handler: JobHandler, options: LocalJobsOptions) {
    const { attempts = 3, retryDelayMs = 500, keepMs = 600_000, maxJobs = 1000 } = options;
    const { onError = () => {}, clock = systemClock } = options;
    inRange("attempts", attempts, 1);
    inRange("retryDelayMs", retryDelayMs, 0);
    inRange("keepMs", keepMs, 0);
    inRange("maxJobs", maxJobs, 1);
    this.#handler = handler;
    this.#onError = onError;
    this.#clock = clock;
    this.#attempts = attempts;
    this.#retryDelayMs = retryDelayMs;
    this.#keepMs = keepMs;
    this.#maxJobs = maxJobs;
    this.#limits = logLimits(options);
  }

  async submit(job: Job): Promise<void> {
    const text = textOf(job);
    this.#checkOpen("submit");
    this.#forget();
    if (this.#jobs.has(job.id)) return;
    this.#makeRoom();
    const kept: LocalJob = {
      ...{ id: job.id, text, log: [], bell: new Bell(), messages: [], chars: 0 },
      ...{ current: undefined, overAtMs: undefined },
    };
    this.#jobs.set(job.id, kept);
    const work = this.#work(kept).finally(() => this.#working.delete(work));
    this.#working.add(work);
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
    this.#forget();
    const job = this.#jobs.get(id);
    if (job === undefined)
      throw unknownJob(id, `it was never submitted here, or ended more than ${this.#keepMs} ms ago`);
    for (let index = from; ; ) {
      const { rings } = job.bell;
      for (; index < job.log.length; index++) {
        yield { index, event: JSON.parse(job.log[index] as string) as JobEvent };
        signal?.throwIfAborted();
      }
      if (job.overAtMs !== undefined) return;
      this.#checkOpen("follow");
      await job.bell.wait(rings, { signal });
      signal?.throwIfAborted();
    }
  }

  async send(id: string, message: JobMessage): Promise<void> {
    const kept = JSON.parse(textOf(message)) as JobMessage;
    this.#checkOpen("send");
    const job = this.#jobs.get(id);
    if (job === undefined || job.overAtMs !== undefined) return;
    if (job.messages.length >= maxMessages) throw tooManyMessages(id);
    job.messages.push(kept);
    job.current?.hear(kept);
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      for (const job of this.#jobs.values()) {
        job.current?.stop("its queue was closed");
        job.bell.ring();
      }
    }
    await settledWithin(Promise.allSettled([...this.#working]), graceMs, this.#clock);
    this.#jobs.clear();
  }

  async #work(job: LocalJob): Promise<void> {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const log = job.log.map((text) => JSON.parse(text) as JobEvent);
      const current = new JobTry({
        ...{ job: JSON.parse(job.text) as Job, log, attempt },
        keep: async (text, isEnd) => this.#keep(job, text, isEnd),
      });
      job.current = current;
      for (const message of job.messages) current.hear(message);
      const outcome = await current.perform(this.#handler, { graceMs, clock: this.#clock });
      job.current = undefined;
      if (outcome.type !== "failed") return;
      const { error } = outcome;
      queueMicrotask(() => this.#onError(tryFailed(job.id, attempt, error)));
      if (outcome.final || attempt >= this.#attempts) {
        const end: JobEvent = { type: "end", outcome: "failed", error: failureText(error, attempt) };
        this.#keep(job, textOf(end), true);
        return;
      }
      await this.#pause(retryPauseMs(this.#retryDelayMs, attempt));
    }
  }

  #keep(job: LocalJob, text: string, isEnd: boolean): void {
    const { maxEvents, maxLogChars } = this.#limits;
    const isFull = job.log.length >= maxEvents || job.chars + text.length > maxLogChars;
    if (isFull && !isEnd) throw logFull(job.id, this.#limits);
    job.log.push(text);
    job.chars += text.length;
    if (isEnd) {
      job.overAtMs = this.#clock.now();
      job.messages.length = 0;
      job.text = "";
    }
    job.bell.ring();
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const cancel = this.#clock.setTimer(wake, this.#clock.now() + ms);
      signal.addEventListener("abort", wake);
    });
  }

  /** Forgets what has been over for too long. Done whenever the queue is used, so that no timer keeps a process alive. */
  #forget(): void {
    const untilMs = this.#clock.now() - this.#keepMs;
    for (const [id, { overAtMs }] of this.#jobs)
      if (overAtMs !== undefined && overAtMs <= untilMs) this.#jobs.delete(id);
  }

  #makeRoom(): void {
    if (this.#jobs.size < this.#maxJobs) return;
    const over = [...this.#jobs.values()].filter(({ overAtMs }) => overAtMs !== undefined);
    const oldest = over.sort((a, b) => (a.overAtMs as number) - (b.overAtMs as number))[0];
    if (oldest === undefined) {
      throw new DuplexError(
        "BACKGROUND_FAILED",
        `submit: the job cannot be kept: ${this.#maxJobs} jobs are under way, and no more are allowed; raise maxJobs, or wait`,
        { details: { maxJobs: this.#maxJobs } },
      );
    }
    this.#jobs.delete(oldest.id);
  }

  #checkOpen(operation: string): void {
    if (this.#closing.signal.aborted) throw queueClosed(operation);
  }
}
