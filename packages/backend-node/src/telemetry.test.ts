import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sourceAliases } from "../../../scripts/source-aliases.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telemetry-"));
  await build({
    entryPoints: { telemetry: source("telemetry.ts") },
    bundle: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    outdir: folder,
    alias: { ...sourceAliases },
    logLevel: "error",
  });
});
afterAll(() => rm(folder, { recursive: true }));

/** What `disableTelemetry` answers in a worker thread whose own copy of the environment has the variable. */
async function answer(environment: NodeJS.ProcessEnv): Promise<string> {
  const script = join(folder, "main.mjs");
  const inWorker = `
    import(${JSON.stringify(join(folder, "telemetry.mjs"))})
      .then(({ disableTelemetry }) => disableTelemetry())
      .then(() => console.log("off"), (error) => console.log(error.code));
  `;
  await writeFile(
    script,
    `import { Worker } from "node:worker_threads";
     new Worker(${JSON.stringify(inWorker)}, { eval: true, env: { ORT_DISABLE_TELEMETRY: "1" } });`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env: environment, timeout: 30_000 });
  return stdout.trim();
}

describe("in a worker thread whose copy of the environment has the variable", () => {
  const { ORT_DISABLE_TELEMETRY: _, ...without } = process.env;

  it("telemetry counts as off when the process has the variable too", async () => {
    expect(await answer({ ...without, ORT_DISABLE_TELEMETRY: "1" })).toBe("off");
  });

  it("telemetry that the process leaves on is refused", async () => {
    expect(await answer(without)).toBe("UNSUPPORTED");
  });
});
