// Loading is slow and wanted by many: one load for all of them, each with its own signal and progress.

import type { LoadProgress } from "../engine.js";
import { DuplexError } from "../errors.js";
import { callListener } from "./call-listener.js";

/** One load that several callers wait for; it is given up when none of them waits any more. */
export class SharedLoad<Result> {
  /** What the load gives; rejects with what it throws, or with the reason for which it was given up. */
  readonly result: Promise<Result>;
  /** Rejects when it is given up, however long `result` takes to notice. */
  readonly #givenUp: Promise<never>;
  /** It has given its result. */
  done = false;
  /** It has thrown, or nobody waits for it any more: the next who wants it begins anew. */
  failed = false;
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(progress: LoadProgress) => void>();
  #waiting = 0;

  constructor(load: (signal: AbortSignal, onProgress: (progress: LoadProgress) => void) => Promise<Result>) {
    const { signal } = this.#controller;
    this.#givenUp = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    this.#givenUp.catch(() => {});
    this.result = load(signal, (progress) => {
      for (const listener of this.#listeners) callListener(listener, progress);
    });
    this.result.then(
      () => {
        this.done = true;
      },
      () => {
        this.failed = true;
      },
    );
  }

  /** Gives up for all who wait; does nothing once it is done. */
  abort(reason: DuplexError): void {
    if (!this.done) this.#controller.abort(reason);
  }

  /**
   * Waits for the result.
   *
   * @param operation - of the caller, for messages
   * @param signal - gives up waiting; the last to do so gives up the load
   * @param onProgress - called while this caller waits
   * @throws DuplexError `ABORTED` by the caller's own signal, and whatever the load throws
   */
  wait(
    operation: string,
    signal: AbortSignal | undefined,
    onProgress: ((progress: LoadProgress) => void) | undefined,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting++;
      let here = true;
      const leave = () => {
        if (here) this.#waiting--;
        here = false;
        signal?.removeEventListener("abort", abort);
        if (onProgress !== undefined) this.#listeners.delete(onProgress);
      };
      const abort = () => {
        leave();
        const error = new DuplexError("ABORTED", `${operation}: its signal was aborted`, { cause: signal?.reason });
        if (this.#waiting === 0) {
          this.failed ||= !this.done;
          this.abort(error);
        }
        reject(error);
      };
      if (onProgress !== undefined) this.#listeners.add(onProgress);
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      Promise.race([this.result, this.#givenUp]).then(
        (result) => {
          leave();
          resolve(result);
        },
        (error) => {
          leave();
          reject(error);
        },
      );
    });
  }
}
