import { expect, it } from "vitest";
import { canonicalJson, logKey } from "./call-key.js";

it("gives the same JSON whatever the order of the keys, at every depth, and keeps that of arrays", () => {
  const one = { b: [{ y: 1, x: 2 }, null], a: { d: "é", c: true } };
  const other = { a: { c: true, d: "é" }, b: [{ x: 2, y: 1 }, null] };
  expect(canonicalJson(one)).toBe('{"a":{"c":true,"d":"é"},"b":[{"x":2,"y":1},null]}');
  expect(canonicalJson(other)).toBe(canonicalJson(one));
  expect(canonicalJson([2, 1])).toBe("[2,1]");
});

it("gives different calls different keys", () => {
  const keys = [logKey("a", "{}"), logKey("a", '{"b":1}'), logKey("b", "{}"), logKey("a", ""), logKey("a_", "{}")];
  expect(new Set(keys).size).toBe(keys.length);
});
