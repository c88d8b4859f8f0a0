import { describe, expect, it } from "vitest";
import { Transcript, type TranscriptLine } from "./transcript.js";

const said = (...words: [TranscriptLine["speaker"], string, number][]) =>
  words.reduce((transcript, [speaker, text, turn]) => transcript.add(speaker, text, turn), new Transcript());
const text = ({ lines }: Transcript) => lines.map((line) => `${line.speaker}: ${line.text}`);

describe("Transcript", () => {
  it("joins the words of a speaker until a pause", () => {
    const transcript = said(["user", "what", 0], ["user", "time", 1], ["user", "is it", 9]);
    expect(text(transcript)).toEqual(["user: what time", "user: is it"]);
    expect(transcript.lines[0]).toMatchObject({ turnIndex: 0, lastTurnIndex: 1, interrupted: false });
  });

  it("keeps the lines of two who speak at once whole", () => {
    const transcript = said(["user", "wait", 0], ["assistant", "it", 1], ["user", "no", 2], ["assistant", "is", 2]);
    expect(text(transcript)).toEqual(["user: wait no", "assistant: it is"]);
  });

  it("does not change what it was, and forgets the oldest lines", () => {
    const before = said(["user", "one", 0]);
    const { lines } = before;
    before.add("user", "two", 1);
    before.flush("one", 1);
    before.before(0);
    expect(text(before)).toEqual(["user: one"]);
    expect(before.lines).toBe(lines);
    let long = new Transcript();
    for (let turn = 0; turn < 6000; turn += 10) long = long.add("user", "word", turn);
    expect(long.lines).toHaveLength(500);
  });

  describe("after a flush (rule 4)", () => {
    it("is without the words that nobody heard, and says where the assistant was cut off", () => {
      const talk = said(["assistant", "one two", 0], ["assistant", "three", 1], ["assistant", "four", 2]);
      const cut = talk.flush("two three four", 3);
      expect(cut.lines).toMatchObject([{ text: "one", turnIndex: 0, lastTurnIndex: 0, interrupted: true }]);
      // What it says next is another line, however soon.
      expect(text(cut.add("assistant", "yes?", 4))).toEqual(["assistant: one", "assistant: yes?"]);
    });

    it("leaves what the user said meanwhile, and takes lines out of which nothing was heard", () => {
      const talk = said(["assistant", "one", 0], ["user", "stop", 7], ["assistant", "two  three", 8]);
      expect(text(talk.flush("one two three", 9))).toEqual(["user: stop"]);
      expect(text(talk.flush("three", 9))).toEqual(["assistant: one", "user: stop", "assistant: two"]);
      expect(text(said(["user", "stop", 0]).flush("one", 1))).toEqual(["user: stop"]);
    });

    it("marks a reply of which all was heard as cut off, and none that was over", () => {
      const talk = said(["assistant", "one", 0]);
      expect(talk.flush("", 2).lines).toMatchObject([{ text: "one", interrupted: true }]);
      expect(talk.flush("", 20)).toBe(talk);
      expect(talk.flush("")).toBe(talk);
    });
  });

  it("is without all that came since, after a rewind", () => {
    const talk = said(["user", "a", 0], ["user", "b c", 1], ["user", "d", 2], ["assistant", "e", 3]);
    expect(text(talk.before(2))).toEqual(["user: a b c"]);
    expect(talk.before(2).lines[0].lastTurnIndex).toBe(1);
    expect(text(talk.before(2).add("user", "x", 2))).toEqual(["user: a b c x"]);
    expect(talk.before(0).lines).toEqual([]);
  });
});
