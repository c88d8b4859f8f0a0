// Places words on a line of time: each where it was said when there is room, else pushed on inside its phrase.

/** A word and when it came. */
export interface TimedText {
  readonly timeMs: number;
  readonly text: string;
  /** Index of the micro-turn it came in. */
  readonly turn: number;
  /** Begins a phrase, however close the last word is: what it belonged to was over, or given up. */
  readonly fresh?: boolean;
}

/** Words said without a pause, as one text. */
export interface Phrase {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly turn: number;
}

/** A piece of text at a place. */
export interface PlacedText {
  readonly x: number;
  readonly row: number;
  readonly text: string;
  readonly turn: number;
}

/** Joins pieces of text that follow each other within `gapMs`. Pieces carry their own spaces, or are whole words. */
export function phrases(pieces: readonly TimedText[], gapMs = 1_200): Phrase[] {
  const found: { startMs: number; endMs: number; text: string; turn: number }[] = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last !== undefined && piece.fresh !== true && piece.timeMs - last.endMs < gapMs) {
      last.text = joinText(last.text, piece.text);
      last.endMs = piece.timeMs;
    } else found.push({ startMs: piece.timeMs, endMs: piece.timeMs, text: piece.text.trim(), turn: piece.turn });
  }
  return found;
}

/** Two pieces of a text with one space between them, none before punctuation. */
export function joinText(before: string, after: string): string {
  const next = after.trim();
  if (next === "") return before;
  return before === "" || /^[,.!?;:]/.test(next) ? before + next : `${before} ${next}`;
}

/**
 * Lays out phrases in `rows` rows so that none runs into another.
 *
 * @param x - time in ms to pixels
 * @param measure - width of a text in pixels
 * @param width - pixels on screen; what lies outside is left out
 */
export function placePhrases(
  list: readonly Phrase[],
  x: (timeMs: number) => number,
  measure: (text: string) => number,
  { rows, width, gap = 10 }: { rows: number; width: number; gap?: number },
): PlacedText[] {
  const placed: PlacedText[] = [];
  const free = new Array<number>(rows).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < list.length; i++) {
    const phrase = list[i];
    const at = x(phrase.startMs);
    if (at > width) break;
    // The next phrases take the other rows, so this one may run until the phrase after those.
    const until = i + rows < list.length ? x(list[i + rows].startMs) - gap : Number.POSITIVE_INFINITY;
    const row = free.findIndex((end) => end <= at);
    if (until < 0 || row < 0) continue;
    const text = shorten(phrase.text, until - at, measure);
    if (text === "") continue;
    if (at + measure(text) < 0) continue;
    // A phrase that began left of the screen stays readable at its edge.
    const shown = at < 0 ? Math.max(at, Math.min(4, until - measure(text))) : at;
    placed.push({ x: shown, row, text, turn: phrase.turn });
    free[row] = shown + measure(text) + gap;
  }
  return placed;
}

/** The text, or as much of it as fits in `room` pixels with an ellipsis, or nothing. */
export function shorten(text: string, room: number, measure: (text: string) => number): string {
  if (measure(text) <= room) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(`${text.slice(0, middle).trimEnd()}…`) <= room) low = middle;
    else high = middle - 1;
  }
  return low < 2 ? "" : `${text.slice(0, low).trimEnd()}…`;
}
