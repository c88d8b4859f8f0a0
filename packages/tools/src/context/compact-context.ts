// What of a long conversation goes to the background model: how it began, and as much as fits of how it went on.
// A rule that can be told in one sentence, and that gives the same for the same: no model sums anything up.

import type { ContextEntry } from "../jobs/job.js";
import { keptAtStart } from "./kept-at-start.js";

/** Counted for every entry besides its text: its time and its speaker. */
const entryOverhead = 24;
/** Characters of a conversation that go to the background: some 6 000 tokens of English. */
export const usualContextChars = 24_000;
const smallestBound = 256;

/**
 * Bounds a conversation. The first two entries stay (what it is about), and of the others as many of the newest as fit, without a
 * gap between them; what is left out is thus one stretch, after the second entry. An entry of more than a third of the bound is
 * cut in its middle, where `…` stands then, so that the first two and the newest always fit.
 *
 * An entry counts as the length of its text in UTF-16 units and 24 more. What comes out counts at most `maxChars`, and comes
 * out as it is when it goes in again.
 *
 * @param entries - oldest first
 * @param options.maxChars - at least 256; default 24 000, which is some 6 000 tokens of English
 * @returns the entries, and how many are not among them
 * @throws RangeError if `maxChars` is less than 256
 */
export function compactContext(
  entries: readonly ContextEntry[],
  { maxChars = usualContextChars }: { readonly maxChars?: number } = {},
): { readonly entries: readonly ContextEntry[]; readonly leftOut: number } {
  if (!(maxChars >= smallestBound)) {
    throw new RangeError(`compactContext: maxChars must be at least ${smallestBound}, not ${maxChars}`);
  }
  const longest = Math.floor(maxChars / 3) - entryOverhead;
  const cut = entries.map((entry) => ({ ...entry, text: cutMiddle(entry.text, longest) }));
  const start = cut.slice(0, keptAtStart);
  let room = maxChars - start.reduce((sum, entry) => sum + cost(entry), 0);
  let from = cut.length;
  for (; from > start.length; from--) {
    const entry = cut[from - 1] as ContextEntry;
    if (cost(entry) > room) break;
    room -= cost(entry);
  }
  return { entries: [...start, ...cut.slice(from)], leftOut: from - start.length };
}

function cost(entry: ContextEntry): number {
  return entry.text.length + entryOverhead;
}

/** A text, or its beginning and its end with `…` between them where it is longer than `length`. */
export function cutMiddle(text: string, length: number): string {
  if (text.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  const tail = length - 1 - head;
  // Half of a surrogate pair is no character: it goes.
  const before = text.slice(0, head).replace(/[\uD800-\uDBFF]$/, "");
  const after = text.slice(text.length - tail).replace(/^[\uDC00-\uDFFF]/, "");
  return `${before}…${after}`;
}
