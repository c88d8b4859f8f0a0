import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", bullmq: "src/bullmq/index.ts" },
  format: ["esm"],
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  target: "es2022",
  splitting: true,
});
