import { expect, it, test } from "vitest";
import { percentiles } from "../report.js";
import type { Score } from "./score.js";
import { table } from "./table.js";
import { mainFigure, variantsMarkdown } from "./variants.js";

const score = (row: string, more: Partial<Score>): Score => ({
  ...{
    id: `${row}-0`,
    row,
    noise: "clean",
    voice: "flite:rms",
    heldPhrasing: false,
    delegated: false,
    said: "",
    heard: "",
  },
  ...more,
});
const take = (right: boolean, latencyMs: number) => score("take", { took: true, early: false, right, latencyMs });
const stop = (right: boolean, yieldMs: number) => score("yield-stop", { wasSpeaking: true, right, yieldMs });

test("variants stand side by side, times against the first", () => {
  const lines = variantsMarkdown([
    {
      weights: "int8",
      bytes: 10_500_000,
      runMs: percentiles([10, 10, 12]),
      scores: [take(true, 300), take(false, 400), stop(true, 390), score("hold", { right: false })],
    },
    {
      weights: "float32",
      bytes: 34_000_000,
      runMs: percentiles([15, 15, 15]),
      scores: [take(true, 300), take(true, 320), stop(true, 410), score("hold", { right: true })],
    },
  ]).split("\n");
  expect(lines).toEqual([
    "|  | Cases | Figure | int8 | float32 |",
    "|---|---|---|---|---|",
    "| Graph with weights |  |  | 10.5 MB | 34.0 MB |",
    "| Model run, median |  |  | 10.0 ms, 1.00 x | 15.0 ms, 1.50 x |",
    "| take | 2 | right reply | 50.0 % | 100.0 % |",
    "| yield-stop | 1 | silence from onset | median / p90 390 / 390 ms | median / p90 410 / 410 ms |",
    "| hold | 1 | told word-exact to the end | 0.0 % | 100.0 % |",
    "| **all** | 4 | right | 50.0 % | 100.0 % |",
  ]);
});

it.each([
  ["take", "right reply"],
  ["human-digit", "right reply"],
  ["out-of-domain", "right reply"],
  ["correct", "then right reply"],
  ["aloud", "heard in pauses"],
  ["echo", "words repeated"],
  ["wait", "take-over in the pause"],
  ["told", "said in full"],
  ["yield-told", "silence from onset"],
  ["yield-barge", "silence from onset"],
  ["hold-television", "told word-exact to the end"],
  ["transcript", "word error rate"],
  ["silence", "silent"],
  ["every", "right reply"],
  ["jumps", "jumps told"],
  ["shape", "right reply"],
])("compares %s by: %s", (row, expected) => {
  const [all] = table([score(row, {})]);
  expect(mainFigure(all.figures)).toBe(expected);
});

it("has no main figure of a row without figures", () => expect(mainFigure({})).toBeUndefined());
