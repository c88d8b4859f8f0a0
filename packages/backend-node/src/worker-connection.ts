// The main thread's end of the worker: requests and their answers, the worker's end of life, and nothing that hangs.

import type { Worker } from "node:worker_threads";
import { type Answers, type Connection, closedError, errorOf, type Request } from "@microturn/backend-ort";
import { DuplexError } from "@microturn/core";
import {
  atWork,
  type Envelope,
  leaving,
  type ProviderTrial,
  type Reply,
  type StartRequest,
  type WorkerFlags,
} from "./messages.js";

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** Longest wait for the runtime when the process ends, ms: a model that is being loaded takes seconds. */
const exitGraceMs = 10_000;

/** Of the workers that there are. */
const workers = new Set<WorkerFlags>();

// A process ends its threads wherever they are, and the runtime, in the middle of a run, answers that by aborting the process.
process.on("exit", () => {
  for (const flags of workers) Atomics.store(flags, leaving, 1);
  for (const flags of workers) Atomics.wait(flags, atWork, 1, exitGraceMs);
});

/** A worker that answers requests. While none is open it does not keep the process alive. */
export class WorkerConnection implements Connection {
  readonly #pending = new Map<number, Pending>();
  readonly #ended: Promise<void>;
  #next = 0;
  /** Why nothing can be asked any more. */
  #failure: DuplexError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param flags - the worker's; undefined for one that does no more than answer
   * @param closeGraceMs - time the worker has to free its sessions on close before it is ended, and then to end
   */
  constructor(
    private readonly worker: Worker,
    private readonly closeGraceMs = 5_000,
    flags?: WorkerFlags,
  ) {
    if (flags !== undefined) workers.add(flags);
    let fault: Error | undefined;
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("messageerror", (error) => this.#fail(crashed(error)));
    worker.on("error", (error: Error) => {
      fault = error;
      this.#fail(crashed(error));
    });
    this.#ended = new Promise((resolve) => {
      worker.on("exit", (code) => {
        if (flags !== undefined) workers.delete(flags);
        this.#fail(crashed(fault, code));
        resolve();
      });
    });
    worker.unref();
  }

  /**
   * Starts the runtime; the first thing to ask.
   *
   * @throws DuplexError `BACKEND_UNAVAILABLE` if onnxruntime-node cannot be loaded, and as `request`
   */
  start(request: StartRequest): Promise<readonly ProviderTrial[]> {
    return this.#ask(request);
  }

  request<R extends Request>(request: R): Promise<Answers[R["kind"]]> {
    return this.#ask(request);
  }

  #ask<Value>(request: Envelope["request"]): Promise<Value> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      const envelope: Envelope = { id, request };
      this.worker.postMessage(envelope);
      if (this.#pending.size === 0) this.worker.ref();
      this.#pending.set(id, { resolve: resolve as (value: never) => void, reject });
    });
  }

  tell(request: Request): void {
    this.request(request).catch(() => undefined);
  }

  /** Ends the worker too, by force if it does not answer. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const crashedBefore = this.#failure !== undefined;
    this.#fail(closedError());
    if (!crashedBefore) {
      this.worker.ref();
      const envelope: Envelope = { id: this.#next++, request: { kind: "close" } };
      this.worker.postMessage(envelope);
      if (await within(this.closeGraceMs, this.#ended)) return;
    }
    await within(this.closeGraceMs, this.worker.terminate());
    this.worker.unref();
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.worker.unref();
    if ("fault" in reply) pending.reject(errorOf(reply.fault));
    else pending.resolve(reply.value as never);
  }

  /** The first failure stays; everything open is rejected with it. */
  #fail(error: DuplexError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.worker.unref();
  }
}

function crashed(error: unknown, exitCode?: number): DuplexError {
  const reason = error instanceof Error ? error.message : `exit code ${exitCode}`;
  return new DuplexError(
    "BACKEND_FAILED",
    `the backend's worker thread ended unexpectedly (${reason}); close this backend and make a new one`,
    { cause: error },
  );
}

/** Whether a promise settles within a time. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const result = await Promise.race([settled, late]);
  clearTimeout(timer);
  return result;
}
