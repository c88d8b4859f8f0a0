// A small interaction model with random weights: for tests that need a real graph and no training.

import type { AcousticShape, DuplexLayout, ModelConfig } from "../model/config.js";
import { type LoadedModel, manifestPath, sha256 } from "../model/load.js";
import { tinyConfig } from "../model/presets.js";
import { writeSafetensors } from "../model/safetensors.js";
import { Tokenizer } from "../model/tokenizer.js";
import { weightShapes } from "../model/weight-shapes.js";
import { type StoredWeight, type Weights, weightsFromArrays } from "../model/weights.js";
import { elementCount } from "../tensor.js";

/** Options of {@link tinyModel}. */
export interface TinyModelOptions {
  /** Seeds the weights, default 1. */
  readonly seed?: number;
  /** Changes to the preset `tiny`. */
  readonly config?: Partial<ModelConfig>;
  /** Changes to the micro-turn layout of the preset. */
  readonly duplex?: Partial<DuplexLayout>;
}

/** An acoustic network for the tiny model, which has none by itself: `tinyModel({ duplex: { acoustic: tinyAcoustic } })`. */
export const tinyAcoustic: AcousticShape = {
  width: 8,
  kernel: 5,
  expand: 2,
  encoderBlocks: 2,
  decoderBlocks: 2,
  alphabet: "_ abcdefghijklmnopqrstuvwxyz',.?",
};

/** The preset `tiny` with random weights and a vocabulary of letters and number words. */
export function tinyModel(options: TinyModelOptions = {}): LoadedModel {
  const { seed = 1, config: changes = {}, duplex: layoutChanges = {} } = options;
  const base = { ...tinyConfig(), ...changes };
  const config: ModelConfig =
    base.duplex === undefined ? base : { ...base, duplex: { ...base.duplex, ...layoutChanges } };
  return {
    manifest: {
      formatVersion: 1,
      name: "tiny",
      version: "0.0.0",
      description: "Random weights, for tests.",
      license: "Apache-2.0",
      config,
      files: {
        // No file stands behind it; other weights must not pass for these.
        weights: [{ path: "model.safetensors", bytes: 0, sha256: seed.toString(16).padStart(64, "0") }],
        tokenizer: { path: "tokenizer.json", bytes: 0, sha256: "0".repeat(64) },
      },
      codecs: {
        input: "dmel-20",
        speech: {
          preset: "dmel-speech",
          sampleRate: 16000,
          windowSamples: 800,
          hopSamples: 400,
          fftSize: 1024,
          low: -4,
          step: 0.3,
        },
        image: { width: 39, height: 40 },
      },
    },
    config,
    weights: randomWeights(config, seed),
    tokenizer: new Tokenizer(tinyVocabulary(config.vocabSize)),
  };
}

/** The files of a tiny model by their paths, manifest included, as a model's folder holds them. */
export async function tinyModelFiles(options: TinyModelOptions = {}): Promise<ReadonlyMap<string, Uint8Array>> {
  const { config, weights, tokenizer, manifest } = tinyModel(options);
  const entries = [...weightShapes(config)].map(([name, shape]): [string, StoredWeight] => {
    const data = weights.float32(name, shape);
    return [name, { type: "float32", shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }];
  });
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const [weightsFile] = manifest.files.weights;
  const files = new Map([
    [weightsFile.path, writeSafetensors(entries)],
    [manifest.files.tokenizer.path, text({ version: 1, tokens: tokenizer.tokens })],
  ]);
  const described = await Promise.all(
    [...files].map(async ([path, bytes]) => ({ path, bytes: bytes.length, sha256: await sha256(bytes) })),
  );
  files.set(manifestPath, text({ ...manifest, files: { weights: [described[0]], tokenizer: described[1] } }));
  return files;
}

/**
 * Random weights of a configuration, scaled so that activations stay near 1: norms around 1, matrices by the inverse root
 * of their inputs, everything else small. Greedy output of such a model varies over time and mixes `listen` and `speak`.
 */
export function randomWeights(config: ModelConfig, seed: number): Weights {
  const normal = normalGenerator(seed);
  const arrays: [string, { shape: readonly number[]; data: Float32Array }][] = [];
  for (const [name, shape] of weightShapes(config)) {
    const data = new Float32Array(elementCount(shape));
    const [offset, spread] = distribution(name, shape);
    for (let i = 0; i < data.length; i++) data[i] = offset + spread * normal();
    arrays.push([name, { shape, data }]);
  }
  return weightsFromArrays(arrays);
}

/** Mean and deviation of a weight. */
function distribution(name: string, shape: readonly number[]): readonly [number, number] {
  if (name.includes("norm") || name.endsWith("global_scale")) return [1, 0.1];
  if (name.endsWith("e_score_correction_bias")) return [0, 0.1];
  if (name.endsWith("rel_logits_proj.proj")) return [0, 0.5];
  if (name.includes("sconv")) return [0, 0.3];
  if (name.endsWith("bias")) return [0, 0.1];
  // Letters of about 3 frames.
  if (name === "microturn.acoustic.length.bias") return [3, 0.1];
  if (name.includes("_table") || name.includes("embed_") || name === "microturn.acoustic.letter.weight") return [0, 1];
  if (name.includes("vocoder.conv")) return [0, 1 / Math.sqrt(shape[1] * shape[2])];
  return [0, (name.includes("_head") ? 3 : 1) / Math.sqrt(shape[shape.length - 1])];
}

function tinyVocabulary(size: number): string[] {
  const letters = Array.from("abcdefghijklmnopqrstuvwxyz'", (letter) => `+${letter}`);
  const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "yes", "no"];
  const tokens = ["<pad>", "<end>", "<unk>", ...letters, ...words];
  for (let i = tokens.length; i < size; i++) tokens.push(`word${i}`);
  return tokens.slice(0, size);
}

/** Normally distributed numbers (Box-Muller over mulberry32). */
function normalGenerator(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
