import { describe, expect, it } from "vitest";
import { Seeded } from "./seeded.js";
import { Sentences, splitAtPunctuation } from "./sentences.js";

function inPieces(text: string, length: number): string[] {
  const sentences = new Sentences();
  const out: string[] = [];
  for (let i = 0; i < text.length; i += length) out.push(...sentences.push(text.slice(i, i + length)));
  return [...out, ...sentences.end()];
}

describe("words that are collected into sentences", () => {
  it("hands a sentence over as soon as the next one begins, and the rest at the end", () => {
    const sentences = new Sentences();
    expect(sentences.push("It is sunny in Rome")).toEqual([]);
    expect(sentences.push(". ")).toEqual(["It is sunny in Rome."]);
    expect(sentences.push("Tomorrow it rains")).toEqual([]);
    expect(sentences.end()).toEqual(["Tomorrow it rains"]);
    expect(sentences.end()).toEqual([]);
  });

  it("does not stop inside numbers and after abbreviations", () => {
    expect(inPieces("It is 3.5 degrees. Dr. Smith says so. Really?", 1)).toEqual([
      "It is 3.5 degrees.",
      "Dr. Smith says so.",
      "Really?",
    ]);
  });

  it("knows the ends of sentences in Chinese, without spaces", () => {
    expect(inPieces("今天是晴天。明天下雨。", 1)).toEqual(["今天是晴天。", "明天下雨。"]);
  });

  it("cuts what is too long at a comma, or a space, or where it must", () => {
    const clause = "so it went on and on without an end in sight, ";
    for (const piece of inPieces(clause.repeat(40), 50).slice(0, -1)) {
      expect(piece.length).toBeLessThanOrEqual(400);
      expect(piece.endsWith("sight,")).toBe(true);
    }
    const words = inPieces("word ".repeat(300), 7);
    expect(Math.max(...words.map((piece) => piece.length))).toBeLessThanOrEqual(400);
    expect(words.join(" ")).toBe("word ".repeat(300).trim());
    const faces = inPieces("😀".repeat(500), 33);
    expect(faces.join("")).toBe("😀".repeat(500));
    expect(faces.every((piece) => piece.length <= 400 && piece.length % 2 === 0)).toBe(true);
  });

  it("leaves no letter out and adds none, however the text is cut, in 300 random texts", () => {
    const parts = [
      "Hello",
      " ",
      " ",
      ". ",
      "? ",
      "3.5",
      "\n",
      "\n\n",
      "e.g. ",
      "…",
      "。",
      "日本",
      "😀",
      ", ",
      "a".repeat(90),
      "!",
    ];
    for (let seed = 0; seed < 300; seed++) {
      const random = new Seeded(seed);
      const text = Array.from({ length: 60 }, () => parts[Math.floor(random.next() * parts.length)]).join("");
      const sentences = new Sentences();
      const out: string[] = [];
      for (let i = 0; i < text.length; ) {
        const length = 1 + Math.floor(random.next() * 9);
        out.push(...sentences.push(text.slice(i, i + length)));
        i += length;
      }
      out.push(...sentences.end());
      expect(out.join("").replace(/\s+/g, ""), `seed ${seed}`).toBe(text.replace(/\s+/g, ""));
      expect(out.every((piece) => piece === piece.trim() && piece !== "" && piece.length <= 400)).toBe(true);
    }
  });

  it("splits at punctuation where the platform cannot tell sentences", () => {
    expect(splitAtPunctuation("One. Two? 3.5 is three! 四。五")).toEqual([
      "One. ",
      "Two? ",
      "3.",
      "5 is three! ",
      "四。",
      "五",
    ]);
    for (const text of ["", "a", "...", "a.b", "\n\n", "Hi!) there. "])
      expect(splitAtPunctuation(text).join("")).toBe(text);
  });
});
