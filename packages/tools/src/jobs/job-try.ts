// One try at a job, the same on every queue: what the handler sees, what it may still append, and how it came out.
// Where the events go is the queue's: it passes in `keep`.

import { type Clock, DuplexError } from "@microturn/core";
import { settledWithin } from "../waiting.js";
import type { Job, JobEvent, JobHandler, JobMessage, JobRun } from "./job.js";

/** How a try came out: the job is over; the try had to stop; or it failed, which another try may mend unless `final`. */
export type TryOutcome =
  | { readonly type: "ended" }
  | { readonly type: "stopped" }
  | { readonly type: "failed"; readonly error: unknown; readonly final: boolean };

/** What a {@link JobTry} is made from. */
export interface JobTryOptions {
  readonly job: Job;
  readonly log: readonly JobEvent[];
  readonly attempt: number;
  /**
   * Appends an event as JSON to the log; resolves once it is kept. What it throws with `details.logFull` makes the failure
   * of the try final.
   */
  keep(text: string, isEnd: boolean): Promise<void>;
}

/** Runs a handler once. */
export class JobTry {
  readonly run: JobRun;
  readonly #keep: JobTryOptions["keep"];
  readonly #abort = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  /** Appends that wait, told by hand: a signal warns of more than ten listeners. */
  readonly #waiting = new Set<() => void>();
  readonly #messages: JobMessage[] = [];
  readonly #listeners = new Set<Listener>();
  /** Why nothing can be appended any more. */
  #over: string | undefined;
  #endKept = false;
  #full: DuplexError | undefined;
  #listenerError: { readonly error: unknown } | undefined;

  constructor({ job, log, attempt, keep }: JobTryOptions) {
    this.#keep = keep;
    this.run = {
      job,
      log,
      attempt,
      signal: this.#abort.signal,
      append: (event) => this.#append(event),
      onMessage: (listener) => this.#listen(listener),
    };
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Stops it: its signal fires, and nothing that it appends counts any more. */
  stop(why: string): void {
    if (this.stopped) return;
    this.#over ??= why;
    this.#abort.abort(new DuplexError("ABORTED", `job: this try must stop: ${why}`));
    for (const stop of [...this.#waiting]) stop();
  }

  /** Passes on a message; call it once for each, in their order. */
  hear(message: JobMessage): void {
    this.#messages.push(message);
    this.#deliver();
  }

  /**
   * Runs the handler.
   *
   * @param options.graceMs - how long it may take to return after its signal; then it is left alone
   * @returns how it came out; after that its signal has fired unless the job is over
   */
  async perform(
    handler: JobHandler,
    { graceMs, clock }: { readonly graceMs: number; readonly clock: Clock },
  ): Promise<TryOutcome> {
    const work = (async () => handler(this.run))();
    // Whoever reads the result comes later, or not at all once the try had to stop.
    work.catch(() => {});
    const stopped = new Promise<void>((resolve) => {
      if (this.stopped) resolve();
      else this.#abort.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    let thrown: { readonly error: unknown } | undefined;
    try {
      await Promise.race([work, stopped.then(() => settledWithin(work, graceMs, clock))]);
      await Promise.allSettled([...this.#pending]);
    } catch (error) {
      thrown = { error };
      await Promise.allSettled([...this.#pending]);
    }
    this.#listeners.clear();
    if (this.#endKept) {
      this.#over ??= "the job is over";
      return { type: "ended" };
    }
    if (this.stopped && this.#listenerError === undefined) return { type: "stopped" };
    this.stop("it has failed");
    const failed = this.#listenerError ?? (this.#full === undefined ? thrown : { error: this.#full });
    const error =
      failed?.error ??
      new DuplexError(
        "BACKGROUND_FAILED",
        "job: the handler returned without an `end` in the log; append one in every case",
      );
    return { type: "failed", error, final: this.#full !== undefined };
  }

  async #append(event: JobEvent): Promise<void> {
    if (this.#over !== undefined) throw refused(event, this.#over);
    const text = textOf(event);
    const isEnd = event.type === "end";
    if (isEnd) this.#over = "its `end` is in the log, and nothing comes after that";
    const kept = this.#keep(text, isEnd).then(() => {
      if (isEnd) this.#endKept = true;
    });
    this.#pending.add(kept);
    try {
      await this.#unlessStopped(kept);
    } catch (error) {
      if (DuplexError.is(error) && error.details.logFull === true) this.#full = error;
      if (this.stopped && !DuplexError.is(error, "ABORTED")) throw refused(event, this.#over ?? "it must stop");
      throw error;
    } finally {
      kept.catch(() => {}).finally(() => this.#pending.delete(kept));
    }
  }

  /** Settles as the work does, or rejects when the try must stop first. */
  #unlessStopped(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(this.#abort.signal.reason);
      if (this.stopped) return stop();
      this.#waiting.add(stop);
      work.then(resolve, reject).finally(() => this.#waiting.delete(stop));
    });
  }

  #listen(call: (message: JobMessage) => void): () => void {
    const listener: Listener = { call, next: 0 };
    this.#listeners.add(listener);
    // Not at once: the handler has not got what this returns yet.
    queueMicrotask(() => this.#deliver());
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #deliver(): void {
    for (const listener of [...this.#listeners]) {
      while (this.#listeners.has(listener) && listener.next < this.#messages.length) {
        const message = this.#messages[listener.next++] as JobMessage;
        try {
          listener.call(message);
        } catch (error) {
          // There is nobody else to take it: the try has failed.
          this.#listenerError ??= { error };
          this.stop("a listener of its messages threw");
        }
      }
    }
  }
}

interface Listener {
  readonly call: (message: JobMessage) => void;
  next: number;
}

/** An event or a job as JSON, as every queue keeps it. @throws TypeError if JSON cannot hold it */
export function textOf(value: JobEvent | Job | JobMessage): string {
  const text = JSON.stringify(value);
  if (text === undefined)
    throw new TypeError("job: expected an object that JSON can hold, got something that it leaves out");
  return text;
}

/** What is said of a job that failed for good. */
export function failureText(error: unknown, attempt: number): string {
  const message = error instanceof Error ? error.message : String(error);
  const tries = attempt === 1 ? "" : ` (try ${attempt}, the last)`;
  return `${message.slice(0, 2000)}${tries}`;
}

/** What an application is told of a try that failed; the log says only how the job ended. */
export function tryFailed(id: string, attempt: number, error: unknown): DuplexError {
  const message = error instanceof Error ? error.message : String(error);
  return new DuplexError("BACKGROUND_FAILED", `job ${JSON.stringify(id)}: try ${attempt} failed: ${message}`, {
    cause: error,
    details: { job: id, attempt },
  });
}

/** The pause before the next try, ms: doubled each time, at most 30 s. */
export function retryPauseMs(retryDelayMs: number, failures: number): number {
  return Math.min(retryDelayMs * 2 ** Math.min(failures - 1, 30), 30_000);
}

function refused(event: JobEvent, why: string): DuplexError {
  return new DuplexError("ABORTED", `job: \`${event.type}\` was not appended: ${why}`);
}
