import { describe, expect, it } from "vitest";
import { type TranscriptLine, withWords } from "./transcript.js";

const said = (...words: [TranscriptLine["speaker"], string, number][]) =>
  words.reduce<readonly TranscriptLine[]>((lines, [speaker, text, turn]) => withWords(lines, speaker, text, turn), []);
const text = (lines: readonly TranscriptLine[]) => lines.map((line) => `${line.speaker}: ${line.text}`);

describe("withWords", () => {
  it("joins the words of a speaker until a pause", () => {
    const lines = said(["user", "what", 0], ["user", "time", 1], ["user", "is it", 9]);
    expect(text(lines)).toEqual(["user: what time", "user: is it"]);
    expect(lines[0]).toMatchObject({ turnIndex: 0, lastTurnIndex: 1 });
  });

  it("keeps the lines of two who speak at once whole", () => {
    const lines = said(["user", "wait", 0], ["assistant", "it", 1], ["user", "no", 2], ["assistant", "is", 2]);
    expect(text(lines)).toEqual(["user: wait no", "assistant: it is"]);
  });

  it("does not change what it was given, and forgets the oldest lines", () => {
    const before = said(["user", "one", 0]);
    withWords(before, "user", "two", 1);
    expect(text(before)).toEqual(["user: one"]);
    let lines: readonly TranscriptLine[] = [];
    for (let turn = 0; turn < 6000; turn += 10) lines = withWords(lines, "user", "word", turn);
    expect(lines).toHaveLength(500);
  });
});
