// What was said by both sides, in lines: the words of one speaker join a line until the speaker has paused.

/** A stretch of words of one side. */
export interface TranscriptLine {
  readonly speaker: "user" | "assistant";
  readonly text: string;
  /** Micro-turn of its first word. */
  readonly turnIndex: number;
  /** Micro-turn of its last word. */
  readonly lastTurnIndex: number;
}

/** A speaker who is silent for longer than this begins a new line, micro-turns. */
const pauseTurns = 5;
/** The oldest lines go. */
const maxLines = 500;

/** The lines with new words in them; `lines` itself is not changed. */
export function withWords(
  lines: readonly TranscriptLine[],
  speaker: TranscriptLine["speaker"],
  text: string,
  turnIndex: number,
): readonly TranscriptLine[] {
  // Both may speak at once: their words then go on in the last line of each.
  const at = lines.length - 1 - [...lines.slice(-2)].reverse().findIndex((line) => line.speaker === speaker);
  const line = lines[at];
  if (line !== undefined && line.speaker === speaker && turnIndex - line.lastTurnIndex <= pauseTurns) {
    const longer = { ...line, text: `${line.text} ${text}`, lastTurnIndex: turnIndex };
    return lines.map((one) => (one === line ? longer : one));
  }
  return [...lines, { speaker, text, turnIndex, lastTurnIndex: turnIndex }].slice(-maxLines);
}
