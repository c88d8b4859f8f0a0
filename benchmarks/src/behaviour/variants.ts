// The same cases with several weight types: what each takes, how long it runs, and what it does, side by side.

import type { Percentiles } from "../report.js";
import type { Score } from "./score.js";
import { figureInWords, summary, table } from "./table.js";

/** One weight type and what came of it. */
export interface Variant {
  readonly weights: string;
  /** Of the graph with its weights, as the backend is given it. */
  readonly bytes: number;
  /** Of a model run for one session, all types in turn. */
  readonly runMs: Percentiles;
  readonly scores: readonly Score[];
}

/** A Markdown table, one column for each variant: size, median time of a run against the first, and every figure over all cases. */
export function variantsMarkdown(variants: readonly Variant[]): string {
  const medians = variants.map(({ runMs }) => runMs.p50);
  const summaries = variants.map(({ scores }) => summary(table(scores)));
  const rows = [
    ["Graph with weights", ...variants.map(({ bytes }) => `${(bytes / 1e6).toFixed(1)} MB`)],
    ["Model run, median", ...medians.map((ms) => `${ms.toFixed(1)} ms, ${(ms / medians[0]).toFixed(2)} x`)],
  ];
  for (const behaviour of Object.keys(summaries[0] ?? {})) {
    for (const name of Object.keys(summaries[0][behaviour])) {
      if (name === "cases") continue;
      rows.push([`${behaviour}: ${name}`, ...summaries.map((one) => figureInWords(one[behaviour]?.[name]))]);
    }
  }
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const head = ["", ...variants.map(({ weights }) => weights)];
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}
