// A handler of jobs that does what the job says, in this process or another: the arguments of the delegation are its script.

import { codeOf } from "@microturn/core/testing";
import type { Job, JobHandler, JobMessage, JobRun } from "@microturn/tools";

/** What a job does. It logs `chunks` deltas and an end, and goes on after a crash where its log stops. */
export interface Script {
  readonly chunks: number;
  /** Length of a chunk in characters; default a few. */
  readonly chunkChars?: number;
  /** Of each try, the chunk before which it pauses for good; `chunks` is before the end. */
  readonly pauseBefore?: readonly number[];
  /** Of each try, the chunk before which it throws. */
  readonly throwBefore?: readonly number[];
  /** The chunk before which it waits until the call "pay" is approved. */
  readonly approveBefore?: number;
  /** Whether it tells each chunk once it is kept. */
  readonly tellsKept?: boolean;
  /** Whether it returns without an end. */
  readonly endless?: boolean;
  /** Whether it appends once more after the end, and tells how that failed. */
  readonly appendsAfterEnd?: boolean;
}

/** What the handler needs from where it runs. */
export interface HandlerHost {
  /** Resolves never, or rejects: the worker is about to die. */
  pause(run: JobRun): Promise<never>;
  /** Tells the test something. Throws if the worker is about to die. */
  tell(id: string, text: string): void;
}

/** The text of a chunk. */
export function chunkText({ chunkChars = 0 }: Script, index: number): string {
  return `chunk ${index} `.padEnd(chunkChars, String.fromCharCode(97 + (index % 26)));
}

/** A job with a script. */
export function scriptedJob(id: string, script: Script): Job {
  return {
    id,
    conversation: "conversation",
    delegation: { id: `delegation of ${id}`, task: "do what the script says", name: "script", arguments: script },
    context: { entries: [], leftOut: 0, images: [], underWay: [] },
  };
}

/** Makes the handler. */
export function scriptedHandler(host: HandlerHost): JobHandler {
  return async (run) => {
    const { job, attempt, signal } = run;
    const script = job.delegation.arguments as Script;
    const messages = new Messages(run);
    await run.append({ type: "progress", call: "try", text: String(attempt), spoken: false });
    for (let index = run.log.filter(({ type }) => type === "delta").length; ; index++) {
      if (script.throwBefore?.[attempt - 1] === index) throw new Error("the script says so");
      if (script.pauseBefore?.[attempt - 1] === index) await messages.unlessCancelled(host.pause(run));
      if (script.approveBefore === index) await messages.unlessCancelled(messages.approved);
      if (messages.cancel !== undefined) {
        const { outcome, reason } = messages.cancel;
        return run.append({ type: "end", outcome, error: reason });
      }
      if (index === script.chunks) break;
      await run.append({ type: "delta", text: chunkText(script, index) });
      if (script.tellsKept) host.tell(job.id, chunkText(script, index));
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    }
    if (script.endless) return;
    await run.append({ type: "end", outcome: "done" });
    if (script.appendsAfterEnd) host.tell(job.id, await codeOf(run.append({ type: "delta", text: "too late" })));
  };
}

class Messages {
  readonly approved: Promise<void>;
  cancel: Extract<JobMessage, { type: "cancel" }> | undefined;
  readonly #cancelled: Promise<void>;
  readonly #stopped: Promise<never>;

  constructor({ signal, onMessage }: JobRun) {
    let approve = () => {};
    let cancel = () => {};
    this.approved = new Promise((resolve) => {
      approve = resolve;
    });
    this.#cancelled = new Promise((resolve) => {
      cancel = resolve;
    });
    this.#stopped = new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    this.#stopped.catch(() => {});
    onMessage((message) => {
      if (message.type === "approve" && message.call === "pay") approve();
      if (message.type !== "cancel") return;
      this.cancel = message;
      cancel();
    });
  }

  async unlessCancelled(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#cancelled, this.#stopped]);
  }
}
