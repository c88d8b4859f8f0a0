// The worker's side of `webEngine`: a local engine over a web backend, driven by messages.

import { DuplexError, type Engine, type EngineSession, type LoadProgress, type ModelSource } from "@microturn/core";
import { isBroken } from "./broken-runtime.js";
import { buffersOf } from "./buffers-of.js";
import {
  type Call,
  type CallAnswers,
  errorOf,
  failureOf,
  type HostOptions,
  type HostReport,
  type ModelPlace,
  type ToPage,
  type ToWorker,
} from "./engine-messages.js";
import { type Loaded, loadOnFirstThatKeepsUp } from "./load-on-device.js";

/** Sends a message to the page; what is in `transfer` is handed over. */
export type Send = (message: ToPage, transfer: Transferable[]) => void;

/** Makes the source of a model that lies somewhere. */
export type ReadModel = (place: ModelPlace, onWarning: (warning: DuplexError) => void) => ModelSource;

/** A file that the page was asked for. */
interface WaitingFile {
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

/** Answers the calls of a page. */
export class EngineHost {
  readonly #send: Send;
  readonly #read: ReadModel;
  readonly #sessions = new Map<number, EngineSession>();
  /** Calls that can be given up. */
  readonly #aborts = new Map<number, AbortController>();
  readonly #files = new Map<number, WaitingFile>();
  #nextFile = 0;
  #loading: Promise<Loaded> | undefined;

  /** @param read - makes the source of a model that the worker reads itself */
  constructor(send: Send, read: ReadModel) {
    this.#send = send;
    this.#read = read;
  }

  /** Takes a message of the page. */
  take(message: ToWorker): void {
    if ("abort" in message) this.#aborts.get(message.abort)?.abort();
    else if ("file" in message) this.#takeFile(message);
    else void this.#answer(message.id, message.call);
  }

  async #answer(id: number, call: Call): Promise<void> {
    const controller = new AbortController();
    this.#aborts.set(id, controller);
    try {
      const value = await this.#do(id, call, controller.signal);
      // Sound and snapshots belong to the receiver; everything else is small, or goes on being used here.
      const transfer = call.kind === "step" ? [(value as CallAnswers["step"]).speech.buffer] : [];
      if (call.kind === "snapshot") transfer.push(...buffersOf(value));
      this.#send({ id, value }, transfer);
    } catch (error) {
      // The answer of a call that broke the runtime would end the session; the loss moves it.
      const lost = DuplexError.is(error, "BACKEND_FAILED") && isBroken(error);
      this.#send(lost ? { lost: error.message } : { id, failure: failureOf(error) }, []);
    } finally {
      this.#aborts.delete(id);
    }
  }

  async #do(id: number, call: Call, signal: AbortSignal): Promise<CallAnswers[Call["kind"]]> {
    switch (call.kind) {
      case "load":
        return this.#load(id, call.options, signal);
      case "open": {
        const { session: number, seed, temperature } = call;
        const session = await (await this.#opened()).open({ seed, temperature, signal });
        if (signal.aborted) {
          await session.close();
          throw new DuplexError("ABORTED", "open: the page gave it up");
        }
        this.#sessions.set(number, session);
        return session.capabilities;
      }
      case "step":
        return this.#session(call.session).step(call.input);
      case "snapshot":
        return this.#session(call.session).snapshot();
      case "restore":
        await this.#session(call.session).restore(call.snapshot);
        return undefined;
      case "close-session":
        await this.#sessions.get(call.session)?.close();
        this.#sessions.delete(call.session);
        return undefined;
      case "close":
        await this.#close();
        return undefined;
    }
  }

  async #load(id: number, options: HostOptions, signal: AbortSignal): Promise<HostReport> {
    const onProgress = (progress: LoadProgress) => this.#send({ id, progress }, []);
    this.#loading ??= loadOnFirstThatKeepsUp(options, this.#source(options), { signal, onProgress });
    try {
      const { report, backend } = await this.#loading;
      void backend.lost.then((lost) => this.#send({ lost }, []));
      return report;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  #source({ modelAt, modelName }: HostOptions): ModelSource {
    if (modelAt === undefined) return this.#fromPage(modelName);
    return this.#read(modelAt, (warning) => this.#send({ warning: failureOf(warning) }, []));
  }

  /** A source whose files the page reads: those of a source that only exists there. */
  #fromPage(name: string): ModelSource {
    return {
      name,
      read: (path, { maxBytes, onProgress } = {}) =>
        new Promise((resolve, reject) => {
          const file = this.#nextFile++;
          this.#files.set(file, { resolve, reject, onProgress });
          this.#send({ file, path, maxBytes }, []);
        }),
    };
  }

  #takeFile(message: Extract<ToWorker, { file: number }>): void {
    const waiting = this.#files.get(message.file);
    if ("done" in message) {
      waiting?.onProgress?.(message.done);
      return;
    }
    this.#files.delete(message.file);
    if ("failure" in message) waiting?.reject(errorOf(message.failure));
    else waiting?.resolve(message.bytes);
  }

  async #opened(): Promise<Engine> {
    if (this.#loading === undefined) throw new DuplexError("BACKEND_FAILED", "open: nothing was loaded in this worker");
    return (await this.#loading).engine;
  }

  async #close(): Promise<void> {
    const loaded = await this.#loading?.catch(() => undefined);
    await loaded?.engine.close();
    await loaded?.backend.close();
  }

  #session(number: number): EngineSession {
    const session = this.#sessions.get(number);
    if (session === undefined) throw new DuplexError("SESSION_CLOSED", "the session was closed");
    return session;
  }
}
