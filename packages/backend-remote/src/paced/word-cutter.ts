// Pieces of a transcript as whole words: what a service sends may end in the middle of one.

/** Characters that are held; a word that is longer is cut. */
const maxPending = 8192;

/** Holds back the word that may go on. */
export class WordCutter {
  #pending = "";
  #fresh = false;

  add(text: string): void {
    this.#pending = (this.#pending + text).slice(0, maxPending);
    if (text !== "") this.#fresh = true;
  }

  /** Adds a piece and takes the whole words. @param end - nothing follows: the last word is whole, too */
  push(text: string, end: boolean): string {
    this.add(text);
    return end ? this.takeAll() : this.take();
  }

  /**
   * The whole words so far, joined with single spaces. The last is whole once a space or a full stop follows it, or nothing more
   * has come since the last call.
   */
  take(): string {
    const fresh = this.#fresh;
    this.#fresh = false;
    if (!fresh) return this.takeAll();
    const cut = Math.max(this.#pending.lastIndexOf(" "), this.#pending.lastIndexOf("\n"));
    // A point after a figure may be that of a decimal.
    const ends = /(^|[^\d])[.]$|[!?…。？！]$/.test(this.#pending);
    if (ends) return this.takeAll();
    if (cut === -1) return "";
    const words = this.#pending.slice(0, cut);
    this.#pending = this.#pending.slice(cut);
    return tidy(words);
  }

  takeAll(): string {
    const words = this.#pending;
    this.#pending = "";
    return tidy(words);
  }

  clear(): void {
    this.#pending = "";
    this.#fresh = false;
  }
}

function tidy(words: string): string {
  return words.trim().replace(/\s+/g, " ");
}
