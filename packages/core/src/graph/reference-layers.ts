// The layers of the family in plain TypeScript, one position at a time: slow, readable, the reference of the graphs.
// Everything is kept for ever (no rings), numbers are double precision. Source of the rules: docs/models.md.

import type { ModelConfig } from "../model/config.js";
import { attentionOf, layerPrefix, weightShapes } from "../model/weight-shapes.js";
import type { Weights } from "../model/weights.js";
import { mixtureOfExperts, product } from "../moe/experts.js";

/** A vector; everything here is one position of one session. */
export type Vector = Float64Array;

/** Weights of a configuration, fetched once. */
export class ReferenceWeights {
  private readonly arrays = new Map<string, Float32Array>();

  constructor(config: ModelConfig, weights: Weights) {
    for (const [name, shape] of weightShapes(config)) this.arrays.set(name, weights.float32(name, shape));
  }

  get(name: string): Float32Array {
    const array = this.arrays.get(name);
    if (array === undefined) throw new Error(`reference: the configuration has no weight "${name}"`);
    return array;
  }
}

/** x / sqrt(mean(x^2) + epsilon) * weight */
export function rmsNorm(x: Vector, weight: ArrayLike<number>, epsilon: number): Vector {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + epsilon)) * weight[i]);
}

/** Matrix `[out, in]` times x. */
export function linear(x: Vector, matrix: Float32Array): Vector {
  return product(matrix, 0, matrix.length / x.length, x);
}

/** Exact GELU: x * (1 + erf(x / sqrt(2))) / 2. */
export function gelu(x: number): number {
  return (x * (1 + errorFunction(x / Math.SQRT2))) / 2;
}

/** erf by its series of positive terms: 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!! */
function errorFunction(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

/** Depthwise causal convolution with residual; `past` holds the inputs so far, newest last, and is extended. */
function shortConvolution(x: Vector, weight: Float32Array, past: Vector[], kernel: number): Vector {
  past.push(x);
  if (past.length > kernel) past.shift();
  return x.map((value, channel) => {
    let sum = value;
    for (const [i, earlier] of past.entries())
      sum += weight[channel * kernel + kernel - past.length + i] * earlier[channel];
    return sum;
  });
}

/** Which earlier keys a query may see. */
export type Visible = (layer: number, queryPosition: number, keyPosition: number) => boolean;

/** The decoder stack with everything it has seen. */
export class ReferenceDecoder {
  /** Position of the next input. */
  position = 0;
  /** Shares of each routed expert at the last position, by layer; empty for dense layers. */
  readonly shares: Float64Array[] = [];
  /** Experts chosen at the last position, best first, by layer; empty for dense layers. */
  readonly chosen: number[][] = [];
  private readonly layers: { keys: Vector[]; values: Vector[]; past: Vector[][] }[];

  constructor(
    private readonly config: ModelConfig,
    private readonly weights: ReferenceWeights,
    private readonly visible: Visible,
  ) {
    this.layers = config.layerTypes.map(() => ({ keys: [], values: [], past: [[], [], [], []] }));
  }

  /** Final hidden state of the next position, normalised and divided by the muP divisor. */
  step(x: Vector): Vector {
    const { config, weights } = this;
    const { convKernel: kernel, rmsNormEpsilon } = config;
    let hidden = x;
    for (const [layer, { past }] of this.layers.entries()) {
      const at = layerPrefix(layer);
      const norm = (name: string, value: Vector) => rmsNorm(value, weights.get(`${at}${name}.weight`), rmsNormEpsilon);
      const attended = this.attention(layer, norm("input_layernorm", hidden));
      const mixed = shortConvolution(attended, weights.get(`${at}attn_sconv.conv1d.weight`), past[2], kernel);
      hidden = hidden.map((value, i) => value + mixed[i]);
      const transformed = this.mlp(layer, norm("post_attention_layernorm", hidden));
      const convolved = shortConvolution(transformed, weights.get(`${at}mlp_sconv.conv1d.weight`), past[3], kernel);
      hidden = hidden.map((value, i) => value + convolved[i]);
    }
    this.position++;
    const normalised = rmsNorm(hidden, weights.get("model.language_model.norm.weight"), rmsNormEpsilon);
    return normalised.map((value) => value / config.mupDivisor);
  }

  private attention(layer: number, x: Vector): Vector {
    const { config, weights, position } = this;
    const { heads, kvHeads, headDim: D, relativeExtent } = attentionOf(config, layer);
    const { keys, values, past } = this.layers[layer];
    const at = `${layerPrefix(layer)}self_attn.`;
    const weight = (name: string) => weights.get(`${at}${name}`);
    const perHead = (value: Vector, name: string) => {
      const result = new Float64Array(value.length);
      for (let head = 0; head < value.length; head += D) {
        result.set(rmsNorm(value.slice(head, head + D), weight(name), config.rmsNormEpsilon), head);
      }
      return result;
    };
    const query = perHead(linear(x, weight("q_proj.weight")), "q_norm.weight");
    const key = shortConvolution(
      linear(x, weight("k_proj.weight")),
      weight("k_sconv.conv1d.weight"),
      past[0],
      config.convKernel,
    );
    const value = shortConvolution(
      linear(x, weight("v_proj.weight")),
      weight("v_sconv.conv1d.weight"),
      past[1],
      config.convKernel,
    );
    keys.push(perHead(key, "k_norm.weight"));
    values.push(value);
    const relative = linear(x, weight("r_proj.weight"));
    const profiles = weight("rel_logits_proj.proj");
    let temperature = 1;
    if (config.layerTypes[layer] === "global" && config.logScaling !== undefined) {
      const { floor, alpha } = config.logScaling;
      temperature = 1 + alpha * Math.log(Math.max(1, (position + 1) / floor));
    }

    const output = new Float64Array(heads * D);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * kvHeads) / heads) * D;
      const seen = keys.map((_, at) => at).filter((keyPosition) => this.visible(layer, position, keyPosition));
      const scores = seen.map((keyPosition) => {
        let score = 0;
        for (let i = 0; i < D; i++) score += query[head * D + i] * keys[keyPosition][shared + i];
        score /= D;
        const distance = position - keyPosition;
        if (distance < relativeExtent) {
          for (let i = 0; i < config.relativeDim; i++) {
            score += relative[head * config.relativeDim + i] * profiles[i * relativeExtent + distance];
          }
        }
        return score * temperature;
      });
      const largest = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - largest));
      const sum = powers.reduce((a, b) => a + b, 0);
      for (const [i, keyPosition] of seen.entries()) {
        for (let j = 0; j < D; j++) output[head * D + j] += (powers[i] / sum) * values[keyPosition][shared + j];
      }
    }
    return linear(output, weight("o_proj.weight"));
  }

  private mlp(layer: number, x: Vector): Vector {
    const { config } = this;
    const at = `${layerPrefix(layer)}mlp.`;
    const weight = (name: string) => this.weights.get(`${at}${name}`);
    this.shares[layer] = new Float64Array(0);
    this.chosen[layer] = [];
    if (config.mlpTypes[layer] === "dense") {
      const up = linear(x, weight("up_proj.weight"));
      const activated = linear(x, weight("gate_proj.weight")).map((gate, i) => silu(gate) * up[i]);
      return linear(activated, weight("down_proj.weight")).map((value) => value * weight("global_scale")[0]);
    }
    const none = new Float32Array(0);
    const shared = (name: string) => (config.sharedExperts > 0 ? weight(`shared_experts.${name}`) : none);
    const { output, routing } = mixtureOfExperts(
      x,
      {
        router: weight("gate.weight"),
        gateUp: weight("experts.gate_up_proj"),
        down: weight("experts.down_proj"),
        sharedGate: shared("gate_proj"),
        sharedUp: shared("up_proj"),
        sharedDown: shared("down_proj"),
      },
      { ...config, selectionBias: weight("gate.e_score_correction_bias"), globalScale: weight("gate.global_scale")[0] },
    );
    const shares = new Float64Array(config.experts);
    for (const [i, expert] of routing.chosen.entries()) shares[expert] = routing.shares[i];
    this.shares[layer] = shares;
    this.chosen[layer] = routing.chosen;
    return output;
  }
}
