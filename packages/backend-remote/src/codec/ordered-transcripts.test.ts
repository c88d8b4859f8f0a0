import { expect, test } from "vitest";
import { OrderedTranscripts } from "./ordered-transcripts.js";

test("words come item by item, whichever is transcribed first", () => {
  const said = new OrderedTranscripts();
  said.expect("a");
  said.expect("b");
  expect(said.add("b", "second")).toBe("");
  expect(said.add("a", "the fi")).toBe("the fi");
  expect(said.done("b", "second!")).toBe("");
  expect(said.done("a", "the first")).toBe("rst second!");
  expect(said.done("c", "third")).toBe(" third");
});

test("a transcript that fails does not hold up the next", () => {
  const said = new OrderedTranscripts();
  said.expect("a");
  expect(said.done("b", "heard")).toBe("");
  expect(said.done("a")).toBe("heard");
});

test("an item that is never transcribed is given up when eight wait", () => {
  const said = new OrderedTranscripts();
  for (let i = 0; i < 1000; i++) said.expect(`before ${i}`);
  expect(said.waiting).toBe(8);
  for (let i = 0; i < 9; i++) said.expect(`item ${i}`);
  expect(said.done("item 1", "one")).toBe("one");
  expect(said.add("item 0", "late")).toBe("");
});

test("what was given stays, also where the whole says it otherwise", () => {
  const said = new OrderedTranscripts();
  expect(said.add("a", "recognise speech")).toBe("recognise speech");
  expect(said.done("a", "wreck a nice beach today")).toBe("");
  expect(said.done("b", "recognise speech today")).toBe(" recognise speech today");
});

test("holds a bounded stretch of an item", () => {
  const said = new OrderedTranscripts();
  said.expect("first");
  for (let i = 0; i < 1000; i++) said.add("a", "x".repeat(10_000));
  said.done("a");
  expect(said.done("first").length).toBeLessThan(20_000);
});
