import type { TextInput } from "@microturn/core";
import { expect, test } from "vitest";
import { OpenCalls } from "./open-calls.js";

const result = (delegation?: string, silent?: boolean): TextInput => ({
  ...{ source: "background", text: "x" },
  ...(delegation === undefined ? {} : { delegation }),
  ...(silent === undefined ? {} : { silent }),
});

test("the model goes on after the last result of a batch, in whatever order they come", () => {
  const calls = new OpenCalls();
  calls.add(["a", "b", "c"]);
  calls.add(["d"]);
  expect(calls.answer(result("c"))).toEqual({ id: "c", goesOn: false });
  expect(calls.answer(result("d"))).toEqual({ id: "d", goesOn: true });
  expect(calls.answer(result())).toEqual({ id: "a", goesOn: false });
  expect(calls.answer(result())).toEqual({ id: "b", goesOn: true });
  expect(calls.answer(result())).toEqual({ id: undefined, goesOn: true });
});

test("silent results alone do not make it go on, one that is not does", () => {
  const calls = new OpenCalls();
  calls.add(["a", "b", "c"]);
  calls.answer(result("a", true));
  calls.answer(result("b"));
  expect(calls.answer(result("c", true))).toEqual({ id: "c", goesOn: true });
  calls.add(["d"]);
  expect(calls.answer(result("d", true))).toEqual({ id: "d", goesOn: false });
});

test("a result of no open call answers none", () => {
  const calls = new OpenCalls();
  calls.add(["a"]);
  expect(calls.answer(result("gone"))).toEqual({ id: undefined, goesOn: true });
  expect(calls.answer(result("gone", true))).toEqual({ id: undefined, goesOn: false });
  expect(calls.clear()).toEqual(["a"]);
  expect(calls.answer(result("a")).id).toBeUndefined();
});

test("no more calls are kept than a right service has open", () => {
  const calls = new OpenCalls();
  for (let i = 0; i < 1000; i++) calls.add([`call ${i}`]);
  expect(calls.clear()).toHaveLength(256);
});
