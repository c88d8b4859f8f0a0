import { defineConfig } from "tsup";

export default defineConfig([
  {
    entry: { index: "src/index.ts", react: "src/react/index.ts" },
    format: ["esm"],
    dts: { banner: '/// <reference lib="esnext.disposable" />' },
    clean: ["!*-worklet.js*"],
    sourcemap: true,
    target: "es2022",
    splitting: true,
  },
  {
    // What runs on the audio thread: files of their own with everything in them, to be served as they are.
    entry: { "capture-worklet": "src/worklets/capture-worklet.ts", "player-worklet": "src/worklets/player-worklet.ts" },
    format: ["esm"],
    platform: "browser",
    target: "es2022",
    noExternal: [/.*/],
    splitting: false,
    // As they are: bundlers put a small file into the script that names it, as a data: URL, which a strict page forbids.
    minify: false,
    sourcemap: true,
    clean: false,
  },
]);
