// Grouped-query attention with learned relative bias, over a ring of past keys and the new keys of this micro-turn.
//
// Letters: B batch, S new positions, R rows of the ring, N positions of this micro-turn so far, D head dimension.

import { attentionOf, layerPrefix } from "../model/weight-shapes.js";
import type { BuildContext } from "./build-context.js";
import type { Value } from "./emitter.js";
import { shortConvolution } from "./short-convolution.js";

/** State that attention reads and renews within one micro-turn. */
export interface AttentionState {
  /** Keys and values of earlier micro-turns, `[B, kvHeads, R, D]`; not changed here. */
  readonly ringKeys: Value;
  readonly ringValues: Value;
  /** Keys and values of this micro-turn so far, `[B, kvHeads, N - S, D]`; absent at its first pass. */
  readonly newKeys?: Value;
  readonly newValues?: Value;
  /** History of the short convolution on keys and values, `[B, kernel - 1, 2 * kvHeads * D]`. */
  readonly convolution: Value;
}

/** What the positions of this pass have in common over all layers of a kind. */
export interface AttentionPlan {
  /** S */
  readonly count: number;
  /** N */
  readonly total: number;
  /** R */
  readonly rows: number;
  /** Columns of the relative-bias table, int32 `[B, heads, S, R + N]`; see `biasColumns`. */
  readonly columns: Value;
  /** Log-position temperature, `[B, S, 1, 1]`; absent when off. */
  readonly temperature?: Value;
}

/** Bias of a key that is out of sight. */
const hidden = -1e9;

/**
 * Attention of one layer.
 *
 * @param x - `[B, S, H]`, normalised
 * @returns `[B, S, H]` and the renewed state
 */
export function attention(
  c: BuildContext,
  layer: number,
  x: Value,
  state: AttentionState,
  plan: AttentionPlan,
): { output: Value; state: AttentionState } {
  const { g, config } = c;
  const { heads, kvHeads, headDim: D, relativeExtent } = attentionOf(config, layer);
  const { count: S, total: N, rows: R, temperature } = plan;
  const group = heads / kvHeads;
  const at = `${layerPrefix(layer)}self_attn.`;

  // One multiplication for queries, keys, values and relative states.
  const names = ["q", "k", "v", "r"].map((part) => `${at}${part}_proj.weight`);
  const projected = c.linear(x, c.stacked(`${at}qkvr`, names));
  const [queryPart, keyValuePart, relativePart] = g.split(projected, 2, [
    heads * D,
    2 * kvHeads * D,
    heads * config.relativeDim,
  ]);
  const convolved = shortConvolution(c, keyValuePart, state.convolution, S, [
    `${at}k_sconv.conv1d.weight`,
    `${at}v_sconv.conv1d.weight`,
  ]);
  const [keyPart, valuePart] = g.split(convolved.output, 2, [kvHeads * D, kvHeads * D]);

  // Queries [B, kvHeads, group * S, D]: the heads of a group share keys, so they stand in one matrix.
  const scale = g.weight(`${at}q_norm.scaled`, () => {
    const weight = c.array(`${at}q_norm.weight`);
    return { type: "float32", shape: [D], data: weight.map((value) => value / D) };
  });
  let query = g.rmsNorm(g.reshape(queryPart, [-1, S, heads, D]), scale, config.rmsNormEpsilon);
  if (temperature !== undefined) query = g.mul(query, temperature);
  query = g.reshape(headsFirst(c, query, S, heads, D), [-1, kvHeads, group * S, D]);
  const normalisedKey = c.norm(g.reshape(keyPart, [-1, S, kvHeads, D]), `${at}k_norm.weight`);
  const key = headsFirst(c, normalisedKey, S, kvHeads, D);
  const value = headsFirst(c, g.reshape(valuePart, [-1, S, kvHeads, D]), S, kvHeads, D);
  const newKeys = state.newKeys === undefined ? key : g.concat([state.newKeys, key], 2);
  const newValues = state.newValues === undefined ? value : g.concat([state.newValues, value], 2);

  // Bias per distance, with a column of zeros for far keys and one that hides; then one column per key is picked.
  const profiles = g.weight(`${at}relative.padded`, () => {
    const proj = c.array(`${at}rel_logits_proj.proj`);
    const width = relativeExtent + 2;
    const data = new Float32Array(config.relativeDim * width);
    for (let row = 0; row < config.relativeDim; row++) {
      data.set(proj.subarray(row * relativeExtent, (row + 1) * relativeExtent), row * width);
    }
    return { type: "float32", shape: [config.relativeDim, width], data };
  });
  const mask = new Float32Array(relativeExtent + 2);
  mask[relativeExtent + 1] = hidden;
  let relative = g.reshape(relativePart, [-1, S, heads, config.relativeDim]);
  if (temperature !== undefined) relative = g.mul(relative, temperature);
  relative = headsFirst(c, relative, S, heads, config.relativeDim);
  const byDistance = g.add(g.matmul(relative, profiles), g.floats(mask, [relativeExtent + 2]));
  const bias = g.op("GatherElements", [byDistance, plan.columns], { axis: 3 });

  const scores = g.concat(
    [g.matmul(query, g.transpose(state.ringKeys, [0, 1, 3, 2])), g.matmul(query, g.transpose(newKeys, [0, 1, 3, 2]))],
    3,
  );
  const share = g.softmax(g.add(scores, g.reshape(bias, [-1, kvHeads, group * S, R + N])));
  const [ringShare, newShare] = g.split(share, 3, [R, N]);
  const mixed = g.add(g.matmul(ringShare, state.ringValues), g.matmul(newShare, newValues));
  const joined = positionsFirst(c, g.reshape(mixed, [-1, heads, S, D]), S, heads, D);
  return {
    output: c.linear(joined, c.matrix(`${at}o_proj.weight`)),
    state: {
      ringKeys: state.ringKeys,
      ringValues: state.ringValues,
      newKeys,
      newValues,
      convolution: convolved.state,
    },
  };
}

/** `[B, S, heads, D]` to `[B, heads, S, D]`; with one position that moves no data. */
function headsFirst(c: BuildContext, x: Value, S: number, heads: number, D: number): Value {
  return S === 1 ? c.g.reshape(x, [-1, heads, 1, D]) : c.g.transpose(x, [0, 2, 1, 3]);
}

/** `[B, heads, S, D]` to `[B, S, heads * D]`. */
function positionsFirst(c: BuildContext, x: Value, S: number, heads: number, D: number): Value {
  return c.g.reshape(S === 1 ? x : c.g.transpose(x, [0, 2, 1, 3]), [-1, S, heads * D]);
}
