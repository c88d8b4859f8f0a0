// The runtime on the caller's own thread: no message to wait for, and nothing else happens there while it runs.

import type { DuplexError } from "@microturn/core";
import { type Connection, closedError } from "./connection.js";
import { type Answers, errorOf, faultOf, type Request } from "./messages.js";
import type { Runtime } from "./runtime.js";

/** Answers requests on the thread that makes them. */
export class DirectConnection implements Connection {
  /** Rejects the requests that are open. */
  readonly #open = new Set<(error: DuplexError) => void>();
  /** Settles after the last request; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(private readonly runtime: Runtime) {}

  request<R extends Request>(request: R, signal?: AbortSignal): Promise<Answers[R["kind"]]> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#open.add(reject);
      const answer = async () => {
        // Nobody waits for it any more, and everybody would for its end.
        if (!this.#open.has(reject) || signal?.aborted) return undefined;
        const value = await this.runtime.answer(request, []);
        // What came due while a graph was prepared, such as the timer that aborts it, comes first.
        if (request.kind === "load") await new Promise((later) => setTimeout(later, 0));
        return value;
      };
      this.#tail = this.#tail
        .then(answer)
        .then(
          (value) => resolve(value as Answers[R["kind"]]),
          (error) => reject(errorOf(faultOf(error))),
        )
        .finally(() => this.#open.delete(reject));
    });
  }

  tell(request: Request): void {
    this.request(request).catch(() => undefined);
  }

  /** Waits for the request that is being answered: what uses the runtime cannot be stopped midway. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const reject of this.#open) reject(closedError());
    this.#open.clear();
    await this.#tail;
    await this.runtime.answer({ kind: "close" }, []).catch(() => undefined);
  }
}
