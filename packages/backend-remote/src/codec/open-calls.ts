// Calls of functions that wait for their results: all of one batch are answered before the model goes on, and a result
// without an id is that of the call that has waited longest.

import type { TextInput } from "@microturn/core";

/** Calls that can be open; a service that has more is broken, and the oldest are forgotten. */
const maxCalls = 256;

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
}

export class OpenCalls {
  readonly #calls = new Map<string, Batch>();

  /** Calls that came together. */
  add(ids: readonly string[]): void {
    const batch: Batch = { open: new Set(ids), speaks: false };
    for (const id of ids) this.#calls.set(id, batch);
    for (const id of this.#calls.keys()) {
      if (this.#calls.size <= maxCalls) break;
      this.#calls.delete(id);
    }
  }

  /** Takes a result of the background for the call that it names, or that has waited longest. */
  answer({ delegation, silent }: TextInput): Answer {
    const [oldest] = this.#calls.keys();
    const id = delegation === undefined ? oldest : this.#calls.has(delegation) ? delegation : undefined;
    const batch = id === undefined ? undefined : this.#calls.get(id);
    if (id === undefined || batch === undefined) return { id: undefined, goesOn: silent !== true };
    this.#calls.delete(id);
    batch.open.delete(id);
    if (silent !== true) batch.speaks = true;
    return { id, goesOn: batch.open.size === 0 && batch.speaks };
  }

  /** Nobody waits for these any more. */
  clear(): string[] {
    const ids = [...this.#calls.keys()];
    this.#calls.clear();
    return ids;
  }
}
