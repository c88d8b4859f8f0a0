import { expect, test } from "vitest";
import { WordCutter } from "./word-cutter.js";

test("holds back a word that may go on, until a space, the end of a sentence, or nothing more", () => {
  const words = new WordCutter();
  expect(words.push("Hel", false)).toBe("");
  expect(words.push("lo wor", false)).toBe("Hello");
  expect(words.push("ld. ", false)).toBe("world.");
  expect(words.push("How", false)).toBe("");
  expect(words.push("", false)).toBe("How");
  expect(words.push(" are you?", false)).toBe("are you?");
  expect(words.push("fin", true)).toBe("fin");
  expect(words.take()).toBe("");
});

test("keeps a decimal together", () => {
  const words = new WordCutter();
  expect(words.push(" It is 3.", false)).toBe("It is");
  expect(words.push("14 now", true)).toBe("3.14 now");
});

test("joins with single spaces, and takes lines for words", () => {
  const words = new WordCutter();
  expect(words.push(" a \n\n b\tc ", true)).toBe("a b c");
});

test("forgets what a cut reply did not say", () => {
  const words = new WordCutter();
  words.push("half a wo", false);
  words.clear();
  expect(words.push("new ", false)).toBe("new");
});

test("holds a bounded stretch", () => {
  const words = new WordCutter();
  for (let i = 0; i < 1000; i++) words.add("y".repeat(1000));
  expect(words.takeAll().length).toBeLessThan(10_000);
});
