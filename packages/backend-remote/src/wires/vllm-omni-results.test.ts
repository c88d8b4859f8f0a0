import { expect, test } from "vitest";
import { OmniResults } from "./vllm-omni-results.js";

const result = (id: string) => ({ id, text: `result of ${id}`, goesOn: true });
const units = (results: OmniResults, count: number) => Array.from({ length: count }, () => results.unit());

test("a result that was not confirmed when the connection broke is sent again, once, after what the service tells again", () => {
  const results = new OmniResults();
  for (const id of ["a", "b", "c"]) results.sent(result(id));
  results.shown({ type: "function_call_output", call_id: "a" });
  results.shown({ type: "message" });
  results.shown(undefined);
  expect(units(results, 20).flat()).toEqual([]);
  results.resumed();
  expect(results.unit()).toEqual([]);
  results.shown({ type: "function_call_output", call_id: "b" });
  expect(units(results, 20).flat()).toEqual([result("c")]);
  // It is still not confirmed: the next loss may be another.
  results.resumed();
  expect(units(results, 20).flat()).toEqual([result("c")]);
});

test("another session knows nothing of the calls of the one before", () => {
  const results = new OmniResults();
  results.sent(result("a"));
  results.resumed();
  results.begin();
  expect(units(results, 20).flat()).toEqual([]);
});

test("a service that confirms nothing costs no memory", () => {
  const results = new OmniResults();
  for (let i = 0; i < 1000; i++) results.sent(result(`call ${i}`));
  results.resumed();
  const again = units(results, 20).flat();
  expect([again.length, again[0].id]).toEqual([64, "call 936"]);
});
