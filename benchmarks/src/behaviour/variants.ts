// The same cases with several weight types: what each takes, how long it runs, and what it does, side by side.

import type { Percentiles } from "../report.js";
import type { Score } from "./score.js";
import { type Figure, figureInWords, table } from "./table.js";

/** One weight type and what came of it. */
export interface Variant {
  readonly weights: string;
  /** Of the graph with its weights, as the backend is given it. */
  readonly bytes: number;
  /** Of a model run for one session, all types in turn. */
  readonly runMs: Percentiles;
  readonly scores: readonly Score[];
}

/**
 * Figures that a row is compared by: the first of these that it has, else its own first one. What the row is about comes
 * before whether the reply to it was right.
 */
const mainFigures = [
  "take-over in the pause",
  "silence from onset",
  "heard in pauses",
  "right reply",
  "then right reply",
] as const;

/** The name of the figure that tells most of a row, of those that it has; undefined if there are none. */
export function mainFigure(figures: Readonly<Record<string, Figure>>): string | undefined {
  return mainFigures.find((name) => name in figures) ?? Object.keys(figures)[0];
}

/**
 * A Markdown table, one column for each variant: size, median time of a run against the first, and one line for each row, with
 * its main figure over all cases; at the end, the share of all cases that were right.
 */
export function variantsMarkdown(variants: readonly Variant[]): string {
  const medians = variants.map(({ runMs }) => runMs.p50);
  const lines = [
    ["Graph with weights", "", "", ...variants.map(({ bytes }) => `${(bytes / 1e6).toFixed(1)} MB`)],
    ["Model run, median", "", "", ...medians.map((ms) => `${ms.toFixed(1)} ms, ${(ms / medians[0]).toFixed(2)} x`)],
  ];
  const tables = variants.map(({ scores }) => table(scores).filter(({ condition }) => condition === "all"));
  for (const { behaviour, count, figures } of tables[0] ?? []) {
    const name = mainFigure(figures);
    if (name === undefined) continue;
    const values = tables.map((rows) => rows.find((row) => row.behaviour === behaviour)?.figures[name]);
    lines.push([behaviour, String(count), name, ...values.map(figureInWords)]);
  }
  const right = variants.map(({ scores }) => scores.filter((one) => one.right === true).length / scores.length);
  lines.push(["**all**", String(variants[0]?.scores.length ?? 0), "right", ...right.map(figureInWords)]);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const head = ["", "Cases", "Figure", ...variants.map(({ weights }) => weights)];
  return [line(head), `|${head.map(() => "---|").join("")}`, ...lines.map(line)].join("\n");
}
