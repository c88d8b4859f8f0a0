// Scores to rows of figures: counts, shares, medians and 90th percentiles.

import type { Score } from "./score.js";

/** One printed row. */
export interface TableRow {
  readonly behaviour: string;
  readonly condition: string;
  readonly count: number;
  readonly figures: string;
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Share of the scores for which something holds. */
function share(scores: readonly Score[], holds: (score: Score) => boolean): string {
  return scores.length === 0 ? "none" : percent(scores.filter(holds).length / scores.length);
}

/** Median and 90th percentile of the values there are. */
function spread(values: readonly (number | undefined)[], unit = " ms"): string {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return "none";
  const at = (p: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]);
  return `${at(0.5)} / ${at(0.9)}${unit}`;
}

/** The figures that belong to a behaviour. */
function figures(row: string, scores: readonly Score[]): string {
  const right = `right reply ${share(scores, (s) => s.right === true)}`;
  const latency = `latency median / p90 ${spread(scores.map((s) => s.latencyMs))}`;
  switch (row) {
    case "take":
    case "out-of-domain":
      return `take-over ${share(scores, (s) => s.took === true)}, ${latency}, too early ${share(scores, (s) => s.early === true)}, ${right}`;
    case "wait":
      return `take-over in the pause ${share(scores, (s) => s.early === true)}, ${latency}, ${right}`;
    case "yield-stop":
    case "yield-barge": {
      const speaking = scores.filter((s) => s.wasSpeaking === true);
      return (
        `was speaking ${share(scores, (s) => s.wasSpeaking === true)}, silence from onset median / p90 ${spread(speaking.map((s) => s.yieldMs))}, ` +
        `from end ${spread(speaking.map((s) => s.yieldAfterEndMs))}, then ${right}`
      );
    }
    case "hold":
      return `told word-exact to the end ${share(scores, (s) => s.right === true)}, was speaking ${share(scores, (s) => s.wasSpeaking === true)}`;
    case "transcript": {
      const errors = scores.reduce((sum, s) => sum + (s.wordErrors ?? 0), 0);
      return `word error rate ${percent(errors / scores.reduce((sum, s) => sum + (s.words ?? 0), 0))}, whole recording exact ${share(scores, (s) => s.right === true)}`;
    }
    case "silence":
      return `silent ${share(scores, (s) => s.falseAlarm === false)}`;
    case "time":
      return `${right}, absolute error median / p90 ${spread(scores.flatMap((s) => (s.errorsMs ?? []).map(Math.abs)))}`;
    case "color":
      return `${right}, reaction median / p90 ${spread(scores.map((s) => s.reactionMs))}, false alarms ${share(scores, (s) => s.falseAlarm === true)}`;
    default:
      return right;
  }
}

/** All rows: each behaviour over everything, then by noise, then by held-out phrasings. */
export function table(scores: readonly Score[]): TableRow[] {
  const rows: TableRow[] = [];
  for (const behaviour of [...new Set(scores.map((s) => s.row))]) {
    const all = scores.filter((s) => s.row === behaviour);
    const add = (condition: string, some: readonly Score[]) => {
      if (some.length > 0) rows.push({ behaviour, condition, count: some.length, figures: figures(behaviour, some) });
    };
    add("all", all);
    for (const noise of ["clean", "20dB", "10dB"])
      add(
        noise,
        all.filter((s) => s.noise === noise),
      );
    const held = all.filter((s) => s.heldPhrasing);
    if (held.length < all.length) add("held-out phrasings", held);
  }
  return rows;
}

/** The rows as a Markdown table. */
export function markdown(rows: readonly TableRow[]): string {
  const lines = rows.map(
    (row) =>
      `| ${row.condition === "all" ? `**${row.behaviour}**` : ""} | ${row.condition} | ${row.count} | ${row.figures} |`,
  );
  return ["| Behaviour | Condition | Cases | Figures |", "|---|---|---|---|", ...lines].join("\n");
}
