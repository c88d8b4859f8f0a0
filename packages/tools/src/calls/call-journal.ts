// Writes the life of one call into the log of its job: its states, how far it is, and one result at the end.

import type { CallResult, CallState, JobEvent } from "../jobs/job.js";
import type { CallEnding, CallRequest } from "./call-request.js";

/** Longest text of a progress, in characters. */
const maxProgressChars = 2000;

/** What the log says of every state of a call. */
export interface JournalCall {
  readonly key: string;
  readonly arguments: unknown;
  readonly irreversible: boolean;
}

/** The log of one call. */
export class CallJournal {
  readonly #request: CallRequest;
  readonly #spoken: boolean;
  readonly #onFailure: () => void;
  readonly #firstAttempt: number;
  #told: CallState["state"] | undefined;
  #progress: string | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param options.spoken - whether progress is said aloud
   * @param options.onFailure - the log cannot be written: the call has to end
   */
  constructor(request: CallRequest, options: { readonly spoken: boolean; readonly onFailure: () => void }) {
    this.#request = request;
    this.#spoken = options.spoken;
    this.#onFailure = options.onFailure;
    let lastAttempt = 0;
    for (const event of request.log) {
      if (event.type !== "call" || event.call !== request.call) continue;
      this.#told = event.state;
      if (event.state === "running") lastAttempt = Math.max(lastAttempt, event.attempt);
    }
    this.#firstAttempt = lastAttempt + 1;
  }

  /** Why the log could not be written, if it could not. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** The number of the n-th try, n from 1: those before a crash count too. */
  attempt(n: number): number {
    return this.#firstAttempt + n - 1;
  }

  /** The call as it is told in this state. */
  stateOf(call: JournalCall, state: CallState["state"], n = 1): CallState {
    const { call: id, name } = this.#request;
    const { arguments: given, irreversible } = call;
    return { call: id, name, arguments: given, state, irreversible, attempt: this.attempt(n) };
  }

  /** Resolves once the state is kept. One in which the call waits already is not told again after a crash. */
  async state(call: JournalCall, state: CallState["state"], n = 1): Promise<void> {
    if (state !== "running" && state === this.#told) return;
    this.#told = state;
    await this.#append({ type: "call", key: call.key, ...this.stateOf(call, state, n) });
  }

  /** How far it is. While one text is being kept, only the newest of those that come waits: a tool cannot flood the log. */
  progress(text: string): void {
    if (this.#closed) return;
    this.#progress = text.length > maxProgressChars ? `${text.slice(0, maxProgressChars - 1)}…` : text;
    this.#writing ??= this.#writeProgress();
  }

  /** The last that is written of the call. */
  async result(ending: CallEnding): Promise<CallResult> {
    this.#closed = true;
    this.#progress = undefined;
    await this.#writing;
    const { call, name } = this.#request;
    const result: CallResult = { call, name, ...ending };
    await this.#append({ type: "result", ...result });
    return result;
  }

  async #writeProgress(): Promise<void> {
    try {
      for (let text = this.#progress; text !== undefined; text = this.#progress) {
        this.#progress = undefined;
        await this.#append({ type: "progress", call: this.#request.call, text, spoken: this.#spoken });
      }
    } catch {
      // Kept as `failure`.
    }
    this.#writing = undefined;
  }

  async #append(event: JobEvent): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#request.append(event);
    } catch (error) {
      this.#failure ??= { error };
      this.#onFailure();
      throw error;
    }
  }
}
