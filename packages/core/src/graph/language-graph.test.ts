import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ExpertForm, StateForm } from "../backend.js";
import type { ModelConfig } from "../model/config.js";
import { readSafetensors } from "../model/safetensors.js";
import { createWeights, type StoredWeight } from "../model/weights.js";
import type { Tensor } from "../tensor.js";
import { buildLanguageGraph } from "./language-graph.js";
import { GraphRunner } from "./test-runner.js";

// Origin of the numbers: transformers 5.23.0, float32, CPU (scripts/fixtures/inkling.py). Tolerance: 1e-4 of the
// largest logit, which leaves room for another order of summation in float32 and for nothing else.
const tolerance = 1e-4;

interface Fixture {
  readonly config: ModelConfig;
  readonly tensors: Map<string, StoredWeight>;
  readonly ids: Int32Array;
  readonly logits: Float32Array;
  readonly imageToken: number;
  readonly audioToken: number;
}

function loadFixture(name: string): Fixture {
  const { tensors, metadata } = readSafetensors(
    readFileSync(new URL(`../../../../fixtures/${name}.safetensors`, import.meta.url)),
  );
  return {
    config: JSON.parse(metadata.config),
    tensors,
    ids: ints(tensors, "case.ids"),
    logits: createWeights(tensors).float32("case.logits", tensors.get("case.logits")?.shape ?? []),
    imageToken: Number(metadata.imageToken),
    audioToken: Number(metadata.audioToken),
  };
}

function ints(tensors: Map<string, StoredWeight>, name: string): Int32Array {
  const stored = tensors.get(name);
  if (stored === undefined) return new Int32Array(0);
  return new Int32Array(new Uint8Array(stored.bytes).buffer);
}

/** Logits of the whole sequence, `chunk` positions per run. The last run is filled up with token 0, its rest dropped. */
async function logitsOf(fixture: Fixture, chunk: number, experts: ExpertForm, state: StateForm): Promise<Float32Array> {
  const { config, ids, tensors } = fixture;
  const runs = Math.ceil(ids.length / chunk);
  const levels = ints(tensors, "case.levels");
  const bins = config.audio?.melBins ?? 0;
  const frames = levels.length / bins;
  const patches = tensors.has("case.patches")
    ? createWeights(tensors).float32("case.patches", tensors.get("case.patches")?.shape ?? [])
    : new Float32Array(0);
  const size =
    config.image === undefined
      ? 0
      : config.image.temporalPatchSize * config.image.patchSize ** 2 * config.image.channels;
  const media = frames > 0;
  const audioSlots = media ? Math.min(chunk, frames) : 0;
  const patchSlots = media ? Math.min(chunk, patches.length / size) : 0;
  const graph = buildLanguageGraph(config, createWeights(tensors), {
    target: { experts, state },
    chunk,
    context: 32,
    audioSlots,
    patchSlots,
  });
  const runner = await GraphRunner.create(graph);
  const vocabulary = config.unpaddedVocabSize ?? config.vocabSize;
  const result = new Float32Array(ids.length * vocabulary);
  let frame = 0;
  let patch = 0;
  for (let run = 0; run < runs; run++) {
    const part = new Int32Array(chunk);
    part.set(ids.subarray(run * chunk, (run + 1) * chunk));
    const feeds: Record<string, Tensor> = { ids: { type: "int32", shape: [1, chunk], data: part } };
    if (media) {
      const audioPositions = new Int32Array(audioSlots).fill(-1);
      const patchPositions = new Int32Array(patchSlots).fill(-1);
      const someLevels = new Int32Array(audioSlots * bins);
      const somePatches = new Float32Array(patchSlots * size);
      let [a, p] = [0, 0];
      for (const [position, id] of part.entries()) {
        if (id === fixture.audioToken) {
          audioPositions[a] = position;
          someLevels.set(levels.subarray(frame * bins, (frame + 1) * bins), a++ * bins);
          frame++;
        } else if (id === fixture.imageToken) {
          patchPositions[p] = position;
          somePatches.set(patches.subarray(patch * size, (patch + 1) * size), p++ * size);
          patch++;
        }
      }
      const { temporalPatchSize = 0, patchSize = 0, channels = 0 } = config.image ?? {};
      const patchShape = [1, patchSlots, temporalPatchSize, patchSize, patchSize, channels];
      feeds.levels = { type: "int32", shape: [1, audioSlots, bins], data: someLevels };
      feeds.audio_positions = { type: "int32", shape: [1, audioSlots], data: audioPositions };
      feeds.patches = { type: "float32", shape: patchShape, data: somePatches };
      feeds.patch_positions = { type: "int32", shape: [1, patchSlots], data: patchPositions };
    }
    const { logits } = await runner.run(feeds);
    const rest = Math.min(chunk, ids.length - run * chunk) * vocabulary;
    result.set(Float32Array.from(logits.data).subarray(0, rest), run * chunk * vocabulary);
  }
  await runner.close();
  return result;
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let error = 0;
  let largest = 0;
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(actual[i] - value);
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    largest = Math.max(largest, Math.abs(value));
  }
  return error / largest;
}

describe.each(["inkling-dense", "inkling-experts", "inkling-multimodal"])("language graph of %s", (name) => {
  const fixture = loadFixture(name);
  const forms: ExpertForm[] = fixture.config.mlpTypes.includes("experts") ? ["if", "gather", "dense"] : ["dense"];
  const states: StateForm[] = ["rows", "whole"];

  for (const experts of forms) {
    it(`gives the logits of transformers for the whole sequence in one run (experts: ${experts})`, async () => {
      const logits = await logitsOf(fixture, fixture.ids.length, experts, "rows");
      expect(relativeError(logits, fixture.logits)).toBeLessThan(tolerance);
    });
    for (const state of states) {
      for (const chunk of [1, 4]) {
        it(`gives them ${chunk} at a time with state (experts: ${experts}, state: ${state})`, async () => {
          const logits = await logitsOf(fixture, chunk, experts, state);
          expect(relativeError(logits, fixture.logits)).toBeLessThan(tolerance);
        });
      }
    }
  }

  it("gives other logits when a single weight is changed", async () => {
    const tensors = new Map(fixture.tensors);
    const weight = "model.language_model.layers.1.self_attn.rel_logits_proj.proj";
    const stored = tensors.get(weight);
    if (stored === undefined) throw new Error(`fixture lacks ${weight}`);
    const data = createWeights(tensors).float32(weight, stored.shape).slice();
    data[3] += 0.5;
    tensors.set(weight, { ...stored, bytes: new Uint8Array(data.buffer) });
    const logits = await logitsOf({ ...fixture, tensors }, fixture.ids.length, "dense", "rows");
    expect(relativeError(logits, fixture.logits)).toBeGreaterThan(10 * tolerance);
  });
});
