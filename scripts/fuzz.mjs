// Runs conformance/src/fuzz/main.ts on the sources of our packages, as the tests do: what is fuzzed need not be public.
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const options = { bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "error" };

async function bundle(entry, file, more = {}) {
  await build({ ...options, entryPoints: [`${root}${entry}`], outfile: file, ...more });
  return file;
}

// Beside the packages of the suite, so that what is not ours is found.
const folder = `${root}conformance/dist/fuzz`;
const aliases = `${root}scripts/.fuzz-${process.pid}.mjs`;
const { sourceAliases } = await import(await bundle("scripts/source-aliases.ts", aliases));
rmSync(aliases);
const ours = {
  name: "ours",
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === "entry-point") return undefined;
      return Object.hasOwn(sourceAliases, path) ? { path: sourceAliases[path] } : { path, external: true };
    });
  },
};
const file = await bundle("conformance/src/fuzz/main.ts", `${folder}/main-${process.pid}.mjs`, {
  plugins: [ours],
  sourcemap: "inline",
});
process.on("exit", () => rmSync(file, { force: true }));
process.setSourceMapsEnabled(true);
await import(file);
