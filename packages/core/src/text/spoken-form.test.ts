import { describe, expect, it } from "vitest";
import { spokenForm } from "./spoken-form.js";

describe("spokenForm", () => {
  it.each([
    ["It's 12.5 °C at 7:05!", "it's twelve point five degrees c at seven oh five."],
    ["Hello,world", "hello, world"],
    ["Déjà vu — “naïve” café", "deja vu naive cafe"],
    ["Søren in Łódź, Æsop, Straße", "soren in lodz, aesop, strasse"],
    ["$1,299.50 & 50 %", "one thousand two hundred ninety nine point five zero dollars and fifty percent"],
    [
      "$1, €5 million, £2.3 billion, ¥500",
      "one dollar, five million euros, two point three billion pounds, five hundred yen",
    ],
    ["-4 or −7, x-ray, (-2) and -$3", "minus four or minus seven, x ray, minus two and minus three dollars"],
    [
      "$3-4, 10%-20%, 20°-25°C, 9–17",
      "three dollars four, ten percent twenty percent, twenty degrees twenty five degrees c, nine seventeen",
    ],
    ["(212)-555-0199", "two hundred twelve five hundred fifty five zero one nine nine"],
    ["2½ hours, ¾ cup, 1½", "two and a half hours, three quarters cup, one and a half"],
    ["10² m, 5³", "ten squared m, five cubed"],
    [".5 percent", "zero point five percent"],
    ["v1.2.3 and 3.14", "v one point two point three and three point one four"],
    ["at 8 a.m., 9PM or 10 pm.", "at eight a m, nine p m or ten p m."],
    [
      "Dr. Smith of the U.S.A. met Mrs. Lee, e.g. at noon",
      "doctor smith of the u s a met missis lee, for example at noon",
    ],
    ["I am 5.", "i am five."],
    ["the 21st, 2nd, 30th and 113th", "the twenty first, second, thirtieth and one hundred thirteenth"],
    ["0, 7, 13, 20, 100, 101, 1000000", "zero, seven, thirteen, twenty, one hundred, one hundred one, one million"],
    ["agent 007", "agent zero zero seven"],
    ["1234567890123456", "one two three four five six seven eight nine zero one two three four five six"],
    ["at 12:00 and 23:59", "at twelve o'clock and twenty three fifty nine"],
    ["'quoted' words' don’t ''", "quoted words don't"],
    ["What?! Really...", "what? really."],
    ["one; two: three\n\nfour", "one, two, three four"],
    ["a@b.c", "a at b c"],
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
