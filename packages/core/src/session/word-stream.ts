// Whole words from tokens that come micro-turn by micro-turn.

import { specialTokens, type Tokenizer } from "../model/tokenizer.js";

/** Collects the tokens of one voice. A word that is spelled over several tokens is given once it is complete. */
export class WordStream {
  readonly #tokenizer: Tokenizer;
  /** A word whose spelling goes on. */
  #spelling = "";

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * The words that the tokens of a micro-turn complete, with single spaces between them. A spelled word is complete with
   * the next word, with `<end>`, or with a micro-turn in which its spelling does not go on.
   *
   * @param ids - tokens of all output positions, oldest first
   */
  turn(ids: Int32Array): string {
    const words: string[] = [];
    let spelled = false;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (id === specialTokens.pad) continue;
      const token = this.#tokenizer.tokens[id] ?? "";
      if (token.length > 1 && token.startsWith("+")) {
        this.#spelling += token.slice(1);
        spelled = true;
        continue;
      }
      this.#complete(words);
      const text = this.#tokenizer.decode([id]);
      if (text !== "") words.push(text);
    }
    if (!spelled) this.#complete(words);
    return words.length === 0 ? "" : words.join(" ");
  }

  /** Forgets a word that is being spelled. */
  reset(): void {
    this.#spelling = "";
  }

  snapshot(): string {
    return this.#spelling;
  }

  restore(spelling: string): void {
    this.#spelling = spelling;
  }

  #complete(words: string[]): void {
    if (this.#spelling !== "") words.push(this.#spelling);
    this.#spelling = "";
  }
}
