// Scores to rows of figures: counts, shares, medians and 90th percentiles.

import type { Score } from "./score.js";

/** What was measured: a share of the cases, or the median and 90th percentile in ms. Absent where no case has one. */
export type Figure = number | { readonly medianMs: number; readonly p90Ms: number } | undefined;

/** One printed row. */
export interface TableRow {
  readonly behaviour: string;
  readonly condition: string;
  readonly count: number;
  readonly figures: Readonly<Record<string, Figure>>;
}

/** Share of the scores for which something holds. */
function share(scores: readonly Score[], holds: (score: Score) => boolean): Figure {
  return scores.length === 0 ? undefined : scores.filter(holds).length / scores.length;
}

/** Median and 90th percentile of the values there are. */
function spread(values: readonly (number | undefined)[]): Figure {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const at = (p: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]);
  return { medianMs: at(0.5), p90Ms: at(0.9) };
}

function wordErrorRate(scores: readonly Score[]): Figure {
  const words = scores.reduce((sum, s) => sum + (s.words ?? 0), 0);
  return words === 0 ? undefined : scores.reduce((sum, s) => sum + (s.wordErrors ?? 0), 0) / words;
}

function correctWords(scores: readonly Score[]): Figure {
  const rate = wordErrorRate(scores);
  return typeof rate === "number" ? 1 - rate : undefined;
}

/** What the requests that were handed over carry. */
function requests(scores: readonly Score[]): Readonly<Record<string, Figure>> {
  const errors = scores.reduce((sum, s) => sum + (s.wordErrors ?? 0), 0);
  const unknown = scores.reduce((sum, s) => sum + (s.unknownWords ?? 0), 0);
  return {
    "word error rate of requests": wordErrorRate(scores),
    "unknown words among the errors": errors === 0 ? undefined : unknown / errors,
    "requests with all words": share(scores, (s) => s.wholeRequest === true),
  };
}

/** The figures that belong to a behaviour, by name. */
function figures(behaviour: string, scores: readonly Score[]): Readonly<Record<string, Figure>> {
  const row = behaviour.replace(/-human$/, ""); // people are judged as voices are
  const right = share(scores, (s) => s.right === true);
  const early = share(scores, (s) => s.early === true);
  const latency = spread(scores.map((s) => s.latencyMs));
  const speaking = scores.filter((s) => s.wasSpeaking === true);
  const wasSpeaking = share(scores, (s) => s.wasSpeaking === true);
  switch (row) {
    case "take":
    case "human-digit":
    case "out-of-domain": {
      const taken = { "take-over": share(scores, (s) => s.took === true), latency, "too early": early };
      const delegated = share(scores, (s) => s.delegated);
      if (row !== "out-of-domain") return { ...taken, "right reply": right, "delegated needlessly": delegated };
      return { ...taken, "right reply": right, delegated, ...requests(scores.filter((s) => s.delegated)) };
    }
    case "correct":
      return { "talked into": share(scores, (s) => s.talkedInto === true), "then right reply": right };
    case "aloud": {
      const heard = share(scores, (s) => (s.aloud ?? 0) > 0);
      const often = share(scores, (s) => s.tooOften === true);
      const into = share(scores, (s) => s.intoSentence === true);
      const taken = share(scores, (s) => s.tookTurn === true);
      return {
        "heard in pauses": heard,
        "into a sentence": into,
        "more than once in 4 s": often,
        "took the turn": taken,
        "then right reply": right,
      };
    }
    case "echo":
      return {
        "words repeated": correctWords(scores),
        "all of them": right,
        lag: spread(scores.flatMap((s) => s.lagsMs ?? [])),
      };
    case "wait":
    case "wait-filler":
      return { "take-over in the pause": early, latency, "right reply": right };
    case "told":
      return {
        "said in full": right,
        "of these while nobody spoke": share(
          scores.filter((s) => s.right === true),
          (s) => s.inQuiet === true,
        ),
        "from a free floor": spread(scores.map((s) => s.waitedMs)),
      };
    case "yield-told":
    case "yield-stop":
    case "yield-barge":
      return {
        "was speaking": wasSpeaking,
        "silence from onset": spread(speaking.map((s) => s.yieldMs)),
        "silence from end": spread(speaking.map((s) => s.yieldAfterEndMs)),
        "then right reply": right,
      };
    case "hold":
    case "hold-told":
    case "hold-aside":
    case "hold-cough":
    case "hold-television":
      return { "told word-exact to the end": right, "was speaking": wasSpeaking };
    case "transcript":
      return { "word error rate": wordErrorRate(scores), "whole recording exact": right };
    case "silence":
      return { silent: share(scores, (s) => s.falseAlarm === false) };
    case "time":
    case "every":
      return {
        "right reply": right,
        "absolute error": spread(scores.flatMap((s) => (s.errorsMs ?? []).map(Math.abs))),
      };
    case "jumps":
      return {
        "jumps told": correctWords(scores),
        "all counted, none else": right,
        reaction: spread(scores.flatMap((s) => s.lagsMs ?? [])),
        "false alarms": share(scores, (s) => s.falseAlarm === true),
      };
    case "color":
    case "shape":
      return {
        "right reply": right,
        reaction: spread(scores.map((s) => s.reactionMs)),
        "false alarms": share(
          scores.filter((s) => s.falseAlarm !== undefined), // where something is awaited
          (s) => s.falseAlarm === true,
        ),
      };
    default:
      return { "right reply": right };
  }
}

/** All rows: each behaviour over everything, then by noise, by held-out phrasings and by natural voices. */
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
    const natural = all.filter((s) => s.voice.startsWith("kokoro:"));
    if (natural.length < all.length) add("natural voices", natural);
  }
  return rows;
}

/** A figure as the tables show it. */
export function figureInWords(figure: Figure): string {
  if (figure === undefined) return "none";
  if (typeof figure === "number") return `${(100 * figure).toFixed(1)} %`;
  return `median / p90 ${figure.medianMs} / ${figure.p90Ms} ms`;
}

/** The rows as a Markdown table. */
export function markdown(rows: readonly TableRow[]): string {
  const lines = rows.map(({ behaviour, condition, count, figures }) => {
    const text = Object.entries(figures).map(([name, figure]) => `${name} ${figureInWords(figure)}`);
    return `| ${condition === "all" ? `**${behaviour}**` : ""} | ${condition} | ${count} | ${text.join(", ")} |`;
  });
  return ["| Behaviour | Condition | Cases | Figures |", "|---|---|---|---|", ...lines].join("\n");
}

/** The rows over everything, for the `evaluation` field of a model's manifest. */
export function summary(rows: readonly TableRow[]): Readonly<Record<string, Readonly<Record<string, Figure>>>> {
  const whole = rows.filter((row) => row.condition === "all");
  return Object.fromEntries(whole.map(({ behaviour, count, figures }) => [behaviour, { cases: count, ...figures }]));
}
