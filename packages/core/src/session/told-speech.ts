// A text that a model was told to say, laid out over output positions as its own replies are: docs/models.md.

import type { AcousticModel, Utterance } from "../audio/acoustic-model.js";
import { specialTokens, type Tokenizer } from "../model/tokenizer.js";
import { spokenForm } from "../text/spoken-form.js";

/** Silent output positions between two sentences: 300 ms. */
const gapPositions = 6;
/** Characters that are prepared at a time; a longer sentence is cut between words, at a comma if there is one. */
const longestPart = 100;

const wordPattern = /[a-z']+/g;

/** What an output position says of it. */
export interface ToldPosition {
  /** Token that the model is fed: of the word that begins here, `<end>` at the end, else `<pad>`. */
  readonly token: number;
  /** The words that begin here, as they are shown; "" if none. */
  readonly words: string;
}

/** Says one text, position by position. A word is shown one position before it sounds, as in the model's own replies. */
export class ToldSpeech {
  /** The text it was made of. */
  readonly text: string;
  readonly #model: AcousticModel;
  readonly #tokenizer: Tokenizer;
  readonly #framesPerPosition: number;
  readonly #parts: readonly string[];
  #part = -1;
  #utterance: Utterance | undefined;
  /** Words of the part with the position at which each is shown, counted from the part's first. */
  #words: { readonly word: string; readonly at: number }[] = [];
  /** Position within the part, and within the text. */
  #at = 0;
  #position = 0;
  #done = false;

  /**
   * @param text - as it was handed over; it is brought into its spoken form here
   * @param from - output positions that have been said already, for a snapshot that is restored
   */
  constructor(model: AcousticModel, tokenizer: Tokenizer, framesPerPosition: number, text: string, from = 0) {
    this.text = text;
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#framesPerPosition = framesPerPosition;
    this.#parts = partsOf(spokenForm(text));
    this.#done = this.#parts.length === 0;
    const unheard = new Int32Array(0);
    while (this.#position < from && !this.#done) this.next(unheard);
  }

  /** Whether everything has been said, or there is nothing to say. */
  get done(): boolean {
    return this.#done;
  }

  /** Output positions said. */
  get position(): number {
    return this.#position;
  }

  /**
   * Says one more position.
   *
   * @param levels - receives its frames, `[frames per position, mel bins]`; empty if nobody wants them
   */
  next(levels: Int32Array): ToldPosition {
    levels.fill(0);
    if (this.#utterance === undefined) this.#begin();
    const utterance = this.#utterance as Utterance;
    // The first position of a part shows its first word and is silent.
    const first = (this.#at - 1) * this.#framesPerPosition;
    const bins = levels.length / this.#framesPerPosition;
    for (let frame = 0; frame < this.#framesPerPosition && this.#at > 0 && levels.length > 0; frame++) {
      if (first + frame >= utterance.frames) break;
      utterance.frame(first + frame, levels.subarray(frame * bins, (frame + 1) * bins));
    }
    const words: string[] = [];
    while (this.#words.length > 0 && this.#words[0].at <= this.#at) words.push(this.#words.shift()?.word ?? "");
    let token: number = specialTokens.pad;
    if (words.length > 0) token = this.#tokenizer.id(words[words.length - 1]) ?? specialTokens.unknown;
    this.#at++;
    this.#position++;
    const sounding = 1 + Math.ceil(utterance.frames / this.#framesPerPosition);
    const last = this.#part === this.#parts.length - 1;
    if (last && this.#at > sounding && this.#words.length === 0) {
      this.#done = true;
      token = specialTokens.end;
    } else if (!last && this.#at >= sounding + gapPositions && this.#words.length === 0) this.#utterance = undefined;
    return { token, words: words.join(" ") };
  }

  /** The words that have not begun, in their spoken form. */
  get unsaid(): string {
    const now = this.#words.map(({ word }) => word);
    return [...now, ...this.#parts.slice(this.#part + 1).flatMap((part) => part.match(wordPattern) ?? [])].join(" ");
  }

  #begin(): void {
    this.#part++;
    this.#at = 0;
    const part = this.#parts[this.#part];
    this.#utterance = this.#model.say(part);
    const { starts } = this.#utterance;
    let at = -1;
    this.#words = [];
    for (const { 0: word, index } of part.matchAll(wordPattern)) {
      at = Math.max(at + 1, Math.floor(starts[index] / this.#framesPerPosition));
      this.#words.push({ word, at });
    }
  }
}

/** Sentences, and pieces of those that are too long. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (const sentence of text.match(/[^.?]+[.?]?/g) ?? []) {
    let rest = sentence.trim();
    while (rest.length > longestPart) {
      const comma = rest.lastIndexOf(", ", longestPart);
      const space = rest.lastIndexOf(" ", longestPart);
      const cut = comma > longestPart / 3 ? comma + 1 : space > 0 ? space : longestPart;
      parts.push(rest.slice(0, cut).trim());
      rest = rest.slice(cut).trim();
    }
    if (/[a-z]/.test(rest)) parts.push(rest);
  }
  return parts;
}
