// Writes down what mini hands over: the sound of each request, as an application's recogniser gets it (`transcribe`), and the words that
// mini heard. `training/microturn_training/judge_requests.py` has a recogniser listen to it.
// Options: --cases <folder>, --rows out-of-domain,out-of-domain-human, --model <folder>, --sessions 8, --out <folder>.

import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { modelFolder, nodeBackend } from "@microturn/backend-node";
import { type Engine, systemClock } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { backgroundModel, type SpokenRequest } from "@microturn/tools";
import { MockLanguageModelV3 } from "ai/test";
import { playedStream } from "../background/provider-stream.js";
import { type BehaviourCase, readCases } from "./cases.js";
import { play } from "./play.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "training/work/cases" },
    rows: { type: "string", default: "out-of-domain,out-of-domain-human" },
    model: { type: "string" },
    sessions: { type: "string", default: "8" },
    out: { type: "string", default: "benchmarks/results/requests" },
  },
});

const cases = await readCases(values.cases, values.rows.split(","));
const backend = await nodeBackend();
const sessions = Number(values.sessions);
const engine = localEngine({
  model: values.model === undefined ? mini : modelFolder(values.model),
  backend,
  maxSessions: sessions,
});
await mkdir(values.out, { recursive: true });
// Of an earlier run there may be more.
for (const name of await readdir(values.out)) {
  if (/-\d+\.(wav|json)$/.test(name)) await rm(join(values.out, name));
}
let next = 0;
let written = 0;
await Promise.all(
  Array.from({ length: sessions }, async () => {
    while (next < cases.length) if (await write(cases[next++], engine)) written++;
  }),
);
await engine.close();
await backend.close();
console.log(`${written} of ${cases.length} requests were handed over with their sound: ${values.out}`);

/** Plays a case and writes what goes along with what it hands over. Gives whether it hands over one thing, with its sound. */
async function write(one: BehaviourCase, engine: Engine): Promise<boolean> {
  const sounds: SpokenRequest[] = [];
  const background = backgroundModel({
    // The work itself is of no interest here: it goes on until it is given up.
    model: new MockLanguageModelV3({
      doStream: async ({ abortSignal: signal }) => ({
        stream: playedStream([], { clock: systemClock, partMs: 0, broken: "hangs", signal }),
      }),
    }),
    transcribe: (sound) => {
      sounds.push(sound);
      return "";
    },
  });
  const { turns } = await play(one, engine, { background });
  await background.close();
  const tasks = turns.flatMap(({ output }) => (output.delegation === undefined ? [] : [output.delegation.task]));
  const [sound] = sounds;
  if (tasks.length !== 1 || sound === undefined) return false;
  await writeFile(join(values.out, `${one.id}.wav`), sound.wav);
  const asked = one.events.map(({ text }) => text).join(" ");
  const { row, noise } = one;
  await writeFile(
    join(values.out, `${one.id}.json`),
    `${JSON.stringify({ id: one.id, row, noise, asked, heard: tasks[0] })}\n`,
  );
  return true;
}
