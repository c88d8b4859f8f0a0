// From tokens, dMel levels and patches to positions of the sequence.

import type { BuildContext } from "./build-context.js";
import type { Value } from "./emitter.js";

/** Epsilon of the norms in the audio and image towers, fixed in the published code. */
const towerEpsilon = 1e-6;

/** Text embedding: row of the table, then RMSNorm; int32 `[B, S]` to `[B, S, H]`. */
export function embedText(c: BuildContext, ids: Value): Value {
  const rows = c.g.gather(c.table("model.language_model.embed_tokens.weight"), ids, 0);
  return c.norm(rows, "model.language_model.embed_tokens.embed_norm.weight");
}

/** dMel bag of embeddings: the sum of one row per mel bin, then RMSNorm; int32 `[B, S, bins]` to `[B, S, H]`. */
export function embedAudio(c: BuildContext, levels: Value): Value {
  const { g, config } = c;
  if (config.audio === undefined) throw new Error("graph: the configuration has no audio");
  const sum = bagOfLevels(
    c,
    levels,
    "model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight",
    config.audio.melBins,
    config.audio.levels,
    2,
  );
  return g.rmsNorm(sum, c.tensor("model.audio_tower.norm.weight"), towerEpsilon);
}

/** The sum over `bins` of row `bin * levels + level` of a table; the axis of the bins disappears. */
export function bagOfLevels(
  c: BuildContext,
  levels: Value,
  table: string,
  bins: number,
  levelCount: number,
  axis: number,
): Value {
  const { g } = c;
  const starts = Int32Array.from({ length: bins }, (_, bin) => bin * levelCount);
  const rows = g.gather(c.table(table), g.add(levels, g.ints(starts, [bins])), 0);
  return g.sum(rows, [axis]);
}

/** hMLP patch tower; float32 `[B, count, time, size, size, channels]` to `[B, count, H]`. */
export function embedPatches(c: BuildContext, patches: Value, count: number): Value {
  const { g, config } = c;
  if (config.image === undefined) throw new Error("graph: the configuration has no image");
  const { patchSize, temporalPatchSize, channels, layers } = config.image;
  let [time, size, depth] = [temporalPatchSize, patchSize, channels];
  let x = g.reshape(patches, [-1, time, size, size, depth]);
  for (const [index, { foldTime, foldSpace, outputWidth }] of layers.entries()) {
    // Fold neighbouring points of time and space into the depth of one point.
    if (foldTime > 1 || foldSpace > 1) {
      const [t, s] = [time / foldTime, size / foldSpace];
      x = g.reshape(x, [-1, t, foldTime, s, foldSpace, s, foldSpace, depth]);
      x = g.transpose(x, [0, 1, 3, 5, 2, 4, 6, 7]);
      [time, size, depth] = [t, s, depth * foldTime * foldSpace * foldSpace];
      x = g.reshape(x, [-1, time, size, size, depth]);
    }
    const name = `model.vision_tower.encoder_layers.${index}`;
    x = c.linear(x, c.matrix(`${name}.projection.weight`));
    depth = outputWidth;
    if (index < layers.length - 1) {
      x = g.op("Gelu", [c.norm(x, `${name}.layer_norm.weight`, towerEpsilon)], { approximate: "none" });
    }
  }
  const pooled = g.reshape(x, [-1, count, config.hiddenSize]);
  return g.rmsNorm(pooled, c.tensor("model.vision_tower.final_norm.weight"), towerEpsilon);
}
