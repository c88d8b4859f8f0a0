import { defineConfig } from "tsup";

export default defineConfig({
  entry: [
    "src/bench.ts",
    "src/behaviour/eval.ts",
    "src/behaviour/requests.ts",
    "src/behaviour/typed.ts",
    "src/server/server-process.ts",
    "src/background/killed-workers.ts",
  ],
  format: ["esm"],
  dts: true,
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: true,
});
