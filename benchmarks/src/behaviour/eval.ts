// `npm run eval`: plays recorded cases into mini, end to end through DuplexSession, and prints what it did as a table.
// Options: --cases <folder>, --rows take,wait, --model <folder>, --sessions 8, --out <folder>,
// --weights int8,float32,float16,int4 (each in turn; the first is what the tables are of, all together are compared),
// --compare take,hold (rows to compare them by, which types after the first play; all of them otherwise),
// --traces 1 (pages with the trace of the first cases of each row, in <folder>),
// --card <file.md> (replaces the text between its `eval`, `experts` and `variants` markers), --manifest <microturn.json> (sets
// its `evaluation`).

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { modelFolder, nodeBackend } from "@microturn/backend-node";
import { type WeightType, writeTrace } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { buildDuplexGraph, loadModel } from "@microturn/core/model";
import { mini } from "@microturn/mini";
import { renderTraceHtml } from "microturn";
import { runTimes } from "../weights.js";
import { type BehaviourCase, readCases } from "./cases.js";
import { ExpertTally, expertsMarkdown, momentOf } from "./experts.js";
import { play } from "./play.js";
import { type Score, score } from "./score.js";
import { markdown, summary, table } from "./table.js";
import { variantsMarkdown } from "./variants.js";

/** What came of the cases with one weight type. */
interface Played {
  readonly scores: readonly Score[];
  readonly experts: ExpertTally;
}

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "training/work/cases" },
    rows: { type: "string" },
    model: { type: "string" },
    weights: { type: "string" },
    compare: { type: "string" },
    sessions: { type: "string", default: "8" },
    traces: { type: "string", default: "1" },
    out: { type: "string", default: "benchmarks/results/behaviour" },
    card: { type: "string" },
    manifest: { type: "string" },
  },
});

if (values.compare !== undefined && !(values.weights ?? "").includes(",")) {
  throw new Error("--compare says by which rows weight types are compared: name two or more with --weights");
}
if (values.rows !== undefined && (values.card ?? values.manifest) !== undefined) {
  throw new Error("--rows would leave rows out of the card or manifest: give --card and --manifest without it");
}
const traces = Number(values.traces);
if (!Number.isInteger(traces) || traces < 0) {
  throw new Error(`--traces must be a whole number from 0 on, got ${values.traces}`);
}
const card = values.card === undefined ? undefined : await readFile(values.card, "utf8");
for (const name of ["eval", "experts", "variants"]) {
  if (card !== undefined && !marked(name).test(card)) {
    throw new Error(`${values.card} has no <!-- ${name} --> … <!-- /${name} --> markers`);
  }
}
const cases = await readCases(values.cases, values.rows?.split(","));
const model = await loadModel(values.model === undefined ? mini : modelFolder(values.model));
const backend = await nodeBackend();
const { target } = backend.capabilities;
const types = (values.weights?.split(",") ?? [target.weights[0]]) as WeightType[];
const compares = types.length > 1;
const sessions = Number(values.sessions);
// Before anything is played: a type that does not exist, or not for this backend, ends it here.
const bytes = types.map(graphBytes);
const runMs = compares ? await runTimes({ backend, model }, types, 300) : [];
const comparedRows = new Set(values.compare?.split(",") ?? cases.map(({ row }) => row));
const compared = cases.filter(({ row }) => comparedRows.has(row));
const missing = [...comparedRows].find((name) => !compared.some(({ row }) => row === name));
if (missing !== undefined) throw new Error(`--compare: "${missing}" is none of the rows that are played`);
const played: Played[] = [];
for (const weightType of types) {
  const folder = compares ? join(values.out, weightType) : values.out; // the files of a comparison lie apart
  played.push(await evaluate(weightType, played.length === 0 ? cases : compared, folder));
}
await backend.close();

const [first] = played;
const rows = table(first.scores);
const voices = [...new Set(first.scores.map((s) => s.voice))].filter((voice) => voice !== "none").sort();
const weights = types[0] === target.weights[0] ? `${types[0]} (the default here)` : types[0];
const variants = types.map((type, i) => ({
  weights: type,
  bytes: bytes[i],
  runMs: runMs[i],
  scores: played[i].scores.filter(({ row }) => comparedRows.has(row)),
}));
const sections: Record<string, string> = {
  eval: `${markdown(rows)}\n\n${cases.length} cases, weights ${weights}; voices: ${voices.join(", ")}.`,
  experts: expertsMarkdown(first.experts),
  // What stood there before may be of another model.
  variants: compares
    ? variantsMarkdown(variants)
    : "Not compared for this model: give `--weights int8,float32,float16,int4`.",
};
console.log(Object.values(sections).join("\n\n"));
if (values.card !== undefined && card !== undefined) {
  let filled = card;
  for (const [name, content] of Object.entries(sections)) {
    filled = filled.replace(marked(name), () => `<!-- ${name} -->\n\n${content}\n\n<!-- /${name} -->`);
  }
  await writeFile(values.card, filled);
}
if (values.manifest !== undefined) {
  const manifest = JSON.parse(await readFile(values.manifest, "utf8")) as Record<string, unknown>;
  const round = (_: string, value: unknown) => (typeof value === "number" ? Number(value.toFixed(3)) : value);
  const evaluation = JSON.parse(JSON.stringify({ weights, ...summary(rows) }, round));
  await writeFile(values.manifest, `${JSON.stringify({ ...manifest, evaluation }, null, 2)}\n`);
}

/** The part of a card that is written anew. */
function marked(name: string): RegExp {
  return new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`);
}

/** Whether a case is among the first of its row. */
function firstOf(one: BehaviourCase, count: number): boolean {
  return cases.filter(({ row }) => row === one.row).indexOf(one) < count;
}

/** Size of the graph with its weights. */
function graphBytes(weightType: WeightType): number {
  const { onnx, externalData = [] } = buildDuplexGraph(model.config, model.weights, { target, weightType });
  return externalData.reduce((sum, { data }) => sum + data.length, onnx.length);
}

/** Plays cases with one weight type, and writes a JSON file for each. */
async function evaluate(weightType: WeightType, cases: readonly BehaviourCase[], out: string): Promise<Played> {
  const engine = localEngine({ model, backend, weights: weightType, maxSessions: sessions });
  await mkdir(out, { recursive: true });
  const scores: Score[] = [];
  const experts = new ExpertTally();
  let next = 0;
  await Promise.all(
    Array.from({ length: sessions }, async () => {
      while (next < cases.length) {
        const one = cases[next++];
        const played = await play(one, engine, { trace: firstOf(one, traces) });
        for (const turn of played.turns) experts.add(momentOf(turn, one, played.turnMs), turn);
        const result = score(one, played);
        scores.push(result);
        if (process.stderr.isTTY || scores.length % 50 === 0) {
          process.stderr.write(`${weightType}: ${scores.length} of ${cases.length} cases\n`);
        }
        if (played.trace !== undefined) {
          await writeFile(join(out, `${one.id}.html`), renderTraceHtml(await writeTrace(played.trace)));
        }
        const file = join(out, `${one.id}.json`);
        await writeFile(file, `${JSON.stringify({ ...result, expected: one.expected }, null, 1)}\n`);
      }
    }),
  );
  await engine.close();
  scores.sort((a, b) => a.id.localeCompare(b.id));
  await writeFile(join(out, "scores.json"), `${JSON.stringify(scores, null, 1)}\n`);
  return { scores, experts };
}
