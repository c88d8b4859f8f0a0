import { defineConfig } from "tsup";

export default defineConfig({
  // The two sockets, and the two ways to Opus, are chosen by the "imports" of package.json, by whoever bundles or runs.
  entry: {
    index: "src/index.ts",
    "socket/node-socket": "src/socket/node-socket.ts",
    "socket/browser-socket": "src/socket/browser-socket.ts",
    "opus/node-opus": "src/opus/node-opus.ts",
    "opus/browser-opus": "src/opus/browser-opus.ts",
  },
  format: ["esm"],
  dts: { entry: { index: "src/index.ts" }, banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  target: "es2022",
  splitting: true,
  external: ["#socket", "#opus"],
});
