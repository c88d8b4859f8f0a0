// When the words of a reply are said, by the marks that come with its sound: up to so many characters are over at so many ms.

import { fieldsOf } from "./openai-realtime-messages.js";
import { countOf } from "./vllm-omni-messages.js";

/** Marks that are kept: the words they are of come right behind them. */
const maxMarks = 256;

interface Mark {
  readonly characters: number;
  /** From when to when the characters since the mark before are said. */
  readonly startMs: number;
  readonly endMs: number;
}

/** A word, with the space behind it. */
export interface TimedWord {
  readonly text: string;
  /** From the start of the reply's sound; undefined where no mark covers it. */
  readonly atMs: number | undefined;
}

export class MarkedText {
  /** The last mark before the words that are to come, and those behind it. Both counts rise from mark to mark. */
  #from: Mark = { characters: 0, startMs: 0, endMs: 0 };
  #marks: Mark[] = [];
  /** Characters so far: code points, as Python counts. */
  #said = 0;

  /**
   * @param marks - `audio_text_marks` of the service, counted from the start of the reply
   * @param fromMs - where the sound begins that they came with
   */
  mark(marks: unknown, fromMs: number): void {
    if (!Array.isArray(marks)) return;
    for (const one of marks.slice(-maxMarks)) {
      const fields = fieldsOf(one);
      const characters = countOf(fields?.text_chars);
      const endMs = countOf(fields?.audio_end_ms);
      const last = this.#marks.at(-1) ?? this.#from;
      if (characters === undefined || endMs === undefined) continue;
      if (characters <= last.characters || endMs < last.endMs) continue;
      this.#marks.push({ characters, startMs: Math.max(last.endMs, Math.min(fromMs, endMs)), endMs });
    }
    if (this.#marks.length > maxMarks) this.#marks.splice(0, this.#marks.length - maxMarks);
  }

  /** Words that go on from those before. */
  add(text: string): TimedWord[] {
    return (text.match(/\S+\s*|\s+/g) ?? []).map((word) => {
      const atMs = this.#timeOf(this.#said);
      this.#said += lengthOf(word);
      return { text: word, atMs };
    });
  }

  /** When a character is said: evenly between the marks around it. */
  #timeOf(at: number): number | undefined {
    while (this.#marks.length > 0 && this.#marks[0].characters <= at) this.#from = this.#marks.shift() as Mark;
    const [next] = this.#marks;
    if (next === undefined) return undefined;
    const share = Math.max(0, at - this.#from.characters) / (next.characters - this.#from.characters);
    return next.startMs + share * (next.endMs - next.startMs);
  }
}

/** Code points of a text. */
function lengthOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
