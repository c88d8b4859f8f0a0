import { defineConfig } from "tsup";

export default defineConfig([
  {
    entry: ["src/index.ts", "src/bin.ts"],
    format: ["esm"],
    dts: true,
    clean: ["!viewer/**", "!demo/**"],
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
  {
    // The scripts of the demo's page, each with everything in it; the engine's worker and the worklets come from their packages.
    entry: {
      page: "src/demo/page/main.ts",
      "save-worker": "src/demo/page/save-worker.ts",
      "timeline-worker": "src/demo/page/timeline-worker.ts",
      "service-worker": "src/demo/page/service-worker.ts",
    },
    outDir: "dist/demo",
    format: ["esm"],
    platform: "browser",
    target: "es2022",
    noExternal: [/.*/],
    splitting: false,
    minify: true,
    clean: true,
  },
]);
