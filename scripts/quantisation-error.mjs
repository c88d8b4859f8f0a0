// How much a quantised graph differs from the float32 graph of the same model, on recorded speech.
//
//   npm run build && node scripts/quantisation-error.mjs [model folder] [recording.wav ...]
//
// Before every micro-turn the quantised graph gets the float32 graph's state, so that each micro-turn is compared on its
// own: logits at output position 0, which nothing sampled in this micro-turn has reached yet, and the experts chosen at
// all positions up to it. Then both run free from the start, and their greedy outputs are compared position by position.

import { readFileSync } from "node:fs";
import { modelFolder, nodeBackend } from "@microturn/backend-node";
import { mixToMono, readWav } from "@microturn/core";
import { dmel20, encodeDmel } from "@microturn/core/codecs";
import { buildDuplexGraph, loadModel } from "@microturn/core/model";

const [folder = "packages/mini", ...given] = process.argv.slice(2);
const recordings =
  given.length > 0
    ? given
    : ["conversation", "barge-in", "pause-and-backchannel"].map((name) => `fixtures/speech/${name}.wav`);
const model = await loadModel(modelFolder(folder));
const { config } = model;
const P =
  config.duplex.patchSlots + config.duplex.textSlots + config.duplex.audioPositions + config.duplex.outputPositions;
const compared = P - config.duplex.outputPositions + 1;
const backend = await nodeBackend({ threads: 1 });
const load = (options) =>
  backend.load(
    buildDuplexGraph(config, model.weights, { target: backend.capabilities.target, debug: true, ...options }),
  );
const exact = await load({ weightType: "float32" });
const variants = {
  "int8, float32 activations": await load({ weightType: "int8", accuracyLevel: 0 }),
  "int8, int8 activations": await load({ weightType: "int8", accuracyLevel: 4 }),
  "int4, int8 activations": await load({ weightType: "int4", accuracyLevel: 4 }),
};

/** Feeds of every micro-turn of a recording: greedy, no camera. */
function* microTurns(path) {
  const { channels, sampleRate } = readWav(new Uint8Array(readFileSync(path)));
  if (sampleRate !== dmel20.sampleRate) throw new Error(`${path}: expected ${dmel20.sampleRate} Hz, got ${sampleRate}`);
  const levels = encodeDmel(mixToMono(channels), dmel20);
  const perTurn = config.duplex.audioPositions * dmel20.melBins;
  for (let start = 0; start + perTurn <= levels.length; start += perTurn) {
    const feeds = {};
    for (const { name, type, shape } of exact.graph.inputs) {
      const sizes = shape.map((size) => (size === -1 ? 1 : size));
      const count = sizes.reduce((a, b) => a * b, 1);
      feeds[name] = { type, shape: sizes, data: type === "float32" ? new Float32Array(count) : new Int32Array(count) };
    }
    feeds.dmel.data.set(levels.subarray(start, start + perTurn));
    yield feeds;
  }
}

const copied = ({ outputs }) =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));

const heads = ["text", "heard", "control", "speech"];
const totals = Object.fromEntries(
  Object.keys(variants).map((name) => [
    name,
    {
      turns: 0,
      choices: 0,
      flips: 0,
      free: 0,
      freeSame: 0,
      errors: heads.map(() => ({ square: 0, reference: 0, worst: 0, n: 0, same: 0 })),
    },
  ]),
);

for (const path of recordings) {
  const reference = [];
  const state = await exact.createState(1);
  const states = Object.fromEntries(
    await Promise.all(Object.entries(variants).map(async ([name, one]) => [name, await one.createState(1)])),
  );
  for (const feeds of microTurns(path)) {
    const before = await state.read(0);
    const expected = copied(await exact.run(feeds, state));
    reference.push({ feeds, expected });
    for (const [name, variant] of Object.entries(variants)) {
      await states[name].write(0, before);
      const got = copied(await variant.run(feeds, states[name]));
      const total = totals[name];
      total.turns++;
      for (const [i, head] of heads.entries()) {
        const width = expected[`${head}_logits`].data.length / config.duplex.outputPositions;
        const a = expected[`${head}_logits`].data.subarray(0, width);
        const b = got[`${head}_logits`].data.subarray(0, width);
        const categories = expected[`${head}_logits`].shape.at(-1);
        const sum = total.errors[i];
        let largest = 0;
        let worst = 0;
        for (let j = 0; j < width; j++) {
          sum.square += (a[j] - b[j]) ** 2;
          sum.reference += a[j] ** 2;
          largest = Math.max(largest, Math.abs(a[j]));
          worst = Math.max(worst, Math.abs(a[j] - b[j]));
        }
        sum.worst = Math.max(sum.worst, worst / largest);
        for (let j = 0; j < width; j += categories) {
          const best = (logits) => logits.indexOf(Math.max(...logits));
          sum.n++;
          if (best(a.slice(j, j + categories)) === best(b.slice(j, j + categories))) sum.same++;
        }
      }
      const K = config.expertsPerToken;
      const [, layers] = expected.chosen_experts.shape;
      for (let layer = 0; layer < layers; layer++) {
        for (let position = 0; position < compared; position++) {
          const at = (layer * P + position) * K;
          const set = (tensor) => [...tensor.data.subarray(at, at + K)].sort().join();
          total.choices++;
          if (set(expected.chosen_experts) !== set(got.chosen_experts)) total.flips++;
        }
      }
    }
  }
  for (const [name, variant] of Object.entries(variants)) {
    await states[name].reset(0);
    for (const { feeds, expected } of reference) {
      const got = copied(await variant.run(feeds, states[name]));
      for (const head of ["text", "heard", "control"]) {
        for (const [i, token] of expected[head].data.entries()) {
          totals[name].free++;
          if (got[head].data[i] === token) totals[name].freeSame++;
        }
      }
    }
  }
}
await backend.close();

const percent = (part, all) => `${((100 * part) / all).toFixed(2)} %`;
for (const [name, { turns, choices, flips, free, freeSame, errors }] of Object.entries(totals)) {
  console.log(`${name}: ${turns} micro-turns`);
  for (const [i, head] of heads.entries()) {
    const { square, reference, worst, n, same } = errors[i];
    console.log(
      `  ${head.padEnd(8)} logit error rms ${percent(Math.sqrt(square), Math.sqrt(reference))}, worst ${percent(worst, 1)} of the largest; same best ${percent(same, n)}`,
    );
  }
  console.log(
    `  router flips ${percent(flips, choices)} of ${choices} choices; free run, same token ${percent(freeSame, free)}`,
  );
}
