import { readdir, readFile, writeFile } from "node:fs/promises";
import { defineConfig } from "tsup";

/**
 * Entries share chunks, and esbuild keeps `import "./chunk.js"` where only its order of evaluation is left. Nothing here has side
 * effects, as package.json says, and a bundler that reads both warns its user.
 */
async function dropBareImports(): Promise<void> {
  for (const name of await readdir("dist")) {
    if (!name.endsWith(".js")) continue;
    const code = await readFile(`dist/${name}`, "utf8");
    // An empty line in its place keeps the source map true.
    const without = code.replace(/^import "\.\/chunk-\w+\.js";$/gm, "");
    if (without !== code) await writeFile(`dist/${name}`, without);
  }
}

export default defineConfig({
  entry: ["src/index.ts", "src/local.ts", "src/model.ts", "src/codecs.ts", "src/protocol.ts", "src/testing/index.ts"],
  format: ["esm"],
  // DuplexSession is AsyncDisposable, which the standard library of a browser project may not know.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: true,
  onSuccess: dropBareImports,
});
