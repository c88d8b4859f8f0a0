// Words of an answer on their way from a language model to a voice: whole ones, each of them once.
// Tokens end inside words, and a model that is asked to go on after a fault likes to begin again with what it had said.

/** Scripts that set no spaces between words: in these every character may be the last of a delta. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3000-\u303F\uFF00-\uFFEF]/u;
const longestHeld = 200;

/** Holds back the beginning of a word until the rest of it is there. Also keeps what is cut off by a fault from ending in a word. */
export class WholeWords {
  #held = "";

  /** Takes tokens; gives what ends at the end of a word. */
  push(text: string): string {
    this.#held += text;
    let end = this.#held.length;
    while (end > 0) {
      const before = this.#held.codePointAt(end - 1) as number;
      const char = String.fromCodePoint(before);
      if (/\s/.test(char) || unspaced.test(char)) break;
      end--;
    }
    if (end === 0 && this.#held.length > longestHeld) end = this.#held.length;
    const whole = this.#held.slice(0, end);
    this.#held = this.#held.slice(end);
    return whole;
  }

  /** What was held back: the text is over. */
  flush(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}

/** Fewer words than this, said again, may be meant so ("very, very"). */
const fewestRepeated = 3;
/** How far back a repetition is looked for. */
const lookBack = 2000;

/**
 * Takes out of the continuation of a text what the text has already: if it begins anew, or with the last words once more. What could
 * still become either is held back.
 */
export class WithoutRepeating {
  readonly #said: string;
  readonly #endsInSpace: boolean;
  readonly #starts: readonly number[];
  #held = "";
  #decided: boolean;

  /** @param said - the text so far; with "", everything comes through */
  constructor(said: string) {
    this.#said = said.trimEnd();
    this.#decided = this.#said === "";
    this.#endsInSpace = said !== this.#said;
    const starts = [...this.#said.matchAll(/(?<=^|\s)\S/g)].map((match) => match.index);
    const tooFar = this.#said.length - lookBack;
    this.#starts = starts.filter((start, index) => index === 0 || start >= tooFar);
  }

  push(text: string): string {
    if (this.#decided) return text;
    this.#held += text;
    const begun = this.#held.trimStart();
    if (begun === "" || this.#starts.some((start) => this.#mayBecome(start, begun))) return "";
    return this.#decide();
  }

  flush(): string {
    return this.#decided ? "" : this.#decide();
  }

  #mayBecome(start: number, begun: string): boolean {
    return begun.length <= this.#said.length - start && this.#said.startsWith(begun, start);
  }

  #decide(): string {
    this.#decided = true;
    const begun = this.#held.trimStart();
    for (const [index, start] of this.#starts.entries()) {
      const repeated = this.#said.slice(start);
      const enough = index === 0 || this.#starts.length - index >= fewestRepeated;
      if (!enough) break;
      // Began anew, and was over before it came to anything else.
      if (index === 0 && this.#said.startsWith(begun) && words(begun) >= fewestRepeated) return "";
      const rest = begun.slice(repeated.length);
      const wordEnds = !/^[\p{L}\p{N}]/u.test(rest) || unspaced.test(repeated.at(-1) ?? "");
      if (begun.startsWith(repeated) && wordEnds) return this.#join(rest);
    }
    return this.#join(/^\s/.test(this.#held) ? ` ${begun}` : begun);
  }

  #join(rest: string): string {
    if (this.#endsInSpace) return rest.trimStart();
    const close = unspaced.test(rest[0] ?? "") || unspaced.test(this.#said.at(-1) ?? "");
    return /^[\p{L}\p{N}]/u.test(rest) && !close ? ` ${rest}` : rest;
  }
}

function words(text: string): number {
  return text.trim().split(/\s+/).length;
}
