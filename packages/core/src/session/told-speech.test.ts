import { describe, expect, it } from "vitest";
import { AcousticModel } from "../audio/acoustic-model.js";
import { specialTokens } from "../model/tokenizer.js";
import { tinyAcoustic, tinyModel } from "../testing/tiny-model.js";
import { type ToldPlace, ToldSpeech, type ToldVoice } from "./told-speech.js";

const { weights, tokenizer } = tinyModel({ duplex: { acoustic: tinyAcoustic } });
const model = new AcousticModel(tinyAcoustic, { melBins: 80, levels: 16 }, weights);
const voice: ToldVoice = { acoustic: model, tokenizer, framesPerPosition: 2 };
const told = (text: string, place?: ToldPlace) => new ToldSpeech(voice, text, undefined, place);

/** Every position of a text: its token, its words, and whether a frame of it sounds. */
function positions(speech: ToldSpeech) {
  const said: { token: number; words: string; levels: Int32Array }[] = [];
  while (!speech.done) {
    const levels = new Int32Array(160).fill(-1);
    said.push({ ...speech.next(levels), levels });
    if (said.length > 10_000) throw new Error("it does not end");
  }
  return said;
}

describe("ToldSpeech", () => {
  it("shows each word one position before it sounds, and ends with <end>", () => {
    const said = positions(told("one, zebra two"));
    const { frames, starts } = model.say("one, zebra two");
    expect(said).toHaveLength(1 + Math.ceil(frames / 2) + 1);
    expect(said[0].levels.every((level) => level === 0)).toBe(true);
    const shown = said.flatMap(({ words }, at) =>
      words
        .split(" ")
        .filter(Boolean)
        .map((word) => ({ word, at })),
    );
    expect(shown.map(({ word }) => word)).toEqual(["one", "zebra", "two"]);
    // Position p + 1 holds frames 2 p and 2 p + 1.
    expect(shown.map(({ at }) => at)).toEqual([0, starts[5], starts[11]].map((frame) => frame >> 1));
    const frame = new Int32Array(80);
    for (let i = 0; i < frames; i++) {
      model.say("one, zebra two").frame(i, frame);
      expect(said[1 + (i >> 1)].levels.subarray(80 * (i % 2), 80 * (i % 2) + 80)).toEqual(frame);
    }
    // A word without a token of its own is not spelled.
    expect(said.map(({ token }) => token).filter((token) => token !== specialTokens.pad)).toEqual([
      tokenizer.id("one"),
      specialTokens.unknown,
      tokenizer.id("two"),
      specialTokens.end,
    ]);
    expect(said.at(-1)?.token).toBe(specialTokens.end);
  });

  it("pauses 300 ms between two sentences", () => {
    const both = positions(told("One. Two!"));
    const lengths = ["one.", "two."].map((part) => 1 + Math.ceil(model.say(part).frames / 2));
    expect(both).toHaveLength(lengths[0] + 6 + lengths[1] + 1);
    const gap = both.slice(lengths[0], lengths[0] + 6);
    for (const { levels, token, words } of gap) {
      expect([token, words, levels.some((level) => level !== 0)]).toEqual([specialTokens.pad, "", false]);
    }
    expect(both.filter(({ token }) => token === specialTokens.end)).toHaveLength(1);
  });

  it("says texts of any length whole, in parts that are prepared one at a time", () => {
    const words = Array.from({ length: 120 }, (_, i) => ["one", "seven", "extraordinarily"][i % 3]);
    const prepared: string[] = [];
    const watched = Object.create(model, {
      say: { value: (text: string) => prepared.push(text) && model.say(text) },
    }) as AcousticModel;
    const speech = new ToldSpeech({ ...voice, acoustic: watched }, words.join(" "));
    speech.next(new Int32Array(160));
    expect(prepared).toHaveLength(1);
    const rest = positions(speech);
    expect([prepared[0].split(" ")[0], ...rest.flatMap(({ words }) => words.split(" ").filter(Boolean))]).toEqual(
      words,
    );
    expect(prepared.length).toBeGreaterThan(5);
    for (const part of prepared) expect(part.length).toBeLessThanOrEqual(100);
    // A sentence that is too long is cut at a comma, and a word that is too long somewhere.
    const comma = `${"one ".repeat(15).trim()}, ${"two ".repeat(20).trim()}`;
    prepared.length = 0;
    positions(new ToldSpeech({ ...voice, acoustic: watched }, comma));
    expect(prepared[0]).toBe(`${"one ".repeat(15).trim()},`);
    prepared.length = 0;
    positions(new ToldSpeech({ ...voice, acoustic: watched }, "a".repeat(250)));
    expect(prepared.map((part) => part.length)).toEqual([100, 100, 50]);
  });

  it("goes on from any place as if it had never stopped, without saying what came before", () => {
    const text = "one two. three";
    const whole = told(text);
    const places: ToldPlace[] = [];
    const said = [];
    while (!whole.done) {
      places.push(whole.place);
      const levels = new Int32Array(160);
      said.push({ ...whole.next(levels), levels });
    }
    for (const from of [0, 1, 7, places.length - 1])
      expect(positions(told(text, places[from]))).toEqual(said.slice(from));
    expect(told(text, whole.place).wordsFrom(0)).toBe("one two three");
  });

  it("knows how many words were heard to begin, and says the word under way again if it was cut", () => {
    const speech = told("one zebra. seven");
    const levels = new Int32Array(160);
    const { starts, frames } = model.say("one zebra.");
    const zebra = starts[4] >> 1;
    for (let at = 0; at <= zebra + 1; at++) {
      // "zebra" is shown at `zebra` and sounds from the position after that on.
      expect([at, speech.heard]).toEqual([at, at > 1 ? 1 : 0]);
      expect(speech.next(levels).heard).toBe(at > 1 ? 1 : 0);
    }
    expect(speech.heard).toBe(2);
    expect(speech.wordsFrom(speech.heard)).toBe("seven");
    speech.repeatWord();
    expect(speech.place).toEqual({ part: 0, at: zebra });
    // It was shown before.
    expect(speech.next(levels)).toMatchObject({ words: "" });
    while (speech.place.part === 0) speech.next(levels);
    expect(speech.heard).toBe(2);
    speech.repeatWord();
    expect(speech.place).toEqual({ part: 1, at: 0 });
    positions(speech);
    expect([speech.heard, speech.wordsFrom(speech.heard)]).toEqual([3, ""]);
    expect(frames).toBeGreaterThan(0);
  });

  it("goes back to where it was cut: to the word that was not shown, or to the next sentence", () => {
    const speech = told("one zebra. seven");
    const levels = new Int32Array(160);
    const places: { part: number; at: number }[] = [];
    while (speech.place.part === 0) {
      places.push(speech.place);
      speech.next(levels);
    }
    const zebra = model.say("one zebra.").starts[4] >> 1;
    speech.backTo(places[zebra + 1]);
    expect(speech.place).toEqual({ part: 0, at: zebra });
    expect(speech.next(levels).words).toBe("zebra");
    speech.backTo(places[zebra + 2]);
    expect(speech.place).toEqual({ part: 0, at: zebra });
    expect(speech.next(levels).words).toBe("");
    speech.backTo(places[places.length - 1]);
    expect([speech.place, speech.done]).toEqual([{ part: 1, at: 0 }, false]);
    const last = told("seven");
    const ends: { part: number; at: number }[] = [];
    while (!last.done) {
      ends.push(last.place);
      last.next(levels);
    }
    last.backTo(ends[ends.length - 1]);
    expect(last.done).toBe(true);
  });

  it("has nothing to say of a text without letters or digits", () => {
    for (const text of ["", "…", "?!", "漢字"]) expect(told(text).done).toBe(true);
    expect(told("7").done).toBe(false);
  });
});
