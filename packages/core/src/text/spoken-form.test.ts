import { describe, expect, it } from "vitest";
import { spokenForm } from "./spoken-form.js";

describe("spokenForm", () => {
  it.each([
    ["It's 12.5 °C at 7:05!", "it's twelve point five degrees c at seven oh five."],
    ["Hello,world", "hello, world"],
    ["Déjà vu – “naïve” café", "deja vu naive cafe"],
    ["$1,299.50 & 50 %", "one thousand two hundred ninety nine point five zero dollars and fifty percent"],
    ["-4 or −7, x-ray, 3-4", "minus four or minus seven, x ray, three four"],
    ["the 21st, 2nd, 30th and 113th", "the twenty first, second, thirtieth and one hundred thirteenth"],
    ["0, 7, 13, 20, 100, 101, 1000000", "zero, seven, thirteen, twenty, one hundred, one hundred one, one million"],
    ["agent 007", "agent zero zero seven"],
    ["1234567890123456", "one two three four five six seven eight nine zero one two three four five six"],
    ["at 12:00 and 23:59", "at twelve o'clock and twenty three fifty nine"],
    ["'quoted' words' don’t ''", "quoted words don't"],
    ["What?! Really...", "what? really."],
    ["one; two: three\n\nfour", "one, two, three four"],
    ["a@b.c", "a at b. c"],
    ["Straße", "strasse"],
    ["12kg", "twelve kg"],
    ["", ""],
    ["… 🎉 漢字", ""],
  ])("%j is %j", (text, spoken) => {
    expect(spokenForm(text)).toBe(spoken);
  });

  it("gives only what an acoustic model may know, of anything", () => {
    let state = 1;
    for (let round = 0; round < 300; round++) {
      let text = "";
      for (let i = 0; i < 40; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        text += String.fromCodePoint(state % 7 === 0 ? (state >>> 8) % 0x3000 : 32 + ((state >>> 8) % 95));
      }
      const spoken = spokenForm(text);
      expect(spoken).toMatch(/^[a-z',.? ]*$/);
      expect(spoken).not.toMatch(/ {2}|^ | $|[,.?][^ ]| [,.?]/);
      expect(spokenForm(spoken)).toBe(spoken);
    }
  });
});
