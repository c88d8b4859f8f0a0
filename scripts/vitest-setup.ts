// Before the tests: what they need as files, because a worker thread cannot load TypeScript sources and a page takes one
// script. Written only when a source is newer, in one move, so that several test runs at once do not disturb each other.

import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { sourceAliases } from "./source-aliases.js";

const root = fileURLToPath(new URL("../", import.meta.url));

interface Product {
  readonly entry: string;
  readonly target: string;
  /** Folders whose files it is made from. */
  readonly sources: readonly string[];
  readonly options: BuildOptions;
}

const workerOptions: BuildOptions = {
  platform: "node",
  format: "esm",
  target: "node20",
  external: ["onnxruntime-node"],
  alias: { ...sourceAliases },
  sourcemap: "inline",
};

const products: readonly Product[] = [
  ...["worker", "probe-process"].map((name) => ({
    entry: `packages/backend-node/src/${name}.ts`,
    target: `packages/backend-node/dist/${name}.js`,
    sources: ["packages/backend-node/src", "packages/backend-ort/src", "packages/core/src"],
    options: workerOptions,
  })),
  {
    // As packages/microturn/tsup.config.ts makes it, but from the sources of core.
    entry: "packages/microturn/src/viewer/page/main.ts",
    target: "packages/microturn/dist/viewer/page.js",
    sources: ["packages/microturn/src", "packages/core/src"],
    options: {
      platform: "browser",
      format: "iife",
      target: "es2022",
      minify: true,
      alias: { ...sourceAliases },
    },
  },
];

export default async function setup(): Promise<void> {
  for (const { entry, target, sources, options } of products) {
    const path = join(root, target);
    const built = statSync(path, { throwIfNoEntry: false });
    if (built !== undefined && built.mtimeMs > Math.max(...sources.map((source) => newest(join(root, source)))))
      continue;
    const draft = join(dirname(path), `.${process.pid}`);
    mkdirSync(dirname(path), { recursive: true });
    await build({
      ...options,
      entryPoints: [join(root, entry)],
      outfile: join(draft, "out.js"),
      bundle: true,
      logLevel: "error",
    });
    renameSync(join(draft, "out.js"), path);
    rmSync(draft, { recursive: true });
  }
}

/** Newest modification time of the files below a folder, ms. */
function newest(folder: string): number {
  const entries = readdirSync(folder, { withFileTypes: true });
  return Math.max(
    0,
    ...entries.map((entry) =>
      entry.isDirectory() ? newest(join(folder, entry.name)) : statSync(join(folder, entry.name)).mtimeMs,
    ),
  );
}
