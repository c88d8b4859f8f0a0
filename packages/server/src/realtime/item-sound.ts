// What a message of the assistant sounds like, micro-turn by micro-turn: so that a position in it, in ms, can be found on the
// session clock, and the words up to there.

/** Where a position in the sound of an item lies. */
export interface SoundPlace {
  readonly turnIndex: number;
  /** Share of the micro-turn's sound that lies before it, 0 … 1. */
  readonly share: number;
  readonly fence: number;
}

interface Piece {
  readonly turnIndex: number;
  readonly fence: number;
  readonly fromMs: number;
  readonly words: string;
}

export class ItemSound {
  readonly #turnMs: number;
  readonly #pieces: Piece[] = [];
  /** Where it was cut, ms; the words after that do not count. */
  #cutMs = Number.POSITIVE_INFINITY;
  #playedMs = 0;
  #committedMs = 0;

  /** @param turnMs - length of a micro-turn */
  constructor(turnMs: number) {
    this.#turnMs = turnMs;
  }

  /** Length of what there is, ms. */
  get lengthMs(): number {
    return Math.min(this.#cutMs, this.#turnMs * this.#pieces.length);
  }

  get cut(): boolean {
    return this.#cutMs < Number.POSITIVE_INFINITY;
  }

  get playedMs(): number {
    return this.#playedMs;
  }

  get committedMs(): number {
    return this.#committedMs;
  }

  /** Sound of one more micro-turn. @returns where it begins, ms */
  add(turnIndex: number, fence: number, words: string): number {
    const fromMs = this.#turnMs * this.#pieces.length;
    this.#pieces.push({ turnIndex, fence, fromMs, words });
    return fromMs;
  }

  /** A player has told how far it is; that never falls. */
  acknowledge(playedMs: number, committedMs: number): void {
    this.#playedMs = Math.max(this.#playedMs, playedMs);
    this.#committedMs = Math.max(this.#committedMs, committedMs);
  }

  /** What comes after this is forgotten. */
  truncate(endMs: number): void {
    this.#cutMs = Math.min(this.#cutMs, endMs);
  }

  /** @returns undefined if there is no sound */
  placeOf(ms: number): SoundPlace | undefined {
    const last = this.#pieces.length - 1;
    if (last < 0) return undefined;
    const at = Math.min(last, Math.max(0, Math.ceil(ms / this.#turnMs) - 1));
    const { turnIndex, fence, fromMs } = this.#pieces[at];
    return { turnIndex, fence, share: Math.max(0, Math.min(1, (ms - fromMs) / this.#turnMs)) };
  }

  /** The words whose sound lies before the cut: of those of one micro-turn, each counts from the middle of its part on. */
  get words(): string {
    const heard: string[] = [];
    for (const { fromMs, words } of this.#pieces) {
      const all = words.split(" ").filter((word) => word !== "");
      const share = this.#turnMs / Math.max(1, all.length);
      heard.push(...all.filter((_, i) => fromMs + (i + 0.5) * share <= this.#cutMs));
    }
    return heard.join(" ");
  }
}
