import { defineConfig } from "vitest/config";
import { sourceAliases } from "./scripts/source-aliases.js";

export default defineConfig({
  resolve: {
    // Tests read the sources of our packages, not their builds; package-level checks (publint, sizes) read the builds.
    alias: Object.entries(sourceAliases).map(([find, replacement]) => ({ find, replacement })),
  },
  test: {
    globalSetup: ["scripts/vitest-setup.ts"],
    include: ["{packages/*,conformance,benchmarks,examples}/{src,test}/**/*.test.ts", "scripts/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});
