import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/ten-lines.ts"],
  format: ["esm"],
  dts: true,
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: true,
});
