import type { TextInput } from "@microturn/core";
import { expect, test } from "vitest";
import { OpenCalls } from "./open-calls.js";

const result = (delegation?: string, silent?: boolean): TextInput => ({
  ...{ source: "background", text: "x" },
  ...(delegation === undefined ? {} : { delegation }),
  ...(silent === undefined ? {} : { silent }),
});

const calls = (...ids: string[]) => ids.map((id) => ({ id, task: `task of ${id}` }));

test("the model goes on after the last result of a batch, in whatever order they come", () => {
  const open = new OpenCalls();
  open.add(calls("a", "b", "c"));
  open.add(calls("d"));
  expect(open.answer(result("c"))).toEqual({ id: "c", goesOn: false, text: "x" });
  expect(open.answer(result("d"))).toEqual({ id: "d", goesOn: true, text: "x" });
  expect(open.answer(result())).toEqual({ id: "a", goesOn: false, text: "x" });
  expect(open.answer(result())).toEqual({ id: "b", goesOn: true, text: "x" });
  expect(open.answer(result())).toEqual({ id: undefined, goesOn: true, text: "x" });
});

test("silent results alone do not make it go on, one that is not does", () => {
  const open = new OpenCalls();
  open.add(calls("a", "b", "c"));
  open.answer(result("a", true));
  open.answer(result("b"));
  expect(open.answer(result("c", true))).toEqual({ id: "c", goesOn: true, text: "x" });
  open.add(calls("d"));
  expect(open.answer(result("d", true))).toEqual({ id: "d", goesOn: false, text: "x" });
});

test("a result of no open call answers none", () => {
  const open = new OpenCalls();
  open.add(calls("a"));
  expect(open.answer(result("gone"))).toEqual({ id: undefined, goesOn: true, text: "x" });
  expect(open.answer(result("gone", true))).toEqual({ id: undefined, goesOn: false, text: "x" });
  expect(open.clear()).toEqual(["a"]);
});

test("a result whose call the service has forgotten says what it is of, once", () => {
  const open = new OpenCalls();
  open.add(calls("a", "b"));
  open.answer(result("a"));
  open.clear();
  expect(open.answer(result("a")).text).toBe("x");
  expect(open.answer(result("b", true))).toEqual({ id: undefined, goesOn: false, text: "Result of task of b: x" });
  expect(open.answer(result("b")).text).toBe("x");
  open.add(calls("c"));
  open.clear();
  open.add(calls("c"));
  expect(open.answer(result("c"))).toEqual({ id: "c", goesOn: true, text: "x" });
});

test("no more calls are kept than a right service has open", () => {
  const open = new OpenCalls();
  for (let i = 0; i < 1000; i++) open.add(calls(`call ${i}`));
  expect(open.clear()).toHaveLength(256);
});
