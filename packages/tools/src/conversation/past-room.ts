// How much is kept of conversations whose sessions are over: each has its own bound in words, but images are large, and users many.

/** What was said and seen; images in base64. */
const maxChars = 64 * 1024 * 1024;

/** Something that is kept until there is no room for it. */
export interface Kept {
  /** Lets go of it all. */
  clear(): void;
}

/** Room for the past of all conversations of a background. Without room, what has been kept longest goes. */
export class PastRoom {
  readonly #maxChars: number;
  readonly #kept = new Map<Kept, number>();
  #chars = 0;

  constructor(most = maxChars) {
    this.#maxChars = most;
  }

  /** How long it is now; 0 if nothing is left. */
  hold(past: Kept, chars: number): void {
    this.#chars += chars - (this.#kept.get(past) ?? 0);
    this.#kept.delete(past);
    if (chars === 0) return;
    this.#kept.set(past, chars);
    for (const oldest of this.#kept.keys()) {
      if (this.#chars <= this.#maxChars) return;
      oldest.clear(); // which says that nothing of it is left
    }
  }
}
