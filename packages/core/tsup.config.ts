import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/index.ts", "src/local.ts", "src/model.ts", "src/codecs.ts", "src/protocol.ts", "src/testing/index.ts"],
  format: ["esm"],
  // DuplexSession is AsyncDisposable, which the standard library of a browser project may not know.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: true,
});
