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
  /** Words of the text that were heard to begin before this position. */
  readonly heard: number;
}

/** Where a text stands: sentence, and position in it. */
export interface ToldPlace {
  readonly part: number;
  readonly at: number;
}

/** What a text is said with. */
export interface ToldVoice {
  readonly acoustic: AcousticModel;
  readonly tokenizer: Tokenizer;
  readonly framesPerPosition: number;
}

/** Says one text, position by position. A word is shown one position before it sounds, as in the model's own replies. */
export class ToldSpeech {
  /** The text it was made of. */
  readonly text: string;
  /** The result of the background that it is, if the session said so. */
  readonly delivery: number | undefined;
  readonly #voice: ToldVoice;
  readonly #parts: readonly string[];
  /** All words, and how many of them come before each part. */
  readonly #words: readonly string[];
  readonly #before: readonly number[];
  #utterance: Utterance | undefined;
  /** Position at which each word of the part is shown, counted from the part's first. */
  #shown: readonly number[] = [];
  #part = 0;
  #at = 0;
  /** Words that have been shown, where some of them are said again. */
  #shownTo = 0;
  #done: boolean;

  /**
   * @param text - as it was handed over; it is brought into its spoken form here
   * @param place - where it goes on, for a snapshot that is restored
   */
  constructor(voice: ToldVoice, text: string, delivery?: number, place: ToldPlace = { part: 0, at: 0 }) {
    this.text = text;
    this.delivery = delivery;
    this.#voice = voice;
    this.#parts = sentencesOf(spokenForm(text));
    const words = this.#parts.map((part) => part.match(wordPattern) ?? []);
    this.#words = words.flat();
    let before = 0;
    this.#before = words.map(({ length }) => {
      before += length;
      return before - length;
    });
    this.#part = place.part;
    this.#at = place.at;
    this.#done = this.#part >= this.#parts.length;
  }

  /** Whether everything has been said, or there is nothing to say. */
  get done(): boolean {
    return this.#done;
  }

  get place(): ToldPlace {
    return { part: this.#part, at: this.#at };
  }

  /** Characters that are to be said in all. */
  get length(): number {
    return this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  /** Output positions until it is done; infinite before its last sentence. */
  get left(): number {
    if (this.#done) return 0;
    return this.#part < this.#parts.length - 1
      ? Number.POSITIVE_INFINITY
      : this.#positions(this.#prepare()) + 1 - this.#at;
  }

  /** The words from one on, by their number. */
  wordsFrom(word: number): string {
    return this.#words.slice(word).join(" ");
  }

  /** Words that were heard to begin so far. */
  get heard(): number {
    if (this.#done) return this.#words.length;
    this.#prepare();
    // A word sounds one position after it is shown.
    return this.#before[this.#part] + this.#shown.filter((at) => at + 1 < this.#at).length;
  }

  /** Goes back to where the word under way begins: what was cut in it is said again, and not shown again. */
  repeatWord(): void {
    if (this.#done) return;
    this.#prepare();
    this.#repeatWord(this.#at);
  }

  /** @param shown - words of the part before this position have been shown */
  #repeatWord(shown: number): void {
    this.#shownTo = this.#before[this.#part] + this.#shown.filter((at) => at < shown).length;
    this.#at = this.#shown.findLast((at) => at < this.#at) ?? 0;
  }

  /**
   * Goes back to where it was cut, and to the beginning of the word that was cut, which was not shown. In the silence after a
   * sentence that is the beginning of the next; what follows the last sentence is nothing.
   */
  backTo({ part, at }: ToldPlace): void {
    this.#part = part;
    this.#at = at;
    this.#done = false;
    this.#utterance = undefined;
    const { frames } = this.#prepare();
    if (at <= Math.ceil(frames / this.#voice.framesPerPosition)) {
      this.#repeatWord(at - 1);
      return;
    }
    this.#part++;
    this.#at = 0;
    this.#utterance = undefined;
    this.#done = this.#part >= this.#parts.length;
  }

  /**
   * Says one more position.
   *
   * @param levels - receives its frames, `[frames per position, mel bins]`
   */
  next(levels: Int32Array): ToldPosition {
    const utterance = this.#prepare();
    const { framesPerPosition, tokenizer } = this.#voice;
    const { heard } = this;
    levels.fill(0);
    // The first position of a part shows its first word and is silent.
    const bins = levels.length / framesPerPosition;
    for (let i = 0; i < framesPerPosition && this.#at > 0; i++) {
      const frame = (this.#at - 1) * framesPerPosition + i;
      if (frame < utterance.frames) utterance.frame(frame, levels.subarray(i * bins, (i + 1) * bins));
    }
    const first = this.#before[this.#part];
    const begin = this.#shown.flatMap((at, i) => (at === this.#at ? [first + i] : []));
    let token: number = specialTokens.pad;
    if (begin.length > 0) token = tokenizer.id(this.#words[begin[begin.length - 1]]) ?? specialTokens.unknown;
    const words = begin.filter((word) => word >= this.#shownTo).map((word) => this.#words[word]);

    this.#at++;
    const length = this.#positions(utterance);
    const last = this.#part === this.#parts.length - 1;
    if (last && this.#at > length) {
      this.#done = true;
      token = specialTokens.end;
    } else if (!last && this.#at >= length + gapPositions) {
      this.#part++;
      this.#at = 0;
      this.#utterance = undefined;
    }
    return { token, words: words.join(" "), heard };
  }

  /** Positions of the part: until it has sounded, and all its words are shown. */
  #positions({ frames }: Utterance): number {
    const sounding = 1 + Math.ceil(frames / this.#voice.framesPerPosition);
    return Math.max(sounding, (this.#shown.at(-1) ?? -1) + 1);
  }

  /** The utterance of the part, made when it is first needed. */
  #prepare(): Utterance {
    if (this.#utterance !== undefined) return this.#utterance;
    const { acoustic, framesPerPosition } = this.#voice;
    const part = this.#parts[this.#part];
    const utterance = acoustic.say(part);
    let at = -1;
    this.#shown = Array.from(part.matchAll(wordPattern), ({ index }) => {
      at = Math.max(at + 1, Math.floor(utterance.starts[index] / framesPerPosition));
      return at;
    });
    this.#utterance = utterance;
    return utterance;
  }
}

/** Sentences of a spoken form, and pieces of those that are too long. */
export function sentencesOf(text: string): string[] {
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
    parts.push(rest);
  }
  return parts.filter((part) => /[a-z]/.test(part));
}
