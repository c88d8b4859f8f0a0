// Named configurations of the family.

import { DuplexError } from "../errors.js";
import type { ModelConfig, PatchLayer } from "./config.js";
import { validateConfig } from "./validate-config.js";

/** A published configuration with what is not known of it; it cannot be built until every gap is filled. */
export interface PresetWithGaps {
  /** What is known. */
  readonly config: Partial<ModelConfig>;
  /** What is not, and why, field by field; a gap is never filled with a guess. */
  readonly gaps: Readonly<Partial<Record<keyof ModelConfig, string>>>;
  /** Where the known values come from. */
  readonly source: string;
}

/**
 * Fills the gaps of a published configuration with values that the caller knows, for example from its checkpoint.
 *
 * @param values - every field of `preset.gaps`, and others to change; undefined says that the model has no such part
 * @throws DuplexError `MODEL_INVALID` naming a gap that is still open, or a field that is impossible
 */
export function completePreset(
  preset: PresetWithGaps,
  values: { readonly [Field in keyof ModelConfig]?: ModelConfig[Field] | undefined },
): ModelConfig {
  for (const [field, gap] of Object.entries(preset.gaps)) {
    if (Object.hasOwn(values, field)) continue;
    throw new DuplexError(
      "MODEL_INVALID",
      `completePreset: ${field} is not published (${gap}); take it from the checkpoint, or give undefined where the model has none`,
      { details: { field } },
    );
  }
  const given = Object.entries({ ...preset.config, ...values }).filter(([, value]) => value !== undefined);
  return validateConfig(Object.fromEntries(given), "preset");
}

const published =
  "transformers 5.23 class defaults of `inkling_mm_model`, checked against Thinking Machines Lab's model page";

/** Layer types of a stack in which every `period`-th layer is global. */
function everyNthGlobal(layers: number, period: number): ("sliding" | "global")[] {
  return Array.from({ length: layers }, (_, layer) => ((layer + 1) % period === 0 ? "global" : "sliding"));
}

/** hMLP tower of the published models: folds 5, 2 and 4 in space, then 2 in time. */
function publishedTower(hiddenSize: number): PatchLayer[] {
  return [
    { foldTime: 1, foldSpace: 5, inputWidth: 75, outputWidth: 128 },
    { foldTime: 1, foldSpace: 2, inputWidth: 512, outputWidth: 320 },
    { foldTime: 1, foldSpace: 4, inputWidth: 5120, outputWidth: 4800 },
    { foldTime: 2, foldSpace: 1, inputWidth: 9600, outputWidth: hiddenSize },
  ];
}

/**
 * Inkling, 975B parameters, 41B active (Thinking Machines Lab, Apache-2.0).
 *
 * @see https://huggingface.co/thinkingmachines/Inkling
 */
export const inkling: PresetWithGaps = {
  source: published,
  gaps: {
    mlpTypes: "how many of the first layers are dense: class default 0, the smaller model has 2",
    denseWidth: "width of those dense layers in the checkpoint: class default 24576",
    logScaling: "position from which the temperature grows: class default off; alpha is 0.1",
  },
  config: {
    hiddenSize: 6144,
    vocabSize: 201024,
    unpaddedVocabSize: 200058,
    rmsNormEpsilon: 1e-6,
    layerTypes: everyNthGlobal(66, 6),
    global: { heads: 64, kvHeads: 8, headDim: 128, relativeExtent: 1024 },
    sliding: { heads: 64, kvHeads: 16, headDim: 128, relativeExtent: 512 },
    slidingWindow: 512,
    relativeDim: 16,
    convKernel: 4,
    expertWidth: 3072,
    experts: 256,
    expertsPerToken: 6,
    sharedExperts: 2,
    routeScale: 8,
    mupDivisor: 24,
    audio: { melBins: 80, levels: 16 },
    image: { patchSize: 40, temporalPatchSize: 2, channels: 3, layers: publishedTower(6144) },
  },
};

/** Inkling-Small, 276B parameters, 12B active: most of its sizes are only in its checkpoint's configuration file. */
export const inklingSmall: PresetWithGaps = {
  source: `${published}; layer count from a third party's reading of the checkpoint`,
  gaps: {
    hiddenSize: "only in the checkpoint",
    vocabSize: "only in the checkpoint",
    unpaddedVocabSize: "only in the checkpoint",
    global: "heads, kvHeads, headDim, relativeExtent: only in the checkpoint",
    sliding: "heads, kvHeads, headDim, relativeExtent: only in the checkpoint",
    slidingWindow: "only in the checkpoint",
    relativeDim: "only in the checkpoint",
    logScaling: "only in the checkpoint",
    denseWidth: "only in the checkpoint",
    expertWidth: "only in the checkpoint",
    routeScale: "only in the checkpoint",
    mupDivisor: "only in the checkpoint",
    image: "the tower of the larger model with another last width, which is the hidden size",
  },
  config: {
    rmsNormEpsilon: 1e-6,
    layerTypes: everyNthGlobal(42, 6),
    mlpTypes: Array.from({ length: 42 }, (_, layer) => (layer < 2 ? "dense" : "experts")),
    convKernel: 4,
    experts: 256,
    expertsPerToken: 6,
    sharedExperts: 2,
    audio: { melBins: 80, levels: 16 },
  },
};

/**
 * `mini`, the bundled interaction model (docs/models.md). Its vocabulary is that of its tokenizer.
 *
 * @param options - what the family leaves open
 * @param options.vocabSize - tokens of the tokenizer
 */
export function miniConfig({ vocabSize }: { vocabSize: number }): ModelConfig {
  return {
    hiddenSize: 256,
    vocabSize,
    rmsNormEpsilon: 1e-6,
    layerTypes: everyNthGlobal(6, 3),
    mlpTypes: ["dense", "experts", "experts", "experts", "experts", "experts"],
    global: { heads: 4, kvHeads: 2, headDim: 64, relativeExtent: 252 },
    sliding: { heads: 4, kvHeads: 2, headDim: 64, relativeExtent: 126 },
    slidingWindow: 126,
    relativeDim: 16,
    convKernel: 4,
    denseWidth: 512,
    expertWidth: 128,
    experts: 8,
    expertsPerToken: 2,
    sharedExperts: 1,
    routeScale: 3,
    mupDivisor: 1,
    audio: { melBins: 80, levels: 16 },
    image: {
      patchSize: 40,
      temporalPatchSize: 2,
      channels: 3,
      layers: [
        { foldTime: 1, foldSpace: 5, inputWidth: 75, outputWidth: 32 },
        { foldTime: 1, foldSpace: 2, inputWidth: 128, outputWidth: 64 },
        { foldTime: 1, foldSpace: 4, inputWidth: 1024, outputWidth: 128 },
        { foldTime: 2, foldSpace: 1, inputWidth: 256, outputWidth: 256 },
      ],
    },
    duplex: {
      turnDurationMs: 200,
      textSlots: 0,
      patchSlots: 1,
      audioPositions: 4,
      outputPositions: 4,
      globalWindow: 576,
      sinkPositions: 9,
      speech: { framesPerPosition: 2, melBins: 80, levels: 16 },
      vocoder: { width: 128, blocks: 4, kernel: 5, subFrames: 2, envelopePoints: 65 },
      acoustic: {
        ...{ width: 144, kernel: 9, expand: 2, encoderBlocks: 5, decoderBlocks: 3 },
        alphabet: "_ abcdefghijklmnopqrstuvwxyz',.?",
      },
      delegates: true,
    },
  };
}

/** `tiny`: the layout of `mini` with two small layers and short windows, for tests. */
export function tinyConfig(): ModelConfig {
  return {
    hiddenSize: 32,
    vocabSize: 48,
    rmsNormEpsilon: 1e-6,
    layerTypes: ["sliding", "global"],
    mlpTypes: ["dense", "experts"],
    global: { heads: 4, kvHeads: 2, headDim: 8, relativeExtent: 24 },
    sliding: { heads: 4, kvHeads: 2, headDim: 8, relativeExtent: 18 },
    slidingWindow: 18,
    relativeDim: 4,
    convKernel: 4,
    denseWidth: 64,
    expertWidth: 32,
    experts: 4,
    expertsPerToken: 2,
    sharedExperts: 1,
    routeScale: 3,
    mupDivisor: 1,
    audio: { melBins: 80, levels: 16 },
    image: {
      patchSize: 40,
      temporalPatchSize: 2,
      channels: 3,
      layers: [
        { foldTime: 1, foldSpace: 5, inputWidth: 75, outputWidth: 8 },
        { foldTime: 1, foldSpace: 2, inputWidth: 32, outputWidth: 8 },
        { foldTime: 1, foldSpace: 4, inputWidth: 128, outputWidth: 16 },
        { foldTime: 2, foldSpace: 1, inputWidth: 32, outputWidth: 32 },
      ],
    },
    duplex: {
      turnDurationMs: 200,
      textSlots: 0,
      patchSlots: 1,
      audioPositions: 4,
      outputPositions: 4,
      globalWindow: 36,
      sinkPositions: 9,
      speech: { framesPerPosition: 2, melBins: 80, levels: 16 },
      vocoder: { width: 16, blocks: 2, kernel: 5, subFrames: 2, envelopePoints: 65 },
    },
  };
}
