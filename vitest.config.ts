import { defineConfig } from "vitest/config";
import { sourceAliases } from "./scripts/source-aliases.js";

/** Pages that speak and listen in real time. Where another browser has the processors meanwhile, sound is lost, as it would be for people. */
const inRealTime = [
  "packages/{media,microturn}/src/**/*.browser.test.ts",
  "examples/src/**/*.browser.test.ts",
  "conformance/src/remote/realtime-server.test.ts",
];

export default defineConfig({
  resolve: {
    // Tests read the sources of our packages, not their builds; package-level checks (publint, sizes) read the builds.
    alias: Object.entries(sourceAliases).map(([find, replacement]) => ({ find, replacement })),
  },
  test: {
    globalSetup: ["scripts/vitest-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { ORT_DISABLE_TELEMETRY: "1" },
    projects: [
      {
        extends: true,
        test: {
          name: "two at a time",
          include: ["{packages/*,conformance,benchmarks,examples}/{src,test}/**/*.test.ts", "scripts/**/*.test.ts"],
          exclude: inRealTime,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "in real time", include: inRealTime, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
