// How results are told: rows of a name, a value in words, and a note; figures beside them for programs.

/** One line of a result table. */
export type BenchRow = { readonly name: string; readonly value: string; readonly note?: string };

/** A figure that the project has set itself, and what came of it here. */
export interface BenchGoal {
  readonly name: string;
  /** What was measured, in words. */
  readonly value: string;
  /** What it must be, in words. */
  readonly goal: string;
  readonly held: boolean;
}

/** One table. */
export interface BenchSection {
  readonly title: string;
  readonly rows: readonly BenchRow[];
  /** What of it must reach a figure. */
  readonly goals?: readonly BenchGoal[];
  /** The figures behind the rows, for `--json`. */
  readonly figures?: Readonly<Record<string, unknown>>;
}

/** Order statistics of a set of times. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Percentiles by nearest rank. @throws RangeError for no values */
export function percentiles(values: readonly number[] | Float64Array): Percentiles {
  if (values.length === 0) throw new RangeError("percentiles: expected one value or more, got none");
  const sorted = Float64Array.from(values).sort();
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted[sorted.length - 1] };
}

/** `p50 1.23, p95 2.34, p99 3.45 ms` */
export function inWords({ p50, p95, p99 }: Percentiles, digits = 1): string {
  return `p50 ${p50.toFixed(digits)}, p95 ${p95.toFixed(digits)}, p99 ${p99.toFixed(digits)} ms`;
}

/** The goals of all sections as a table of their own. */
export function goalsSection(sections: readonly BenchSection[]): BenchSection {
  const goals = sections.flatMap((section) => section.goals ?? []);
  const held = goals.filter((goal) => goal.held).length;
  return {
    title: `Goals (${held} of ${goals.length} held on this machine)`,
    rows: goals.map(({ name, value, goal, held }) => ({ name, value, note: `${held ? "held  " : "MISSED"}  ${goal}` })),
  };
}

/** A table as text, columns aligned. */
export function table({ title, rows }: BenchSection): string {
  const name = Math.max(0, ...rows.map((row) => row.name.length));
  const value = Math.max(0, ...rows.map((row) => row.value.length));
  const lines = rows.map((row) =>
    `  ${row.name.padEnd(name)}  ${row.value.padEnd(row.note === undefined ? 0 : value)}${row.note === undefined ? "" : `  ${row.note}`}`.trimEnd(),
  );
  return [title, ...lines].join("\n");
}
