// Puts the events of one try into the log in Redis, one after the other, each at a place of its own: so an event whose answer was
// lost can be sent again, and is in the log once.

import { DuplexError } from "@microturn/core";
import type { JobEvent } from "../jobs/job.js";
import { textOf } from "../jobs/job-try.js";
import { type LogLimits, logFull } from "../jobs/log-limits.js";
import type { AppendAnswer, CallLimit, JobStore } from "./job-store.js";

/** What a {@link LogAppender} is made from. */
export interface LogAppenderOptions {
  readonly store: JobStore;
  readonly id: string;
  readonly fence: string;
  /** Length of the log so far. */
  readonly place: number;
  readonly limits: LogLimits;
}

/** Why a try must stop that cannot reach Redis. */
export const redisIsAway = "Redis has not been reached for too long, so that another worker may have the job";

/** Why a try must stop. */
export function whyLost(state: "fenced" | "over" | "forgotten" | "hole"): string {
  if (state === "fenced") return "another worker has taken the job over";
  if (state === "over") return "the job is over";
  if (state === "forgotten") return "the queue has forgotten the job";
  return "the log of the job in Redis lacks events";
}

/** The log as one try writes it. */
export class LogAppender {
  /** Called when the try can append nothing any more. */
  onLost: (why: string) => void = () => {};
  readonly #options: LogAppenderOptions;
  #place: number;
  #last: Promise<unknown> = Promise.resolve();
  #lost: string | undefined;

  constructor(options: LogAppenderOptions) {
    this.#options = options;
    this.#place = options.place;
  }

  /**
   * Appends after all that was appended before.
   *
   * @throws DuplexError `ABORTED` if the try has lost its job, `BACKGROUND_FAILED` with `details.logFull` if the log is full
   */
  append(text: string, isEnd: boolean, limit: CallLimit): Promise<void> {
    const appended = this.#last.then(() => this.#appendNext(text, isEnd, limit));
    this.#last = appended.catch(() => {});
    return appended;
  }

  /** Ends the job as failed, unless somebody else has it or has ended it. */
  async end(why: string, limit: CallLimit): Promise<void> {
    const end: JobEvent = { type: "end", outcome: "failed", error: why };
    await this.append(textOf(end), true, limit).catch((error) => {
      if (!DuplexError.is(error, "ABORTED")) throw error;
    });
  }

  async #appendNext(text: string, isEnd: boolean, limit: CallLimit): Promise<void> {
    if (this.#lost !== undefined) throw this.#aborted();
    const { store, id, fence, limits } = this.#options;
    let answer: AppendAnswer;
    try {
      answer = await store.append(id, { fence, place: this.#place, text, isEnd, limits }, limit);
    } catch (error) {
      // Whether it is in the log cannot be told, and the next event must not take its place.
      this.#lose(redisIsAway);
      throw error;
    }
    if (answer === "full") throw logFull(id, limits);
    if (answer !== "kept") {
      this.#lose(whyLost(answer));
      throw this.#aborted();
    }
    this.#place++;
  }

  #lose(why: string): void {
    this.#lost = why;
    this.onLost(why);
  }

  #aborted(): DuplexError {
    return new DuplexError("ABORTED", `append: the event is not in the log: ${this.#lost}`);
  }
}
