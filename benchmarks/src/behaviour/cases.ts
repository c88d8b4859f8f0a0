// Evaluation cases: a WAV of what the user says and, beside it, the truth as JSON.
// Written by `training/microturn_training/cases.py`, with voices and phrasings that training never saw.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Something the user says. Times are ms from the start of the recording. */
export interface UserEvent {
  readonly key: string;
  readonly text: string;
  readonly voice: string;
  readonly heldPhrasing: boolean;
  readonly onsetMs: number;
  readonly endMs: number;
}

/** One recording with its truth. */
export interface BehaviourCase {
  readonly id: string;
  /** The behaviour under test: `take`, `wait`, `yield-stop`, `yield-barge`, `hold`, `transcript`, and so on. */
  readonly row: string;
  /** `clean`, `20dB` or `10dB` signal-to-noise ratio. */
  readonly noise: string;
  readonly durationMs: number;
  readonly events: readonly UserEvent[];
  readonly expected: {
    /** Everything the assistant should say; for an interruption, everything after it. */
    readonly text?: string;
    /** Everything the user said. */
    readonly heard?: string;
    readonly paceMs?: number;
    /** From one "now" to the next. */
    readonly everyMs?: number;
    /** When the reply to "wait N seconds", or the first "now", is due to be heard. */
    readonly dueMs?: number;
    /** When the awaited colour or shape appears. */
    readonly changeMs?: number;
    /** When each jump that is to be counted is first seen. */
    readonly jumpsMs?: readonly number[];
  };
  /** What the background hands over to be said when it is quiet, and when. */
  readonly told?: { readonly text: string; readonly atMs: number };
  /** What the camera shows, from each time on; absent without a camera. */
  readonly color?: readonly { readonly ms: number; readonly rgb: readonly [number, number, number] }[];
  /** What the camera shows, if it is more than a colour: RGB images in a gzip file beside this one, the first after half an interval. */
  readonly images?: {
    readonly file: string;
    readonly width: number;
    readonly height: number;
    readonly everyMs: number;
  };
  readonly wav: string;
}

/** Reads every case below a folder, or those of some rows, in the order of their names. @throws Error naming the folder if there is none, or the row that is none */
export async function readCases(folder: string, rows?: readonly string[]): Promise<BehaviourCase[]> {
  const cases: BehaviourCase[] = [];
  const names = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const unknown = names.length === 0 ? undefined : rows?.find((row) => !names.some(({ name }) => name === row));
  if (unknown !== undefined) throw new Error(`there is no row "${unknown}" in ${folder}`);
  for (const entry of names.filter((one) => one.isDirectory()).sort((a, b) => a.name.localeCompare(b.name))) {
    if (rows !== undefined && !rows.includes(entry.name)) continue;
    for (const file of (await readdir(join(folder, entry.name))).filter((name) => name.endsWith(".json")).sort()) {
      const path = join(folder, entry.name, file);
      const truth = JSON.parse(await readFile(path, "utf8")) as Omit<BehaviourCase, "wav">;
      cases.push({ ...truth, wav: path.replace(/\.json$/, ".wav") });
    }
  }
  if (cases.length === 0) {
    throw new Error(
      `no evaluation cases in ${folder}; make them with: cd training && python -m microturn_training.cases`,
    );
  }
  return cases;
}
