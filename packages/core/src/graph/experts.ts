// Mixture of experts: one router, and three forms of the expert sub-graph from the same weights.
// No form is fast on every execution provider: `if` suits CPU, `gather` suits WebGPU, `dense` runs anywhere.
//
// Letters: N tokens (batch x positions), H hidden size, E routed experts, K chosen, S shared experts, F expert width.

import { layerPrefix } from "../model/weight-shapes.js";
import { type BuildContext, type Matrix, quantisedBits } from "./build-context.js";
import type { Emitter, Value } from "./emitter.js";
import { swiglu } from "./mlp.js";
import { quantise } from "./quantise.js";

/** What the router decided about each token. */
interface Routing {
  /** Chosen experts, int64 `[N, K]`. */
  readonly chosen: Value;
  /** Normalised weights of the chosen and then the shared experts, `[N, K]` and `[N, S]`; together they sum to 1. */
  readonly share: Value;
  readonly sharedShare?: Value;
  /** `share` spread over all routed experts, 0 for those not chosen, `[N, E]`. */
  readonly spread: Value;
}

/**
 * Mixture-of-experts layer.
 *
 * @param x - `[B, S, H]`
 * @param positions - S of the pass
 * @returns `[B, S, H]`, the sum over positions of the shares `[B, E]`, and the chosen experts, int64 `[B * S, K]`
 */
export function mixtureOfExperts(
  c: BuildContext,
  layer: number,
  x: Value,
  positions: number,
): { output: Value; load: Value; chosen: Value } {
  const { g, config } = c;
  const at = `${layerPrefix(layer)}mlp.`;
  const tokens = g.reshape(x, [-1, config.hiddenSize]);
  const routing = g.scope("router", () => route(c, at, tokens));
  // Route scale and global scale multiply everything alike.
  const scale = g.float(config.routeScale * c.array(`${at}gate.global_scale`)[0]);
  const form = c.options.experts;
  const mixed = g.scope(form, () => {
    if (form === "dense") return everyExpert(c, at, tokens, routing);
    const shared = sharedExperts(c, at, tokens, routing);
    if (form === "if") return expertsOnDemand(c, at, tokens, routing, shared);
    const routed = gatheredExperts(c, at, tokens, routing);
    return shared === undefined ? routed : g.add(routed, shared);
  });
  return {
    output: g.reshape(g.mul(mixed, scale), [-1, positions, config.hiddenSize]),
    load: g.sum(g.reshape(routing.spread, [-1, positions, config.experts]), [1]),
    chosen: routing.chosen,
  };
}

function route(c: BuildContext, at: string, tokens: Value): Routing {
  const { g, config } = c;
  const { experts: E, expertsPerToken: K, sharedExperts: S } = config;
  const logits = c.exactLinear(tokens, c.matrix(`${at}gate.weight`));
  const [routed, shared] = S > 0 ? g.split(logits, 1, [E, S]) : [logits, undefined];
  const scores = g.add(g.op("Sigmoid", [routed]), c.tensor(`${at}gate.e_score_correction_bias`));
  const [, chosen] = g.ops("TopK", [scores, g.sizes([K])], 2, { axis: 1, largest: 1, sorted: 1 });
  const chosenLogits = g.op("GatherElements", [routed, chosen], { axis: 1 });
  const weighed = shared === undefined ? chosenLogits : g.concat([chosenLogits, shared], 1);
  // logsigmoid(l) = -softplus(-l), and exp(x - logsumexp(x)) is a softmax.
  const logSigmoid = g.op("Neg", [g.op("Softplus", [g.op("Neg", [weighed])])]);
  const shares = g.softmax(logSigmoid);
  const [share, sharedShare] = S > 0 ? g.split(shares, 1, [K, S]) : [shares, undefined];
  const spread = g.op("ScatterElements", [g.mul(routed, g.float(0)), chosen, share], { axis: 1 });
  return { chosen, share, spread, ...(sharedShare === undefined ? {} : { sharedShare }) };
}

/** Shared experts side by side as one wide layer; `[N, H]`. */
function sharedExperts(c: BuildContext, at: string, tokens: Value, routing: Routing): Value | undefined {
  const { g } = c;
  const { sharedExperts: S, expertWidth: F } = c.config;
  if (routing.sharedShare === undefined) return undefined;
  const names = [`${at}shared_experts.gate_proj`, `${at}shared_experts.up_proj`];
  const activated = swiglu(g, c.linear(tokens, c.stacked(`${at}shared.gate_up`, names)), S * F);
  const weighed = weighWide(g, activated, routing.sharedShare, S, F);
  return c.linear(weighed, sideBySide(c, `${at}shared_experts.down_proj`, `${at}shared.down`, S, F));
}

/** Form `if`: an expert runs only when a token chose it, and only on those tokens. */
function expertsOnDemand(
  c: BuildContext,
  at: string,
  tokens: Value,
  routing: Routing,
  shared: Value | undefined,
): Value {
  const { g } = c;
  const { experts: E, expertWidth: F, hiddenSize: H } = c.config;
  const one = new Array<number>(E).fill(1);
  const used = g.op("Greater", [g.op("ReduceMax", [routing.spread, g.sizes([0])], { keepdims: 0 }), g.float(0)]);
  const conditions = g.split(used, 0, one);
  const columns = g.split(routing.spread, 1, one);
  let sum = shared ?? g.mul(tokens, g.float(0));
  for (let expert = 0; expert < E; expert++) {
    const before = sum;
    sum = g.if(
      conditions[expert],
      "float32",
      (body) => {
        const inner = c.inside(body);
        const column = body.reshape(columns[expert], [-1]);
        const rows = body.reshape(body.op("NonZero", [column]), [-1]);
        const mine = body.gather(tokens, rows, 0);
        const weight = body.reshape(body.gather(column, rows, 0), [-1, 1]);
        const gateUp = inner.linear(mine, oneExpert(c, `${at}experts.gate_up_proj`, expert, 2 * F, H));
        const activated = body.mul(swiglu(body, gateUp, F), weight);
        const result = inner.linear(activated, oneExpert(c, `${at}experts.down_proj`, expert, H, F));
        return body.op("ScatterND", [before, body.reshape(rows, [-1, 1]), result], { reduction: "add" });
      },
      () => before,
    );
  }
  return sum;
}

/** Form `gather`: the weights of the chosen experts are fetched per token. */
function gatheredExperts(c: BuildContext, at: string, tokens: Value, routing: Routing): Value {
  const { g } = c;
  const { expertsPerToken: K, expertWidth: F, hiddenSize: H } = c.config;
  const gateUp = chosenMatrices(c, `${at}experts.gate_up_proj`, routing.chosen, 2 * F, H); // [N, K, 2F, H]
  const column = g.reshape(tokens, [-1, 1, H, 1]);
  const activated = swiglu(g, g.matmul(gateUp, column), F, 2); // [N, K, F, 1]
  const weighed = g.mul(activated, g.reshape(routing.share, [-1, K, 1, 1]));
  const down = chosenMatrices(c, `${at}experts.down_proj`, routing.chosen, H, F); // [N, K, H, F]
  return g.reshape(g.sum(g.matmul(down, weighed), [1]), [-1, H]);
}

/** Form `dense`: all experts side by side as one wide layer, unchosen ones weighted zero. */
function everyExpert(c: BuildContext, at: string, tokens: Value, routing: Routing): Value {
  const { g } = c;
  const { experts: E, expertWidth: F, hiddenSize: H } = c.config;
  const stacked = c.stacked(`${at}experts.gate_up`, [`${at}experts.gate_up_proj`]); // [E * 2F, H]
  const perExpert = g.reshape(c.linear(tokens, stacked), [-1, E, 2 * F]);
  const activated = g.reshape(swiglu(g, perExpert, F), [-1, E * F]);
  const weighed = weighWide(g, activated, routing.spread, E, F);
  const routed = c.linear(weighed, sideBySide(c, `${at}experts.down_proj`, `${at}experts.down`, E, F));
  const shared = sharedExperts(c, at, tokens, routing);
  return g.reshape(shared === undefined ? routed : g.add(routed, shared), [-1, H]);
}

/** Multiplies the `F` activations of each of `count` experts by the share of that expert; `[N, count * F]`. */
function weighWide(g: Emitter, activated: Value, shares: Value, count: number, F: number): Value {
  if (count === 1) return g.mul(activated, shares);
  const split = g.reshape(activated, [-1, count, F]);
  return g.reshape(g.mul(split, g.reshape(shares, [-1, count, 1])), [-1, count * F]);
}

/** One expert's matrix out of a weight `[E, rows, columns]`. */
function oneExpert(c: BuildContext, name: string, expert: number, rows: number, columns: number): Matrix {
  const size = rows * columns;
  return {
    name: `${name}.${expert}`,
    rows,
    columns,
    data: () => c.array(name).subarray(expert * size, (expert + 1) * size),
  };
}

/** Down projections `[count, H, F]` as one matrix `[H, count * F]`: multiplying by it also sums over the experts. */
function sideBySide(c: BuildContext, name: string, as: string, count: number, F: number): Matrix {
  const H = c.config.hiddenSize;
  const data = () => {
    const source = c.array(name);
    const result = new Float32Array(H * count * F);
    for (let expert = 0; expert < count; expert++) {
      for (let row = 0; row < H; row++) {
        const start = (expert * H + row) * F;
        result.set(source.subarray(start, start + F), row * count * F + expert * F);
      }
    }
    return result;
  };
  return { name: as, rows: H, columns: count * F, data };
}

/** The matrices of the chosen experts, `[N, K, rows, columns]`, as float32. */
function chosenMatrices(c: BuildContext, name: string, chosen: Value, rows: number, columns: number): Value {
  const { g } = c;
  const E = c.config.experts;
  const bits = quantisedBits[c.options.weightType];
  if (bits === undefined) return g.gather(c.table(name), chosen, 0);
  const block = 32;
  const blocks = Math.ceil(columns / block);
  let made: ReturnType<typeof quantise> | undefined;
  const quantised = () => {
    made ??= quantise(c.array(name), E * rows, columns, bits, block);
    return made;
  };
  // Blocks as a fourth axis, so that a column count that is no multiple of the block size needs no special case.
  const data = g.weight(`${name}.g${bits}`, () => ({
    type: "uint8",
    shape: [E, rows, (blocks * block * bits) / 8],
    data: quantised().data,
  }));
  const scales = g.weight(`${name}.gs${bits}`, () => ({
    type: "float32",
    shape: [E, rows, blocks],
    data: quantised().scales,
  }));
  const attributes = { bits, block_size: block, gather_axis: 0, quantize_axis: 2 };
  const gathered = g.op("GatherBlockQuantized", [data, chosen, scales], attributes, "com.microsoft");
  return columns === blocks * block ? gathered : g.slice(gathered, 3, 0, columns);
}
