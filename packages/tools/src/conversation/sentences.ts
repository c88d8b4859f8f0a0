// Words that come a few letters at a time, collected into sentences: what is said should not stop in the middle of one.

/** Longest piece; a longer sentence is cut at a comma or a space. */
const maxPieceLength = 400;
/** A piece is not cut before this. */
const minCutLength = 40;
/** A point after these ends no sentence. */
const abbreviation = /(?:^|[\s(])(?:dr|mr|mrs|ms|prof|st|no|vs|approx|e\.g|i\.e|etc|fig|z\.b|bzw)\.$/i;
const ended = /[.!?…]["'”’)\]]*\s$|[。！？]["'”’)\]]*\s*$|\n\s*$/u;

/** Splits into sentences; gives the pieces of the text in order, nothing left out. */
type Split = (text: string) => string[];

/** Collects words into sentences. */
export class Sentences {
  readonly #split: Split = splitter();
  #held = "";

  /** Takes more words; gives the sentences that are complete, without the space around them. */
  push(text: string): string[] {
    this.#held += text;
    const pieces = joinAbbreviations(this.#split(this.#held));
    const last = pieces.at(-1) ?? "";
    // What comes last may go on: "3." may become "3.5".
    const whole = ended.test(last) && !abbreviation.test(last.trimEnd()) ? pieces.length : pieces.length - 1;
    this.#held = pieces.slice(Math.max(0, whole)).join("");
    const out = pieces.slice(0, Math.max(0, whole)).flatMap(cut);
    while (this.#held.length > maxPieceLength) {
      const at = cutPlace(this.#held);
      out.push(this.#held.slice(0, at));
      this.#held = this.#held.slice(at);
    }
    return out.map((piece) => piece.trim()).filter((piece) => piece !== "");
  }

  /** What is left. */
  end(): string[] {
    const rest = this.#held;
    this.#held = "";
    return joinAbbreviations(this.#split(rest))
      .flatMap(cut)
      .map((piece) => piece.trim())
      .filter((piece) => piece !== "");
  }
}

function splitter(): Split {
  if (typeof Intl === "undefined" || Intl.Segmenter === undefined) return splitAtPunctuation;
  const segmenter = new Intl.Segmenter(undefined, { granularity: "sentence" });
  return (text) => Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Where the platform cannot tell: after a point, a question or an exclamation mark with white space behind it. */
export function splitAtPunctuation(text: string): string[] {
  return (
    text
      .match(/[^.!?…。！？\n]*(?:[.!?…]+["'”’)\]]*(?:\s+|$)|[。！？]+["'”’)\]]*\s*|\n\s*|[.!?…]+|$)/gu)
      ?.filter((one) => one !== "") ?? []
  );
}

function joinAbbreviations(pieces: readonly string[]): string[] {
  const out: string[] = [];
  for (const piece of pieces) {
    const before = out.at(-1);
    if (before !== undefined && abbreviation.test(before.trimEnd())) out[out.length - 1] = before + piece;
    else out.push(piece);
  }
  return out;
}

/** A sentence in pieces that are not too long. */
function cut(sentence: string): string[] {
  const out: string[] = [];
  let rest = sentence;
  while (rest.trim().length > maxPieceLength) {
    const at = cutPlace(rest);
    out.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  out.push(rest);
  return out;
}

/** Where a text that is too long is cut: after a comma or the like, else after a space, else where it must be. */
function cutPlace(text: string): number {
  for (const places of [/[,;:，；：、–—]\s?/gu, /\s+/gu]) {
    let at = 0;
    for (const match of text.slice(0, maxPieceLength).matchAll(places)) at = match.index + match[0].length;
    if (at >= minCutLength) return at;
  }
  // Not in the middle of a character.
  return /[\ud800-\udbff]/.test(text[maxPieceLength - 1]) ? maxPieceLength - 1 : maxPieceLength;
}
