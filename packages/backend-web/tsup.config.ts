import { copyFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Options } from "tsup";

const common: Options = {
  format: ["esm"],
  sourcemap: true,
  target: "es2022",
  splitting: true,
  // The builds of the runtime whose large files lie apart: see dist/ort.
  esbuildOptions(options) {
    options.conditions = ["onnxruntime-web-use-extern-wasm"];
  },
};

/** Puts the files of the runtime that a page needs beside the build, with their licence. */
async function copyRuntime(): Promise<void> {
  const from = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  await mkdir("dist/ort", { recursive: true });
  for (const build of ["", ".jspi", ".asyncify"]) {
    for (const ending of ["mjs", "wasm"]) {
      const name = `ort-wasm-simd-threaded${build}.${ending}`;
      await copyFile(join(from, name), join("dist/ort", name));
    }
  }
  await copyFile("LICENSE-onnxruntime", "dist/ort/LICENSE");
}

export default defineConfig([
  {
    ...common,
    entry: ["src/index.ts"],
    dts: { banner: '/// <reference lib="esnext.disposable" />' },
    clean: true,
    noExternal: ["onnxruntime-web"],
    onSuccess: copyRuntime,
  },
  {
    // A worker has no import map: everything that it needs is in its own files.
    ...common,
    entry: ["src/worker.ts"],
    outDir: "dist",
    noExternal: [/.*/],
  },
]);
