// A plain language model of the family as a graph: so many new positions per run, against ring state.
// Used to compare the builder with the published implementation; an interaction model has its own graph.

import type { Graph, GraphTarget, WeightType } from "../backend.js";
import type { ModelConfig } from "../model/config.js";
import type { Weights } from "../model/weights.js";
import { BuildContext } from "./build-context.js";
import { Decoder } from "./decoder.js";
import { embedAudio, embedPatches, embedText } from "./embeddings.js";
import { Emitter, type Value } from "./emitter.js";
import { languageLogits } from "./heads.js";

/** Options of {@link buildLanguageGraph}. */
export interface LanguageGraphOptions {
  readonly target: Pick<GraphTarget, "experts" | "state">;
  /** New positions per run. */
  readonly chunk: number;
  /** Positions that global layers can look back; default 1024, rounded up to whole runs. */
  readonly context?: number;
  readonly weightType?: WeightType;
  /** Audio frames that a run can take, default 0. */
  readonly audioSlots?: number;
  /** Image patches that a run can take, default 0. */
  readonly patchSlots?: number;
}

/**
 * Builds the graph of a language model.
 *
 * Inputs: `ids` int32 `[B, chunk]`; with audio slots `levels` int32 `[B, slots, bins]` and `audio_positions` int32
 * `[B, slots]`; with patch slots `patches` float32 `[B, slots, time, size, size, channels]` and `patch_positions` int32
 * `[B, slots]`. A position counts from the start of the chunk and takes the place of the text there; -1 leaves the slot
 * unused. Output: `logits` float32 `[B, chunk, vocabulary]`.
 */
export function buildLanguageGraph(config: ModelConfig, weights: Weights, options: LanguageGraphOptions): Graph {
  const { target, chunk, context = 1024, weightType = "float32", audioSlots = 0, patchSlots = 0 } = options;
  if (!Number.isInteger(chunk) || chunk < 1)
    throw new RangeError(`buildLanguageGraph: chunk must be at least 1, got ${chunk}`);
  const g = new Emitter();
  const c = new BuildContext(g, config, weights, { experts: target.experts, weightType, accuracyLevel: 0 });
  const turnsFor = (positions: number) => Math.max(1, Math.ceil(positions / chunk));
  const common = { positionsPerTurn: chunk, sinkTurns: 0 };
  const decoder = new Decoder(c, {
    positionsPerTurn: chunk,
    sliding: { ...common, ringTurns: turnsFor(config.slidingWindow - 1), window: config.slidingWindow },
    global: { ...common, ringTurns: turnsFor(context) },
    state: target.state,
  });

  let x = embedText(c, g.input("ids", "int32", [-1, chunk]));
  if (audioSlots > 0 && config.audio !== undefined) {
    const levels = g.input("levels", "int32", [-1, audioSlots, config.audio.melBins]);
    const positions = g.input("audio_positions", "int32", [-1, audioSlots]);
    x = placed(g, x, embedAudio(c, levels), positions, chunk, audioSlots);
  }
  if (patchSlots > 0 && config.image !== undefined) {
    const { temporalPatchSize: time, patchSize: size, channels } = config.image;
    const patches = g.input("patches", "float32", [-1, patchSlots, time, size, size, channels]);
    const positions = g.input("patch_positions", "int32", [-1, patchSlots]);
    x = placed(g, x, embedPatches(c, patches, patchSlots), positions, chunk, patchSlots);
  }
  const logits = languageLogits(c, decoder.pass(x, 0, chunk));
  g.output("logits", logits, "float32", [-1, chunk, config.unpaddedVocabSize ?? config.vocabSize]);
  decoder.finish();
  return g.finish("microturn-language");
}

/** Puts features in the place of the text at given positions: a product with a 0-or-1 matrix, exact. */
function placed(g: Emitter, x: Value, features: Value, positions: Value, chunk: number, slots: number): Value {
  const places = g.ints(
    Int32Array.from({ length: chunk }, (_, i) => i),
    [1, chunk, 1],
  );
  const matches = g.cast(g.equal(g.reshape(positions, [-1, 1, slots]), places), "float32");
  const taken = g.less(g.float(0.5), g.sum(matches, [2], true));
  return g.where(taken, g.matmul(matches, features), x);
}
