// Events that a client may have missed: kept by their numbers until it says that it has them, it is too late to ask, or there
// are too many.

/** Bounds of an {@link EventJournal}. */
export interface JournalBounds {
  /** Characters of all events. */
  readonly maxCharacters: number;
  readonly maxEvents: number;
  /** How long an event is kept, ms. */
  readonly maxAgeMs: number;
}

export class EventJournal {
  readonly #bounds: JournalBounds;
  readonly #events: { readonly sequence: number; readonly text: string; readonly atMs: number }[] = [];
  #characters = 0;
  #last = 0;

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
  add(sequence: number, text: string, nowMs: number): void {
    this.#last = sequence;
    this.#events.push({ sequence, text, atMs: nowMs });
    this.#characters += text.length;
    const { maxCharacters, maxEvents, maxAgeMs } = this.#bounds;
    while (
      this.#events.length > maxEvents ||
      (this.#characters > maxCharacters && this.#events.length > 1) ||
      (this.#events.length > 0 && this.#events[0].atMs < nowMs - maxAgeMs)
    ) {
      this.#dropFirst();
    }
  }

  /** The client has every event up to this one. */
  acknowledge(sequence: number): void {
    while (this.#events.length > 0 && this.#events[0].sequence <= sequence) this.#dropFirst();
  }

  /** The events after one, oldest first; undefined if some of them are gone, or it has not come yet. */
  after(sequence: number): readonly string[] | undefined {
    if (sequence > this.#last || sequence < this.first - 1) return undefined;
    return this.#events.filter((event) => event.sequence > sequence).map(({ text }) => text);
  }

  clear(): void {
    this.#events.length = 0;
    this.#characters = 0;
  }

  #dropFirst(): void {
    this.#characters -= this.#events.shift()?.text.length ?? 0;
  }
}
