import { defineConfig } from "tsup";

export default defineConfig([
  {
    entry: ["src/index.ts", "src/bin.ts"],
    format: ["esm"],
    dts: true,
    clean: ["!viewer/**"],
    sourcemap: true,
    target: "node20",
    splitting: true,
  },
  {
    // The script of the trace page: one file for browsers with everything in it, put into each page whole.
    entry: { page: "src/viewer/page/main.ts" },
    outDir: "dist/viewer",
    format: ["iife"],
    platform: "browser",
    target: "es2022",
    noExternal: [/.*/],
    minify: true,
    clean: true,
    outExtension: () => ({ js: ".js" }),
  },
]);
