// What was said so far, with the micro-turn of every word of the assistant, and what of it was heard (rule 4).
// Words are never taken out here: which sound was flushed is kept beside them, so that a rewind finds both as they were.

import type { PlaybackPosition } from "../engine.js";
import type { ConversationEntry } from "./events.js";

/** Bounds of a conversation (rule 8). */
const maxStretches = 256;
const maxStretchLength = 2000;
/** Flushes that are remembered: one for every stretch that could have been cut. */
const maxFlushes = maxStretches;

/** A stretch of words of one speaker. */
export interface Stretch extends ConversationEntry {
  /** Where the words of each micro-turn begin in `text`; absent if all of it was heard. */
  readonly marks?: readonly Mark[];
}

interface Mark {
  readonly turnIndex: number;
  readonly at: number;
}

/** Sound of the assistant that was flushed before it was heard. */
export interface UnheardSound {
  /** What was heard last. */
  readonly from: PlaybackPosition;
  /** The first micro-turn since whose sound is not part of it. */
  readonly until: number;
}

/** What a session knows of its conversation. */
export interface Said {
  readonly conversation: readonly Stretch[];
  readonly unheard: readonly UnheardSound[];
  readonly rules: { readonly outputTurnSamples: number };
}

/** Adds words that enter or are said in a micro-turn. */
export function say(
  stretches: readonly Stretch[],
  speaker: ConversationEntry["speaker"],
  text: string,
  turnIndex: number,
): readonly Stretch[] {
  if (text === "") return stretches;
  const last = stretches.at(-1);
  const joins = last?.speaker === speaker && last.text.length + text.length < maxStretchLength;
  const marks = joins ? marksOf(last) : [];
  const at = joins ? last.text.length + 1 : 0;
  const stretch: Stretch = {
    ...(joins
      ? { ...last, text: `${last.text} ${text}` }
      : { speaker, text: text.slice(0, maxStretchLength), turnIndex }),
    ...(speaker === "assistant" ? { marks: [...marks, { turnIndex, at }] } : {}),
  };
  return [...(joins ? stretches.slice(0, -1) : stretches), stretch].slice(-maxStretches);
}

/** Remembers sound that was flushed before it was heard. */
export function addUnheard(before: readonly UnheardSound[], sound: UnheardSound): readonly UnheardSound[] {
  // If nothing was heard since the flush before, this one takes more of the same.
  const others = before.at(-1)?.from === sound.from ? before.slice(0, -1) : before;
  return [...others, sound].slice(-maxFlushes);
}

/** What was flushed of the sound before micro-turn `turn`. */
export function unheardBefore(unheard: readonly UnheardSound[], turn: number): readonly UnheardSound[] {
  return unheard
    .filter(({ from }) => from.turnIndex < turn)
    .map(({ from, until }) => ({ from, until: Math.min(until, turn) }));
}

/** The conversation as it was heard: the words of sound that was flushed before it was heard are not in it. */
export function heardConversation(said: Said): readonly ConversationEntry[] {
  return said.conversation.flatMap((stretch) => {
    const { marks, ...entry } = stretch;
    if (marks === undefined) return [entry];
    const heard = piecesOf(stretch).flatMap(({ turnIndex, words }) => {
      const text = words.slice(0, wordsHeard(said, turnIndex, words, said.unheard)).join(" ");
      return text === "" ? [] : [{ turnIndex, text }];
    });
    if (heard.length === 0) return [];
    const turnIndex = Math.max(entry.turnIndex, heard[0].turnIndex);
    return [{ ...entry, turnIndex, text: heard.map(({ text }) => text).join(" ") }];
  });
}

/** The words of sound that is flushed now; those that an earlier flush took are not told again. */
export function unheardWords(said: Said, flushed: UnheardSound): string {
  const unheard = said.conversation.flatMap((stretch) =>
    piecesOf(stretch).flatMap(({ turnIndex, words }) => {
      const before = wordsHeard(said, turnIndex, words, said.unheard);
      return words.slice(wordsHeard(said, turnIndex, words, [flushed]), before);
    }),
  );
  return unheard.join(" ");
}

/** How many of a micro-turn's words were heard: they are spread evenly over its sound, and each counts from its middle on. */
function wordsHeard(
  { rules }: Said,
  turnIndex: number,
  words: readonly string[],
  unheard: readonly UnheardSound[],
): number {
  let samples = rules.outputTurnSamples;
  for (const { from, until } of unheard) {
    if (turnIndex < from.turnIndex || turnIndex >= until) continue;
    samples = Math.min(samples, turnIndex === from.turnIndex ? from.samples : 0);
  }
  return Math.round((words.length * samples) / rules.outputTurnSamples);
}

/** The words of each micro-turn of a stretch of the assistant; none where all of it was heard. */
function piecesOf({ text, marks = [] }: Stretch): { readonly turnIndex: number; readonly words: readonly string[] }[] {
  return marks.map(({ turnIndex, at }, i) => {
    const end = i + 1 < marks.length ? marks[i + 1].at - 1 : text.length;
    return { turnIndex, words: text.slice(at, end).split(/\s+/) };
  });
}

/** The marks of a stretch to which words are added. Words that were all heard get one before all that can be flushed. */
function marksOf({ marks }: Stretch): readonly Mark[] {
  return marks ?? [{ turnIndex: -1, at: 0 }];
}
