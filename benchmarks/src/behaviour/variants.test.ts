import { expect, test } from "vitest";
import { percentiles } from "../report.js";
import type { Score } from "./score.js";
import { variantsMarkdown } from "./variants.js";

const take = (right: boolean, latencyMs: number): Score => ({
  ...{
    id: "take-0",
    row: "take",
    noise: "clean",
    voice: "flite:rms",
    heldPhrasing: false,
    delegated: false,
    said: "",
    heard: "",
  },
  ...{ took: true, early: false, right, latencyMs },
});

test("variants stand side by side, times against the first", () => {
  const lines = variantsMarkdown([
    {
      weights: "int8",
      bytes: 10_500_000,
      runMs: percentiles([10, 10, 12]),
      scores: [take(true, 300), take(false, 400)],
    },
    {
      weights: "float32",
      bytes: 34_000_000,
      runMs: percentiles([15, 15, 15]),
      scores: [take(true, 300), take(true, 320)],
    },
  ]).split("\n");
  expect(lines).toEqual([
    "|  | int8 | float32 |",
    "|---|---|---|",
    "| Graph with weights | 10.5 MB | 34.0 MB |",
    "| Model run, median | 10.0 ms, 1.00 x | 15.0 ms, 1.50 x |",
    "| take: take-over | 100.0 % | 100.0 % |",
    "| take: latency | median / p90 400 / 400 ms | median / p90 320 / 320 ms |",
    "| take: too early | 0.0 % | 0.0 % |",
    "| take: right reply | 50.0 % | 100.0 % |",
    "| take: delegated needlessly | 0.0 % | 0.0 % |",
  ]);
});
