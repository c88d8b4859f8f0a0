// A bounded queue between the session and one reader of its micro-turns (`for await`).

import { DuplexError } from "../errors.js";

/** What a queue asks of the session that fills it. */
export interface TurnQueueOptions {
  /** Items held at most. */
  readonly capacity: number;
  /** Called when the queue becomes full, and when it has room again; absent: a full queue ends with an error. */
  readonly onFull?: () => void;
  readonly onRoom?: () => void;
  /** Called once, when the reader stops. */
  readonly onReturn: () => void;
}

/** An async iterator over pushed items. What is in it is always delivered before its end or its error. */
export class TurnQueue<Item> implements AsyncIterableIterator<Item> {
  readonly #options: TurnQueueOptions;
  readonly #items: Item[] = [];
  #waiting: { resolve: (result: IteratorResult<Item>) => void; reject: (error: unknown) => void }[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #full = false;

  constructor(options: TurnQueueOptions) {
    this.#options = options;
  }

  /** Hands over an item. */
  push(item: Item): void {
    if (this.#ended !== undefined) return;
    const reader = this.#waiting.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: item });
      return;
    }
    const { capacity, onFull } = this.#options;
    if (this.#items.length >= capacity && onFull === undefined) {
      this.end(
        new DuplexError(
          "INPUT_OVERFLOW",
          `reading micro-turns: the reader is ${capacity} micro-turns behind, and a live session does not wait; the ${capacity} are delivered, later ones are not: do less between two reads, or raise maxBufferedTurns`,
        ),
      );
      return;
    }
    this.#items.push(item);
    if (!this.#full && this.#items.length >= capacity) {
      this.#full = true;
      onFull?.();
    }
  }

  /** No more items; `error` is thrown to the reader after those that are there. */
  end(error?: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error === undefined ? {} : { error };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) {
      if (error === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(error);
    }
    // The error goes to one read; later ones see the end.
    if (waiting.length > 0) this.#ended = {};
  }

  next(): Promise<IteratorResult<Item>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      if (this.#full) {
        this.#full = false;
        this.#options.onRoom?.();
      }
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#ended !== undefined) {
      const { error } = this.#ended;
      this.#ended = {};
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Item>> {
    this.#items.length = 0;
    this.end();
    if (this.#full) {
      this.#full = false;
      this.#options.onRoom?.();
    }
    this.#options.onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
