import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests read the sources of our packages, not their builds; package-level checks (publint, sizes) read the builds.
    alias: [
      { find: "@microturn/core/testing", replacement: source("packages/core/src/testing/index.ts") },
      { find: "@microturn/core", replacement: source("packages/core/src/index.ts") },
      { find: "@microturn/backend-node", replacement: source("packages/backend-node/src/index.ts") },
      { find: "@microturn/mini", replacement: source("packages/mini/src/index.ts") },
      { find: "@microturn/conformance", replacement: source("conformance/src/index.ts") },
    ],
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
