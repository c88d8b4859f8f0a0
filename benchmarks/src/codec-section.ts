// The codecs' table, in the form of the other sections.

import { type CodecRow, codecBench } from "./codecs.js";
import type { BenchGoal, BenchSection } from "./report.js";

/** Speed of the codecs on one core. */
export async function codecsSection(): Promise<BenchSection> {
  const rows = await codecBench();
  return {
    title: "Codecs, one core",
    rows: rows.map(({ realTime: _, ...row }) => row),
    goals: [goalOf(rows, "dmel-20", 1500), goalOf(rows, "resampler, 48 to 16 kHz", 150)],
  };
}

function goalOf(rows: readonly CodecRow[], name: string, least: number): BenchGoal {
  const realTime = rows.find((row) => row.name === name)?.realTime;
  if (realTime === undefined) throw new Error(`the codecs' table has no speed of "${name}"`);
  return {
    name,
    value: `${Math.round(realTime).toLocaleString("en")}x real time`,
    goal: `at least ${least.toLocaleString("en")}x`,
    held: realTime >= least,
  };
}
