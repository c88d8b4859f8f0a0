// What was said by both sides, in lines: the words of one speaker join a line until the speaker has paused. Words of the assistant
// that nobody heard, as their sound was flushed, are taken out again (rule 4).

/** A stretch of words of one side. */
export interface TranscriptLine {
  readonly speaker: "user" | "assistant";
  readonly text: string;
  /** Micro-turn of its first word. */
  readonly turnIndex: number;
  /** Micro-turn of its last word. */
  readonly lastTurnIndex: number;
  /** The assistant was cut off here: what it had still to say, or its sound, was given up. */
  readonly interrupted: boolean;
}

/** A line that knows where the words of each micro-turn begin in its text. */
interface MarkedLine extends TranscriptLine {
  readonly marks: readonly { readonly turnIndex: number; readonly at: number }[];
}

/** A speaker who is silent for longer than this begins a new line, micro-turns. */
const pauseTurns = 5;
/** The oldest lines go. */
const maxLines = 500;

/** A transcript; none of its methods changes it, each gives another one. */
export class Transcript {
  readonly #lines: readonly MarkedLine[];

  constructor(lines: readonly MarkedLine[] = []) {
    this.#lines = lines;
  }

  /** Oldest first. The same array until something changes. */
  get lines(): readonly TranscriptLine[] {
    return this.#lines;
  }

  /** With new words of a speaker. */
  add(speaker: TranscriptLine["speaker"], text: string, turnIndex: number): Transcript {
    // Both may speak at once: their words then go on in the last line of each.
    const at = this.#lastOf(speaker, this.#lines.length - 2);
    const line = this.#lines[at];
    if (line === undefined || line.interrupted || turnIndex - line.lastTurnIndex > pauseTurns) {
      const first = { speaker, text, turnIndex, lastTurnIndex: turnIndex, interrupted: false };
      return new Transcript([...this.#lines, { ...first, marks: [{ turnIndex, at: 0 }] }].slice(-maxLines));
    }
    const marks = [...line.marks, { turnIndex, at: line.text.length + 1 }];
    return this.#with(at, { ...line, text: `${line.text} ${text}`, lastTurnIndex: turnIndex, marks });
  }

  /**
   * After a flush: the assistant's line ends where it stopped being heard.
   *
   * @param unheard - the tail of its words that nobody heard, joined with spaces; a flush event has them
   * @param cutOffAt - micro-turn in which it gave up the floor; absent if it may have been silent already
   */
  flush(unheard: string, cutOffAt?: number): Transcript {
    let left = wordsOf(unheard).length;
    let after: Transcript = this;
    while (left > 0) {
      const at = after.#lastOf("assistant");
      const line = after.#lines[at];
      if (line === undefined) return after;
      const words = wordsOf(line.text);
      const kept = words.length - left;
      left -= words.length;
      const end = kept > 0 ? words[kept - 1].index + words[kept - 1][0].length : 0;
      after = after.#with(at, cut(line, end, true));
    }
    const at = after.#lastOf("assistant");
    const line = after.#lines[at];
    if (line === undefined || cutOffAt === undefined || cutOffAt - line.lastTurnIndex > pauseTurns) return after;
    return line.interrupted ? after : after.#with(at, { ...line, interrupted: true });
  }

  /** After a rewind: without all that was said since. */
  before(turnIndex: number): Transcript {
    const lines = this.#lines.flatMap((line) => {
      const mark = line.marks.find((one) => one.turnIndex >= turnIndex);
      if (mark === undefined) return [line];
      return cut(line, Math.max(0, mark.at - 1), line.interrupted) ?? [];
    });
    return new Transcript(lines);
  }

  /** Place of the last line of a speaker, from place `from` on; -1 if there is none. */
  #lastOf(speaker: TranscriptLine["speaker"], from = 0): number {
    for (let at = this.#lines.length - 1; at >= Math.max(0, from); at--) {
      if (this.#lines[at].speaker === speaker) return at;
    }
    return -1;
  }

  /** With another line in a place, or none. */
  #with(at: number, line: MarkedLine | undefined): Transcript {
    const between = line === undefined ? [] : [line];
    return new Transcript([...this.#lines.slice(0, at), ...between, ...this.#lines.slice(at + 1)]);
  }
}

/** The first `end` characters of a line; undefined if there is nothing left. */
function cut(line: MarkedLine, end: number, interrupted: boolean): MarkedLine | undefined {
  const text = line.text.slice(0, end).trimEnd();
  if (text === "") return undefined;
  const marks = line.marks.filter(({ at }) => at < text.length);
  return { ...line, text, marks, lastTurnIndex: marks[marks.length - 1].turnIndex, interrupted };
}

function wordsOf(text: string): RegExpExecArray[] {
  return [...text.matchAll(/\S+/g)];
}
