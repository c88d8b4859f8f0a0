// Events that a client may have missed: kept by their numbers until it says that it has them, it is too late to ask, or there
// are too many. Sound is kept as bytes.

import { type EventText, textOf } from "./tell.js";

/** Bounds of an {@link EventJournal}. */
export interface JournalBounds {
  /** Characters and bytes of all events. */
  readonly maxBytes: number;
  readonly maxEvents: number;
  /** How long an event is kept, ms. */
  readonly maxAgeMs: number;
  /** How long one is kept that has arrived, as far as the connection can tell, ms. */
  readonly maxArrivedAgeMs: number;
}

interface KeptEvent extends EventText {
  readonly sequence: number;
  readonly atMs: number;
}

export class EventJournal {
  readonly #bounds: JournalBounds;
  readonly #events: KeptEvent[] = [];
  #bytes = 0;
  #last = 0;
  #arrived = 0;

  constructor(bounds: JournalBounds) {
    this.#bounds = bounds;
  }

  /** Number of the newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest event that is kept. */
  get first(): number {
    return this.#events[0]?.sequence ?? this.#last + 1;
  }

  /** Keeps the next event. @param sequence - `last + 1` */
  add(sequence: number, event: EventText, nowMs: number): void {
    this.#last = sequence;
    this.#events.push({ ...event, sequence, atMs: nowMs });
    this.#bytes += lengthOf(event);
    const { maxBytes, maxEvents } = this.#bounds;
    while (
      this.#events.length > maxEvents ||
      (this.#bytes > maxBytes && this.#events.length > 1) ||
      (this.#events.length > 0 && this.#isOld(this.#events[0], nowMs))
    ) {
      this.#dropFirst();
    }
  }

  /** The client has every event up to this one. */
  acknowledge(sequence: number): void {
    while (this.#events.length > 0 && this.#events[0].sequence <= sequence) this.#dropFirst();
  }

  /** The client's end of the connection has every event up to this one; whether the client has looked at them, it does not tell. */
  arrived(sequence: number): void {
    this.#arrived = Math.max(this.#arrived, sequence);
  }

  /** The events after one, oldest first; undefined if some of them are gone, or it has not come yet. */
  after(sequence: number): readonly string[] | undefined {
    if (sequence > this.#last || sequence < this.first - 1) return undefined;
    return this.#events.filter((event) => event.sequence > sequence).map(textOf);
  }

  clear(): void {
    this.#events.length = 0;
    this.#bytes = 0;
  }

  #isOld({ sequence, atMs }: KeptEvent, nowMs: number): boolean {
    const { maxAgeMs, maxArrivedAgeMs } = this.#bounds;
    return nowMs - atMs > (sequence <= this.#arrived ? maxArrivedAgeMs : maxAgeMs);
  }

  #dropFirst(): void {
    const first = this.#events.shift();
    if (first !== undefined) this.#bytes -= lengthOf(first);
  }
}

function lengthOf({ json, delta }: EventText): number {
  return json.length + (delta?.length ?? 0);
}
