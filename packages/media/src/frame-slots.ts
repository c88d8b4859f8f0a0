// When to look: the newest image before each border, a few times per micro-turn, on the session clock.

/** A picture is taken this long before its border, ms: turning it into bytes takes a while. */
const leadMs = 15;

/** Divides each micro-turn into slots of equal length, with one image at the end of each. */
export class FrameSlots {
  readonly #turnDurationMs: number;
  readonly #imagesPerTurn: number;
  #planned = Number.NaN;
  #turn = Number.NaN;
  #taken = 0;

  /**
   * @param turnDurationMs - length of a micro-turn, ms
   * @param imagesPerTurn - 1 or more
   */
  constructor(turnDurationMs: number, imagesPerTurn: number) {
    this.#turnDurationMs = turnDurationMs;
    this.#imagesPerTurn = imagesPerTurn;
  }

  /**
   * A new frame is there.
   *
   * @param timeMs - session clock
   * @returns how long to wait until the picture of this slot is to be taken, ms; undefined if that is planned already
   */
  plan(timeMs: number): number | undefined {
    const length = this.#turnDurationMs / this.#imagesPerTurn;
    // What is within the lead of a border belongs to the slot after it.
    const slot = Math.floor((timeMs + leadMs) / length);
    if (slot === this.#planned) return undefined;
    this.#planned = slot;
    return (slot + 1) * length - leadMs - timeMs;
  }

  /** Whether a picture may be taken now: a micro-turn gets no more than its share, also when timers come late. */
  take(timeMs: number): boolean {
    const turn = Math.floor(timeMs / this.#turnDurationMs);
    this.#taken = turn === this.#turn ? this.#taken + 1 : 1;
    this.#turn = turn;
    return this.#taken <= this.#imagesPerTurn;
  }
}
