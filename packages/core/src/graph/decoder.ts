// The decoder stack over one micro-turn: passes of new positions against the state that earlier micro-turns left.
//
// Everything a later pass needs (new keys and values, convolution histories) stays inside the graph until `finish`.

import type { StateForm } from "../backend.js";
import { attentionOf, layerPrefix } from "../model/weight-shapes.js";
import { type AttentionPlan, type AttentionState, attention } from "./attention.js";
import type { BuildContext } from "./build-context.js";
import type { Value } from "./emitter.js";
import { mixtureOfExperts } from "./experts.js";
import { denseMlp } from "./mlp.js";
import { biasColumns, type RingGeometry, ringRows, updatedRing } from "./ring.js";
import { shortConvolution } from "./short-convolution.js";

/** How a decoder keeps its past. */
export interface DecoderOptions {
  readonly positionsPerTurn: number;
  readonly sliding: RingGeometry;
  readonly global: RingGeometry;
  readonly state: StateForm;
}

interface LayerState {
  attention: AttentionState;
  afterAttention: Value;
  afterMlp: Value;
}

/** The decoder layers of a configuration, pass by pass. */
export class Decoder {
  /** Runs so far, int32 `[B]`. */
  readonly turn: Value;
  private readonly layers: LayerState[] = [];
  /** Shares that the positions so far gave each expert, one `[B, E]` per mixture layer. */
  private readonly loads = new Map<number, Value>();
  /** Experts that the positions so far chose, `[B * count, K]` per pass. */
  private readonly choices = new Map<number, { chosen: Value; count: number }[]>();

  constructor(
    private readonly c: BuildContext,
    private readonly options: DecoderOptions,
  ) {
    const { g, config } = c;
    this.turn = g.stateInput({ input: "turn", type: "int32", shape: [], update: { kind: "counter" } });
    const rings = config.layerTypes.map((_, layer) => {
      const { kvHeads, headDim } = attentionOf(config, layer);
      const geometry = this.geometry(layer);
      const ring = (name: string) =>
        g.stateInput({
          input: `${name}${layer}`,
          output: `${name}${layer}_new`,
          type: "float32",
          shape: [kvHeads, ringRows(geometry), headDim],
          update:
            options.state === "whole"
              ? { kind: "replace" }
              : {
                  kind: "ring",
                  axis: 1,
                  rowsPerTurn: geometry.positionsPerTurn,
                  sinkTurns: geometry.sinkTurns,
                  ringTurns: geometry.ringTurns,
                },
        });
      return { ringKeys: ring("k"), ringValues: ring("v") };
    });
    const widths = config.layerTypes.flatMap((_, layer) => {
      const { kvHeads, headDim } = attentionOf(config, layer);
      return [2 * kvHeads * headDim, config.hiddenSize, config.hiddenSize];
    });
    const packed = g.stateInput({
      input: "conv",
      output: "conv_new",
      type: "float32",
      shape: [config.convKernel - 1, widths.reduce((a, b) => a + b, 0)],
      update: { kind: "replace" },
    });
    const histories = g.splitInStages(packed, 2, widths);
    for (const [layer, ring] of rings.entries()) {
      const [convolution, afterAttention, afterMlp] = histories.slice(3 * layer, 3 * layer + 3);
      this.layers.push({ attention: { ...ring, convolution }, afterAttention, afterMlp });
    }
  }

  private geometry(layer: number): RingGeometry {
    return this.c.config.layerTypes[layer] === "sliding" ? this.options.sliding : this.options.global;
  }

  /**
   * Runs positions `first … first + count - 1` of this micro-turn through all layers.
   *
   * @param x - embedded inputs, `[B, count, H]`
   * @returns final hidden states, normalised and divided by the muP divisor, `[B, count, H]`
   */
  pass(x: Value, first: number, count: number): Value {
    const { c } = this;
    const { g, config } = c;
    const plans = this.plans(first, count);
    let hidden = x;
    for (const [layer, state] of this.layers.entries()) {
      g.scope(`layer${layer}`, () => {
        const at = layerPrefix(layer);
        const plan = plans[config.layerTypes[layer]];
        if (plan === undefined) throw new Error(`graph: no plan for layer ${layer}`);
        const attended = g.scope("attention", () =>
          attention(c, layer, c.norm(hidden, `${at}input_layernorm.weight`), state.attention, plan),
        );
        state.attention = attended.state;
        const mixed = shortConvolution(c, attended.output, state.afterAttention, count, [
          `${at}attn_sconv.conv1d.weight`,
        ]);
        state.afterAttention = mixed.state;
        hidden = g.add(hidden, mixed.output);

        const normalised = c.norm(hidden, `${at}post_attention_layernorm.weight`);
        const transformed = g.scope("mlp", () => this.mlp(layer, normalised, count));
        const convolved = shortConvolution(c, transformed, state.afterMlp, count, [`${at}mlp_sconv.conv1d.weight`]);
        state.afterMlp = convolved.state;
        hidden = g.add(hidden, convolved.output);
      });
    }
    const normalised = c.norm(hidden, "model.language_model.norm.weight");
    return config.mupDivisor === 1 ? normalised : g.div(normalised, g.float(config.mupDivisor));
  }

  private mlp(layer: number, x: Value, count: number): Value {
    const { c } = this;
    if (c.config.mlpTypes[layer] === "dense") return denseMlp(c, layer, x);
    const { output, load, chosen } = mixtureOfExperts(c, layer, x, count);
    const before = this.loads.get(layer);
    this.loads.set(layer, before === undefined ? load : c.g.add(before, load));
    this.choices.set(layer, [...(this.choices.get(layer) ?? []), { chosen, count }]);
    return output;
  }

  /** What all layers of a kind share in this pass. */
  private plans(first: number, count: number): { sliding?: AttentionPlan; global?: AttentionPlan } {
    const { c, options, turn } = this;
    const { g, config } = c;
    const plan = (kind: "sliding" | "global") =>
      g.scope(kind, (): AttentionPlan => {
        const geometry = options[kind];
        const columns = biasColumns(g, turn, geometry, config[kind].relativeExtent, first, count);
        // Once for all heads and layers of the kind.
        const perHead = g.op("Expand", [columns, g.sizes([1, config[kind].heads, 1, 1])]);
        const shared = { count, total: first + count, rows: ringRows(geometry), columns: perHead };
        if (kind === "sliding" || config.logScaling === undefined) return shared;
        const { floor, alpha } = config.logScaling;
        const start = g.mul(g.cast(turn, "float32"), g.float(options.positionsPerTurn));
        const numbers = Float32Array.from({ length: count }, (_, i) => first + i + 1);
        const ratio = g.div(g.add(g.reshape(start, [-1, 1]), g.floats(numbers, [1, count])), g.float(floor));
        const growth = g.op("Log", [g.op("Max", [ratio, g.float(1)])]);
        const temperature = g.add(g.mul(growth, g.float(alpha)), g.float(1));
        return { ...shared, temperature: g.reshape(temperature, [-1, count, 1, 1]) };
      });
    return {
      ...(config.layerTypes.includes("sliding") ? { sliding: plan("sliding") } : {}),
      ...(config.layerTypes.includes("global") ? { global: plan("global") } : {}),
    };
  }

  /** Mean share of each expert over the positions of this micro-turn, `[B, mixture layers, E]`; undefined without mixtures. */
  expertLoad(): Value | undefined {
    const { g, config } = this.c;
    if (this.loads.size === 0) return undefined;
    const rows = [...this.loads.values()].map((load) => g.reshape(load, [-1, 1, config.experts]));
    return g.mul(g.concat(rows, 1), g.float(1 / this.options.positionsPerTurn));
  }

  /** Experts chosen at each position of this micro-turn, best first, int32 `[B, mixture layers, P, K]`. */
  chosenExperts(): Value | undefined {
    const { g, config } = this.c;
    if (this.choices.size === 0) return undefined;
    const K = config.expertsPerToken;
    const rows = [...this.choices.values()].map((passes) => {
      const parts = passes.map(({ chosen, count }) => g.reshape(chosen, [-1, 1, count, K]));
      return g.concat(parts, 2);
    });
    return g.cast(g.concat(rows, 1), "int32");
  }

  /** Emits the renewed state. Every position of the micro-turn must have passed. */
  finish(): void {
    const { c, options } = this;
    const { g, config } = c;
    g.scope("state", () => {
      const histories: Value[] = [];
      for (const [layer, { attention: kept, afterAttention, afterMlp }] of this.layers.entries()) {
        const { kvHeads, headDim } = attentionOf(config, layer);
        for (const [name, ring, rows] of [
          ["k", kept.ringKeys, kept.newKeys],
          ["v", kept.ringValues, kept.newValues],
        ] as const) {
          if (rows === undefined) throw new Error("graph: finish before the first pass");
          const value =
            options.state === "rows"
              ? rows
              : updatedRing(g, ring, rows, this.turn, this.geometry(layer), kvHeads, headDim);
          g.stateOutput(`${name}${layer}_new`, value);
        }
        histories.push(kept.convolution, afterAttention, afterMlp);
      }
      g.stateOutput("conv_new", g.concat(histories, 2));
    });
  }
}
