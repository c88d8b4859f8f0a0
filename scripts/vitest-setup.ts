// Before the tests: the worker of backend-node as a file, because a worker thread cannot load TypeScript sources.
// Written only when a source is newer, in one move, so that several test runs at once do not disturb each other.

import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../packages/backend-node/", import.meta.url));

export default async function setup(): Promise<void> {
  const newest = Math.max(...readdirSync(join(root, "src")).map((name) => statSync(join(root, "src", name)).mtimeMs));
  for (const entry of ["worker", "probe-process"]) {
    const target = join(root, "dist", `${entry}.js`);
    const built = statSync(target, { throwIfNoEntry: false });
    if (built !== undefined && built.mtimeMs > newest) continue;
    const draft = join(root, "dist", `.${entry}-${process.pid}`);
    await build({
      entryPoints: [join(root, "src", `${entry}.ts`)],
      outfile: join(draft, "out.js"),
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      packages: "external",
      sourcemap: "inline",
      logLevel: "error",
    });
    renameSync(join(draft, "out.js"), target);
    rmSync(draft, { recursive: true });
  }
}
