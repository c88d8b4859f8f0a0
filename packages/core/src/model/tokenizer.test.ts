import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import { Tokenizer } from "./tokenizer.js";

const letters = Array.from("abcdefghijklmnopqrstuvwxyz'", (letter) => `+${letter}`);
const tokens = ["<pad>", "<end>", "<unk>", ...letters, "a", "hello", "it's", "two", "world"];
const tokenizer = new Tokenizer(tokens);

describe("Tokenizer", () => {
  it("encodes known words whole and spells the rest", () => {
    expect(tokenizer.encode("Hello, world!").map((id) => tokens[id])).toEqual(["hello", "world"]);
    expect(tokenizer.encode("it's a cat").map((id) => tokens[id])).toEqual(["it's", "a", "+c", "+a", "+t"]);
    expect(tokenizer.encode("two 7").map((id) => tokens[id])).toEqual(["two", "<unk>"]);
    expect(tokenizer.encode("  ... ")).toEqual([]);
  });

  it("finds words however their apostrophes, accents and vowel signs are written", () => {
    const own = ["<pad>", "<end>", "<unk>", "+h", "+i", "don't", "café", "नमस्ते", "हिन्दी", "hi", "1"];
    const other = new Tokenizer(own);
    const words = (text: string) => other.encode(text).map((id) => own[id]);
    expect(words("Don’t! don't")).toEqual(["don't", "don't"]);
    expect(words("‘hi’ ’hi’")).toEqual(["hi", "hi"]); // the same sign closes a quotation
    expect(words("Cafe\u0301, CAF\u00c9")).toEqual(["café", "café"]);
    expect(words("नमस्ते हिन्दी")).toEqual(["नमस्ते", "हिन्दी"]);
    expect(words("hi \u2764\ufe0f 1\ufe0f\u20e3")).toEqual(["hi", "1"]); // marks that follow no letter
  });

  it("refuses words that no text can hold, and takes special tokens and characters as they are", () => {
    const made = (token: string) => () => new Tokenizer([...tokens, token]);
    expect(made("Paris")).toThrow(/token 35, "Paris", is never met: in a text it is "paris"/);
    expect(made("twenty-one")).toThrow(/in a text it is "twenty" and "one"/);
    expect(made("don’t")).toThrow(/"don't"/);
    expect(made("cafe\u0301")).toThrow(DuplexError);
    for (const token of ["<turn-end>", "...", "+-", "+\u093f", "don't", "caf\u00e9", "21"])
      expect(made(token)).not.toThrow();
  });

  it("takes the vocabulary of mini", () => {
    const file = readFileSync(new URL("../../../mini/tokenizer.json", import.meta.url), "utf8");
    expect(Tokenizer.parse(file).encode("hello")).not.toContain(2);
  });

  it("decodes what it encodes", () => {
    for (const text of ["hello world", "it's a cat", "hello cat two dog"]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
    expect(tokenizer.decode([2])).toBe("[?]");
  });

  it("decodes a stream piece by piece: pads add nothing, letters run on, <end> ends a spelled word", () => {
    const id = (token: string) => tokens.indexOf(token);
    const decoder = tokenizer.decoder();
    const pieces = ["hello", "<pad>", "+c", "<pad>", "+a", "+t", "<end>", "+d", "world"].map((token) =>
      decoder.push(id(token)),
    );
    expect(pieces).toEqual([" hello", "", " c", "", "a", "t", "", " d", " world"]);
  });

  it("goes on from a snapshot", () => {
    const decoder = tokenizer.decoder();
    decoder.push(tokens.indexOf("+c"));
    const kept = decoder.snapshot();
    expect(decoder.push(tokens.indexOf("hello"))).toBe(" hello");
    decoder.restore(kept);
    expect(decoder.push(tokens.indexOf("+a"))).toBe("a");
  });

  it("refuses ids outside the vocabulary", () => {
    for (const id of [-1, tokens.length, 0.5, Number.NaN]) expect(() => tokenizer.decode([id])).toThrow(RangeError);
  });

  it("refuses files that are not a vocabulary", () => {
    const parse = (file: unknown) => () => Tokenizer.parse(typeof file === "string" ? file : JSON.stringify(file));
    expect(Tokenizer.parse(JSON.stringify({ version: 1, tokens })).tokens).toEqual(tokens);
    for (const file of ["{", "null", { version: 2, tokens }, { version: 1 }, { version: 1, tokens: [] }]) {
      expect(parse(file)).toThrow(DuplexError);
    }
    expect(parse({ version: 1, tokens: ["<pad>", "<unk>", "<end>"] })).toThrow(/token 1 must be "<end>"/);
    expect(parse({ version: 1, tokens: [...tokens, "hello"] })).toThrow(/"hello" occurs twice/);
    expect(parse({ version: 1, tokens: [...tokens, "two words"] })).toThrow(/without spaces/);
    expect(parse({ version: 1, tokens: [...tokens, 7] })).toThrow(DuplexError);
  });
});
