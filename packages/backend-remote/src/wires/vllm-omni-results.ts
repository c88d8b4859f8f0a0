// Results of calls on their way to the service: a model waits for its result for ever, so one that was on the line when the
// connection broke is sent again, once it is clear that it has not arrived.

import { type Fields, textOf } from "./openai-realtime-messages.js";

/** Micro-turns after a session was taken up in which the service tells again what we missed, its word for our results too. */
const replayUnits = 5;
/** Results whose arrival is not known; a right service confirms each. */
const maxUnconfirmed = 64;

/** The result of one call. */
export interface OmniResult {
  readonly id: string;
  readonly text: string;
  /** Whether the model is to go on after it. */
  readonly goesOn: boolean;
}

export class OmniResults {
  readonly #unconfirmed = new Map<string, OmniResult>();
  /** Micro-turns until what is not confirmed is sent again; undefined while no connection was lost. */
  #wait: number | undefined;

  /** A session begins: it knows no calls of another. */
  begin(): void {
    this.#unconfirmed.clear();
    this.#wait = undefined;
  }

  sent(result: OmniResult): void {
    this.#unconfirmed.set(result.id, result);
    const [oldest] = this.#unconfirmed.keys();
    if (this.#unconfirmed.size > maxUnconfirmed) this.#unconfirmed.delete(oldest);
  }

  /** The service shows an item of the conversation. */
  shown(item: Fields | undefined): void {
    if (item?.type === "function_call_output") this.#unconfirmed.delete(textOf(item.call_id));
  }

  /** The session goes on over another connection. */
  resumed(): void {
    this.#wait = this.#unconfirmed.size > 0 ? replayUnits : undefined;
  }

  /** A micro-turn. @returns what is to be sent again now */
  unit(): readonly OmniResult[] {
    if (this.#wait === undefined || --this.#wait > 0) return [];
    this.#wait = undefined;
    return [...this.#unconfirmed.values()];
  }
}
