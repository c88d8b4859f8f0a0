// How much a client may send: a bucket that fills with time and is emptied by what comes.

export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  #left: number;
  #atMs: number;

  /**
   * @param perSecond - what comes in steadily
   * @param burst - what may come at once
   */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#left = burst;
    this.#atMs = nowMs;
  }

  /** Takes `count` if it is there. */
  take(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }

  /** Takes `count` in any case. @returns how long to wait before using it, ms */
  borrow(count: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#left -= count;
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs;
  }

  #fill(nowMs: number): void {
    // A clock that jumps back gives nothing and takes nothing.
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#left = Math.min(this.#burst, this.#left + passedMs * this.#perMs);
    this.#atMs = nowMs;
  }
}
