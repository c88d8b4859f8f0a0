import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

test("docs/remote.md shows an example that compiles", () => {
  const docs = readFileSync(new URL("../../../docs/remote.md", import.meta.url), "utf8");
  const block = /## With a background\n\n```ts\n([\s\S]*?)```/.exec(docs)?.[1];
  const source = readFileSync(new URL("./documented.ts", import.meta.url), "utf8");
  expect(block).toBe(source.replace(/^(\/\/.*\n)+\n/, ""));
});
