// A process that ends while the runtime is at work, in whatever way: it ends as it wanted to. Of the built packages, in a process of its own.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const isBuilt = ["core", "backend-node", "mini"].every((name) => existsSync(`${root}packages/${name}/dist/index.js`));

/** Micro-turns without a pause, so that the runtime is nearly always at work, until something happens. */
const program = (what: string) => `
  import { nodeBackend } from "@microturn/backend-node";
  import { DuplexSession } from "@microturn/core";
  import { localEngine } from "@microturn/core/local";
  import { mini } from "@microturn/mini";
  const engine = localEngine({ model: mini, backend: await nodeBackend() });
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
  setTimeout(() => { ${what} }, 100);
  for (;;) await session.writeAudio(new Float32Array(3200));
`;

function codeOf(script: string): Promise<unknown> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--input-type=module", "-e", script], { cwd: root }, (error) =>
      resolve(error?.signal ?? error?.code ?? 0),
    );
  });
}

describe.skipIf(!isBuilt)(
  `the end of a process in the middle of a run${isBuilt ? "" : " (skipped: not built)"}`,
  () => {
    it.each([
      ["process.exit", "process.exit(7)", 7],
      ["an error that nobody catches", 'throw new Error("of the program")', 1],
    ])("is what the program wanted: %s", async (_, what, code) => {
      for (let time = 0; time < 3; time++) expect(await codeOf(program(what))).toBe(code);
    });
  },
);
