import { describe, expect, it } from "vitest";
import { joinText, type Phrase, phrases, placePhrases, shorten } from "./words.js";

const measure = (text: string) => text.length * 10;
const phrase = (startMs: number, text: string): Phrase => ({ startMs, endMs: startMs, text, turn: 0 });

describe("phrases", () => {
  it("begins another where the reply before was given up, however soon that is", () => {
    const pieces = [
      { timeMs: 0, text: "every day", turn: 0 },
      { timeMs: 600, text: "okay", turn: 3, fresh: true },
      { timeMs: 800, text: "then", turn: 4, fresh: false },
    ];
    expect(phrases(pieces).map(({ text }) => text)).toEqual(["every day", "okay then"]);
  });

  it("joins words that follow each other and starts anew after a pause", () => {
    const pieces = [
      { timeMs: 0, text: "what", turn: 0 },
      { timeMs: 200, text: "time", turn: 1 },
      { timeMs: 400, text: "?", turn: 2 },
      { timeMs: 3_000, text: "thanks", turn: 15 },
    ];
    expect(phrases(pieces)).toEqual([
      { startMs: 0, endMs: 400, text: "what time?", turn: 0 },
      { startMs: 3_000, endMs: 3_000, text: "thanks", turn: 15 },
    ]);
    expect(joinText("", "a")).toBe("a");
  });
});

describe("placePhrases", () => {
  it("uses a second row rather than let texts run into each other, and shortens what still does not fit", () => {
    const list = [phrase(0, "one two three"), phrase(50, "four"), phrase(100, "five")];
    const placed = placePhrases(list, (time) => time, measure, { rows: 2, width: 1_000 });
    expect(placed.map(({ row, text }) => [row, text])).toEqual([
      [0, "one two…"],
      [1, "four"],
      [0, "five"],
    ]);
    for (const row of [0, 1]) {
      const texts = placed.filter((piece) => piece.row === row);
      for (let i = 1; i < texts.length; i++) {
        expect(texts[i].x).toBeGreaterThanOrEqual(texts[i - 1].x + measure(texts[i - 1].text));
      }
    }
  });

  it("keeps a phrase readable that began left of the screen, and leaves out what is off it", () => {
    const list = [phrase(-500, "gone"), phrase(-60, "a long phrase"), phrase(5_000, "far")];
    const placed = placePhrases(list, (time) => time, measure, { rows: 2, width: 1_000 });
    expect(placed.map(({ text }) => text)).toEqual(["a long phrase"]);
    expect(placed[0].x).toBe(4);
  });
});

it("shortens to the room there is, or to nothing", () => {
  expect(shorten("hello", 50, measure)).toBe("hello");
  expect(shorten("hello world", 80, measure)).toBe("hello w…");
  expect(shorten("hello", 20, measure)).toBe("");
});
