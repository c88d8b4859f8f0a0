// Words to token ids and back, over a closed vocabulary: whole words, and single characters for the rest.
//
// The file is `{"version": 1, "tokens": [...]}`. Tokens in angle brackets are special (`<pad>`, `<end>`, `<unk>`); `+x` is
// the character x inside a word that has no token of its own; everything else is a whole word, written as `encode` cuts it
// from a text: lower case, composed (NFC), letters, digits and apostrophes.

import { DuplexError } from "../errors.js";

/** Special tokens that every vocabulary begins with. */
export const specialTokens = { pad: 0, end: 1, unknown: 2 } as const;

/** Most tokens of a vocabulary. */
const maxTokens = 1_000_000;

/** Shown for a word that is outside the vocabulary. */
const unknownText = "[?]";

/** Letters with the marks that follow them, digits and apostrophes; ’ only between them, as it also closes a quotation. */
const wordPattern = /(?:\p{L}\p{M}*|[\p{N}'])+(?:’(?:\p{L}\p{M}*|[\p{N}'])+)*/gu;

function wordsOf(text: string): string[] {
  const words = text.toLowerCase().normalize("NFC").match(wordPattern) ?? [];
  return words.map((word) => word.replaceAll("’", "'"));
}

function isSpecial(token: string): boolean {
  return token.startsWith("<") && token.endsWith(">");
}

/** Whether a token is a character inside a word. */
function isCharacter(token: string): boolean {
  return token.length > 1 && token.startsWith("+");
}

/** Encodes and decodes with one vocabulary. */
export class Tokenizer {
  private readonly ids = new Map<string, number>();

  /**
   * @param tokens - by id; the first three are `<pad>`, `<end>`, `<unk>`
   * @throws DuplexError `MODEL_INVALID` if the vocabulary is not one
   */
  constructor(readonly tokens: readonly string[]) {
    const invalid = (problem: string) =>
      new DuplexError("MODEL_INVALID", `tokenizer: ${problem}; export the tokenizer again`);
    if (tokens.length < 3 || tokens.length > maxTokens) {
      throw invalid(`expected 3 to ${maxTokens} tokens, got ${tokens.length}`);
    }
    for (const [id, token] of ["<pad>", "<end>", "<unk>"].entries()) {
      if (tokens[id] !== token) throw invalid(`token ${id} must be "${token}", got ${JSON.stringify(tokens[id])}`);
    }
    for (const [id, token] of tokens.entries()) {
      if (typeof token !== "string" || token === "" || /\s/.test(token)) {
        throw invalid(`token ${id} must be a word without spaces, got ${JSON.stringify(token)}`);
      }
      if (!isSpecial(token) && !isCharacter(token)) {
        const words = wordsOf(token);
        // What holds no word, such as a comma, may still be said.
        if (words.length > 1 || (words.length === 1 && words[0] !== token)) {
          const found = words.map((word) => JSON.stringify(word)).join(" and ");
          throw invalid(`token ${id}, ${JSON.stringify(token)}, is never met: in a text it is ${found}`);
        }
      }
      if (this.ids.has(token)) throw invalid(`token "${token}" occurs twice, as ${this.ids.get(token)} and ${id}`);
      this.ids.set(token, id);
    }
  }

  /** Reads the contents of a tokenizer file. @throws DuplexError `MODEL_INVALID` */
  static parse(json: string): Tokenizer {
    let file: unknown;
    try {
      file = JSON.parse(json);
    } catch (cause) {
      throw new DuplexError("MODEL_INVALID", "tokenizer: not JSON; download the model again", { cause });
    }
    const { version, tokens } = (typeof file === "object" && file !== null ? file : {}) as Record<string, unknown>;
    if (version !== 1 || !Array.isArray(tokens)) {
      throw new DuplexError(
        "MODEL_INVALID",
        `tokenizer: expected {"version": 1, "tokens": [...]}, got version ${JSON.stringify(version)}; update @microturn/core or export again`,
      );
    }
    return new Tokenizer(tokens);
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    return this.ids.get(token);
  }

  /**
   * Token ids of a text: lower-cased, composed (NFC), punctuation dropped but for apostrophes, of which ’ inside a word is
   * one. A word without a token is spelled if the vocabulary has all its characters, else it becomes `<unk>`.
   */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const word of wordsOf(text)) {
      const whole = this.ids.get(word);
      if (whole !== undefined) {
        ids.push(whole);
        continue;
      }
      const characters = Array.from(word, (character) => this.ids.get(`+${character}`));
      if (characters.every((id) => id !== undefined)) ids.push(...characters);
      else ids.push(specialTokens.unknown);
    }
    return ids;
  }

  /** Text of token ids. @throws RangeError if an id is outside the vocabulary */
  decode(ids: Iterable<number>): string {
    const decoder = this.decoder();
    let text = "";
    for (const id of ids) text += decoder.push(id);
    return text.trimStart();
  }

  /** A decoder for tokens that come one by one. */
  decoder(): TokenDecoder {
    return new TokenDecoder(this.tokens);
  }
}

/** Turns tokens into text as they come: each piece is appended to what came before. */
export class TokenDecoder {
  private inWord = false;

  constructor(private readonly tokens: readonly string[]) {}

  /**
   * Text that a token adds, with its leading space; "" for `<pad>` and `<end>`. Characters follow each other without
   * spaces until a word or `<end>` comes.
   *
   * @throws RangeError if the id is outside the vocabulary
   */
  push(id: number): string {
    const token = this.tokens[id];
    if (token === undefined)
      throw new RangeError(`decode: token ${id} is outside the vocabulary of ${this.tokens.length}`);
    if (id === specialTokens.pad) return "";
    const spelled = isCharacter(token);
    const continues = this.inWord && spelled;
    this.inWord = spelled;
    if (id === specialTokens.unknown) return ` ${unknownText}`;
    if (isSpecial(token)) return "";
    if (spelled) return continues ? token.slice(1) : ` ${token.slice(1)}`;
    return ` ${token}`;
  }

  /** Forgets what came before. */
  reset(): void {
    this.inWord = false;
  }

  /** Whether the last token was a character, which the next one may continue. */
  snapshot(): boolean {
    return this.inWord;
  }

  restore(inWord: boolean): void {
    this.inWord = inWord;
  }
}
