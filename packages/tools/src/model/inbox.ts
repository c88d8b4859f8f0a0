// What the session's side tells a job while it runs: stop, and what was decided of calls that wait to be approved.

import { type Clock, DuplexError } from "@microturn/core";
import type { JobMessage, JobRun } from "../jobs/job.js";

/** Whether a call may run. */
export type Decision = { readonly approved: true } | { readonly approved: false; readonly reason: string };

/** The messages of one try at a job. */
export class JobInbox {
  readonly #clock: Clock;
  readonly #approvalTimeoutMs: number;
  readonly #stop = new AbortController();
  readonly #decisions = new Map<string, Decision>();
  readonly #asked = new Map<string, (decision: Decision) => void>();
  readonly #close: (() => void)[] = [];
  #cancelled: Extract<JobMessage, { type: "cancel" }> | undefined;

  /** @param options.approvalTimeoutMs - whoever should decide on a call may be gone for good: after this that is a no */
  constructor(run: JobRun, options: { readonly clock: Clock; readonly approvalTimeoutMs: number }) {
    this.#clock = options.clock;
    this.#approvalTimeoutMs = options.approvalTimeoutMs;
    const stop = () => this.stop(run.signal.reason);
    if (run.signal.aborted) stop();
    else run.signal.addEventListener("abort", stop, { once: true });
    this.#close.push(() => run.signal.removeEventListener("abort", stop));
    this.#close.push(run.onMessage((message) => this.#receive(message)));
  }

  /** Fires when the work must stop: cancelled, or this try at it is over. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The message that cancelled the job. */
  get cancelled(): Extract<JobMessage, { type: "cancel" }> | undefined {
    return this.#cancelled;
  }

  /** Stops the work; the first reason counts. */
  stop(reason: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(reason);
    for (const answer of this.#asked.values())
      answer({ approved: false, reason: "the work was ended before it was decided" });
    this.#asked.clear();
  }

  /** What is decided of a call; a decision may have come before it was asked for. The first one counts. */
  approval(call: string): Promise<Decision> {
    const decided = this.#decisions.get(call);
    if (decided !== undefined) return Promise.resolve(decided);
    if (this.signal.aborted)
      return Promise.resolve({ approved: false, reason: "the work was ended before it was decided" });
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(() => {
        this.#receive({ type: "reject", call, reason: "nobody allowed it in time" });
      }, this.#clock.now() + this.#approvalTimeoutMs);
      this.#asked.set(call, (decision) => {
        cancel();
        resolve(decision);
      });
    });
  }

  /** Lets go of the run. */
  close(): void {
    for (const close of this.#close.splice(0)) close();
  }

  #receive(message: JobMessage): void {
    if (message.type === "cancel") {
      if (this.signal.aborted) return;
      this.#cancelled = message;
      this.stop(new DuplexError("ABORTED", `background: the work was ${message.outcome}`));
      return;
    }
    if (this.#decisions.has(message.call)) return;
    const decision: Decision =
      message.type === "approve" ? { approved: true } : { approved: false, reason: message.reason };
    this.#decisions.set(message.call, decision);
    this.#asked.get(message.call)?.(decision);
    this.#asked.delete(message.call);
  }
}
