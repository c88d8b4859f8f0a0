// The page's end of the worker: calls and their answers, files that the worker asks for, and the worker's end of life.

import { DuplexError, type LoadProgress, type ModelSource } from "@microturn/core";
import { type Call, type CallAnswers, errorOf, failureOf, type ToPage, type ToWorker } from "./engine-messages.js";

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((progress: LoadProgress) => void) | undefined;
}

/** Options of a call. */
export interface CallOptions {
  /** Gives up waiting, and tells the worker. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** What a worker tells unasked. */
export interface HostEvents {
  /**
   * Called once, before open calls are rejected, when the device is lost or the worker breaks: nothing can be asked any more
   * but `close`.
   */
  onLost(reason: string): void;
  /** The model loads without being kept. */
  onWarning(warning: Error): void;
}

/** Time a worker has to free its device before it is ended, ms. */
const closeGraceMs = 5000;

/** A worker that runs an engine. */
export class HostConnection {
  readonly #worker: Worker;
  readonly #model: ModelSource;
  readonly #events: HostEvents;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  /** The worker has said something: its file is there. */
  #alive = false;
  #failure: DuplexError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param model - whose files the worker may ask for
   * @param events - what it tells unasked
   */
  constructor(worker: Worker, model: ModelSource, events: HostEvents) {
    this.#worker = worker;
    this.#model = model;
    this.#events = events;
    worker.addEventListener("message", ({ data }: MessageEvent<ToPage>) => this.#take(data));
    worker.addEventListener("messageerror", () => this.#break("a message of its worker could not be read"));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#break(event.message || (this.#alive ? "its worker broke" : "its file cannot be loaded"));
    });
  }

  /** Nothing can be asked any more. */
  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** @throws DuplexError with what failed; `ABORTED`; `SESSION_CLOSED` after `close` */
  call<C extends Call>(call: C, { signal, onProgress }: CallOptions = {}): Promise<CallAnswers[C["kind"]]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const aborted = () => new DuplexError("ABORTED", `${call.kind}: its signal was aborted`, { cause: signal?.reason });
    if (signal?.aborted) return Promise.reject(aborted());
    const { id, answer } = this.#ask(call, onProgress);
    if (signal === undefined) return answer;
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#pending.delete(id);
        this.#post({ abort: id });
        reject(aborted());
      };
      signal.addEventListener("abort", abort, { once: true });
      answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  /** Frees device and worker; always resolves. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const broken = this.#failure !== undefined;
    this.#fail(new DuplexError("SESSION_CLOSED", "the engine was closed"));
    if (!broken) await within(closeGraceMs, this.#ask({ kind: "close" }).answer);
    this.#worker.terminate();
  }

  #ask<C extends Call>(
    call: C,
    onProgress?: Pending["onProgress"],
  ): { id: number; answer: Promise<CallAnswers[C["kind"]]> } {
    const id = this.#next++;
    const answer = new Promise<CallAnswers[C["kind"]]>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress });
      try {
        this.#post({ id, call });
      } catch (cause) {
        this.#pending.delete(id);
        const message = `${call.kind}: what was passed in cannot be sent to a worker; pass plain data`;
        reject(new DuplexError("UNSUPPORTED", message, { cause }));
      }
    });
    return { id, answer };
  }

  #take(message: ToPage): void {
    this.#alive = true;
    if ("lost" in message) {
      this.#break(`the device was lost (${message.lost})`);
    } else if ("warning" in message) {
      this.#events.onWarning(errorOf(message.warning));
    } else if ("file" in message) {
      void this.#readFile(message.file, message.path, message.maxBytes);
    } else if ("progress" in message) {
      this.#pending.get(message.id)?.onProgress?.(message.progress);
    } else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if ("failure" in message) pending?.reject(errorOf(message.failure));
      else pending?.resolve(message.value as never);
    }
  }

  async #readFile(file: number, path: string, maxBytes: number | undefined): Promise<void> {
    try {
      const bytes = await this.#model.read(path, {
        onProgress: (done) => this.#post({ file, done }),
        ...(maxBytes === undefined ? {} : { maxBytes }),
      });
      this.#post({ file, bytes });
    } catch (error) {
      this.#post({ file, failure: failureOf(error) });
    }
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #break(reason: string): void {
    if (this.broken) return;
    const error = this.#alive ? new DuplexError("BACKEND_FAILED", `webEngine: ${reason}`) : noWorker(reason);
    this.#failure = error;
    this.#events.onLost(reason);
    this.#rejectAll(error);
  }

  /** The first failure stays; everything open is rejected with it. */
  #fail(error: DuplexError): void {
    if (this.broken) return;
    this.#failure = error;
    this.#rejectAll(error);
  }

  #rejectAll(error: DuplexError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** The error for a worker that never said anything. */
export function noWorker(reason: string): DuplexError {
  if (globalThis.navigator?.onLine === false) {
    return new DuplexError(
      "NETWORK_FAILED",
      `webEngine: its worker does not start (${reason}), as this browser is offline; go online and load again`,
    );
  }
  return new DuplexError(
    "BACKEND_UNAVAILABLE",
    `webEngine: its worker does not start (${reason}); load again once its server can be reached, or serve dist/worker.js of @microturn/backend-web from the page's own origin, name it with the option \`worker\`, and allow it in worker-src of the content security policy`,
  );
}

/** Waits until a promise settles, or for a time. */
async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([
    promise.then(
      () => {},
      () => {},
    ),
    late,
  ]);
  clearTimeout(timer);
}
