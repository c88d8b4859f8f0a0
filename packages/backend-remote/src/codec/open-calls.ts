// Calls of functions that wait for their results: all of one batch are answered before the model goes on, and a result
// without an id is that of the call that has waited longest.

import type { TextInput } from "@microturn/core";
import type { WireDelegation } from "../wire.js";

/** Calls that can be open; a service that has more is broken, and the oldest are forgotten. */
const maxCalls = 256;
const maxTaskLength = 500;

interface Call {
  readonly task: string;
  readonly batch: Batch;
}

interface Batch {
  readonly open: Set<string>;
  /** Whether a result is to be spoken about. */
  speaks: boolean;
}

/** What a result is. */
export interface Answer {
  /** The call that it answers; undefined if it answers none that is open. */
  readonly id: string | undefined;
  /** Set with the last result of a batch: whether the model is to go on. */
  readonly goesOn: boolean;
  /** What goes to the service: where it has forgotten the call, the text says what it is the result of. */
  readonly text: string;
}

export class OpenCalls {
  readonly #calls = new Map<string, Call>();
  /** What was asked for by calls that nobody waits for any more, and that have no result yet. */
  readonly #forgotten = new Map<string, string>();

  /** Calls that came together. */
  add(calls: readonly Pick<WireDelegation, "id" | "task">[]): void {
    const batch: Batch = { open: new Set(calls.map(({ id }) => id)), speaks: false };
    for (const { id, task } of calls) {
      this.#forgotten.delete(id);
      this.#calls.set(id, { task: task.slice(0, maxTaskLength), batch });
    }
    for (const id of this.#calls.keys()) {
      if (this.#calls.size <= maxCalls) break;
      this.#forget(id);
    }
  }

  /** Takes a result of the background for the call that it names, or that has waited longest. */
  answer({ delegation, silent, text }: TextInput): Answer {
    const [oldest] = this.#calls.keys();
    const id = delegation === undefined ? oldest : this.#calls.has(delegation) ? delegation : undefined;
    const batch = id === undefined ? undefined : this.#calls.get(id)?.batch;
    if (id === undefined || batch === undefined) {
      const task = this.#forgotten.get(delegation ?? "");
      this.#forgotten.delete(delegation ?? "");
      const told = task === undefined ? text : `Result of ${task}: ${text}`;
      return { id: undefined, goesOn: silent !== true, text: told };
    }
    this.#calls.delete(id);
    batch.open.delete(id);
    if (silent !== true) batch.speaks = true;
    return { id, goesOn: batch.open.size === 0 && batch.speaks, text };
  }

  /** Nobody waits for these any more. */
  clear(): string[] {
    const ids = [...this.#calls.keys()];
    for (const id of ids) this.#forget(id);
    return ids;
  }

  #forget(id: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#forgotten.set(id, call.task);
    const [oldest] = this.#forgotten.keys();
    if (this.#forgotten.size > maxCalls) this.#forgotten.delete(oldest);
  }
}
