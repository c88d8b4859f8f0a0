// A whole micro-turn in plain TypeScript: what the duplex graph is tested against. Slow and readable; keeps everything.

import { type DuplexLayout, type ModelConfig, positionsPerTurn } from "../model/config.js";
import type { Weights } from "../model/weights.js";
import { controlToken, toldToken } from "./duplex-graph.js";
import { gelu, linear, ReferenceDecoder, ReferenceWeights, rmsNorm, type Vector } from "./reference-layers.js";

/** Input of one micro-turn of one session; the shapes of the graph's inputs without the batch axis. */
export interface ReferenceInput {
  readonly dmel: ArrayLike<number>;
  readonly textSlots?: ArrayLike<number>;
  readonly patches?: ArrayLike<number>;
  readonly patchPresent?: ArrayLike<number>;
  readonly random: ArrayLike<number>;
  readonly temperature: number;
  readonly forceControl: number;
  /** With an acoustic model: see `toldToken`; default all 0. */
  readonly told?: ArrayLike<number>;
  readonly toldText?: ArrayLike<number>;
  readonly toldSpeech?: ArrayLike<number>;
}

/** What one output position yields. */
export interface ReferenceYield {
  readonly text: number;
  readonly heard: number;
  readonly control: number;
  /** `[frames * bins]` */
  readonly levels: readonly number[];
  readonly logits: { text: Vector; heard: Vector; control: Vector; speech: Vector };
}

/** Output of one micro-turn. */
export interface ReferenceOutput {
  readonly positions: readonly ReferenceYield[];
  /** Mean share of each routed expert, one row per mixture layer. */
  readonly expertLoad: readonly number[][];
  /** Experts chosen, best first, `[mixture layers][positions][K]`. */
  readonly chosenExperts: readonly (readonly number[][])[];
}

/** An interaction model, one session. */
export class ReferenceModel {
  private readonly layout: DuplexLayout;
  private readonly weights: ReferenceWeights;
  private readonly decoder: ReferenceDecoder;
  /** Whether the last output position said what it was told. */
  private saidTold = false;
  private previous: Pick<ReferenceYield, "text" | "heard" | "control" | "levels">;

  /** @throws TypeError if the configuration has no `duplex` layout */
  constructor(
    private readonly config: ModelConfig,
    weights: Weights,
  ) {
    if (config.duplex === undefined) throw new TypeError("ReferenceModel: expected a configuration with duplex");
    const layout = config.duplex;
    this.layout = layout;
    this.weights = new ReferenceWeights(config, weights);
    this.decoder = new ReferenceDecoder(config, this.weights, (layer, query, key) => {
      if (config.layerTypes[layer] === "sliding") return query - key < config.slidingWindow;
      return query - key < layout.globalWindow || key < layout.sinkPositions;
    });
    const levels = new Array<number>(layout.speech.framesPerPosition * layout.speech.melBins).fill(0);
    this.previous = { text: 0, heard: 0, control: controlToken.listen, levels };
  }

  step(input: ReferenceInput): ReferenceOutput {
    const { layout, decoder, config } = this;
    const shares = config.layerTypes.map(() => new Float64Array(config.experts));
    const chosen: number[][][] = config.layerTypes.map(() => []);
    const advance = (x: Vector) => {
      const hidden = decoder.step(x);
      for (const [layer, share] of decoder.shares.entries()) {
        for (const [expert, value] of share.entries()) shares[layer][expert] += value;
        chosen[layer].push(decoder.chosen[layer]);
      }
      return hidden;
    };
    for (const x of this.inputs(input)) advance(x);
    const positions: ReferenceYield[] = [];
    for (let position = 0; position < layout.outputPositions; position++) {
      const hidden = advance(this.bag());
      const yielded = this.yield(hidden, input, position);
      positions.push(yielded);
      this.previous = yielded;
    }
    const P = positionsPerTurn(layout);
    const mixture = (_: unknown, layer: number) => config.mlpTypes[layer] === "experts";
    const expertLoad = shares.filter(mixture).map((sums) => Array.from(sums, (sum) => sum / P));
    return { positions, expertLoad, chosenExperts: chosen.filter(mixture) };
  }

  private inputs(input: ReferenceInput): Vector[] {
    const { layout, config } = this;
    const vectors: Vector[] = [];
    for (let slot = 0; slot < layout.textSlots; slot++) vectors.push(this.text(input.textSlots?.[slot] ?? 0));
    for (let slot = 0; slot < layout.patchSlots; slot++) {
      vectors.push(input.patchPresent?.[slot] === 1 ? this.patch(input.patches ?? [], slot) : this.text(0));
    }
    const { melBins, levels } = config.audio ?? { melBins: 0, levels: 0 };
    for (let frame = 0; frame < layout.audioPositions; frame++) {
      const sum = new Float64Array(config.hiddenSize);
      for (let bin = 0; bin < melBins; bin++) {
        this.addRow(
          sum,
          "model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight",
          bin * levels + input.dmel[frame * melBins + bin],
        );
      }
      vectors.push(rmsNorm(sum, this.weights.get("model.audio_tower.norm.weight"), 1e-6));
    }
    return vectors;
  }

  private text(token: number): Vector {
    const row = new Float64Array(this.config.hiddenSize);
    this.addRow(row, "model.language_model.embed_tokens.weight", token);
    const weight = this.weights.get("model.language_model.embed_tokens.embed_norm.weight");
    return rmsNorm(row, weight, this.config.rmsNormEpsilon);
  }

  /** hMLP tower: points `[time, row, column]` with a depth, folded layer by layer until one point is left. */
  private patch(patches: ArrayLike<number>, slot: number): Vector {
    const image = this.config.image;
    if (image === undefined) throw new Error("reference: the configuration has no image");
    let [time, size] = [image.temporalPatchSize, image.patchSize];
    let depth = image.channels;
    const start = slot * time * size * size * depth;
    let points: Vector[] = [];
    for (let point = 0; point < time * size * size; point++) {
      points.push(Float64Array.from({ length: depth }, (_, i) => patches[start + point * depth + i]));
    }
    for (const [index, { foldTime, foldSpace, outputWidth }] of image.layers.entries()) {
      const [nextTime, nextSize] = [time / foldTime, size / foldSpace];
      const folded: Vector[] = [];
      for (let t = 0; t < nextTime; t++) {
        for (let row = 0; row < nextSize; row++) {
          for (let column = 0; column < nextSize; column++) {
            const joined: number[] = [];
            for (let dt = 0; dt < foldTime; dt++) {
              for (let dr = 0; dr < foldSpace; dr++) {
                for (let dc = 0; dc < foldSpace; dc++) {
                  const source = ((t * foldTime + dt) * size + row * foldSpace + dr) * size + column * foldSpace + dc;
                  joined.push(...points[source]);
                }
              }
            }
            folded.push(Float64Array.from(joined));
          }
        }
      }
      [time, size, depth] = [nextTime, nextSize, outputWidth];
      const name = `model.vision_tower.encoder_layers.${index}`;
      points = folded.map((point) => {
        const projected = linear(point, this.weights.get(`${name}.projection.weight`));
        if (index === image.layers.length - 1) return projected;
        return rmsNorm(projected, this.weights.get(`${name}.layer_norm.weight`), 1e-6).map(gelu);
      });
    }
    return rmsNorm(points[0], this.weights.get("model.vision_tower.final_norm.weight"), 1e-6);
  }

  private bag(): Vector {
    const { previous, layout } = this;
    const sum = new Float64Array(this.config.hiddenSize);
    this.addRow(sum, "model.language_model.embed_tokens.weight", previous.text);
    this.addRow(sum, "microturn.heard_table.weight", previous.heard);
    this.addRow(sum, "microturn.control_table.weight", previous.control);
    for (const [channel, level] of previous.levels.entries()) {
      this.addRow(sum, "microturn.speech_table.weight", channel * layout.speech.levels + level);
    }
    return rmsNorm(sum, this.weights.get("microturn.output_norm.weight"), this.config.rmsNormEpsilon);
  }

  private yield(hidden: Vector, input: ReferenceInput, position: number): ReferenceYield {
    const { config, layout, weights } = this;
    const channels = layout.speech.framesPerPosition * layout.speech.melBins;
    const inner = linear(hidden, weights.get("microturn.speech_head.0.weight")).map((value, i) =>
      gelu(value + weights.get("microturn.speech_head.0.bias")[i]),
    );
    const speech = linear(inner, weights.get("microturn.speech_head.2.weight")).map(
      (value, i) => value + weights.get("microturn.speech_head.2.bias")[i],
    );
    const words = config.unpaddedVocabSize ?? config.vocabSize;
    const logits = {
      text: linear(hidden, weights.get("lm_head.weight")).slice(0, words),
      heard: linear(hidden, weights.get("microturn.heard_head.weight")).slice(0, words),
      control: linear(hidden, weights.get("microturn.control_head.weight")),
      speech,
    };
    const random = (channel: number) => input.random[position * (3 + channels) + channel];
    const told = input.told?.[position] ?? toldToken.own;
    const begins = told === toldToken.begins;
    const { startMargin = 0 } = layout;
    const listened = this.previous.control === controlToken.listen;
    const weighed = logits.control.map((logit, token) =>
      listened && token === controlToken.listen ? logit + startMargin : logit,
    );
    const free = begins ? controlToken.speak : draw(weighed, random(2), input.temperature);
    const decided = input.forceControl > 0 ? input.forceControl : free;
    const listens = decided === controlToken.listen;
    const spoke = position === 0 ? this.previous.control !== controlToken.listen : this.saidTold;
    const isTold = begins || (told === toldToken.goesOn && spoke);
    this.saidTold = isTold && !listens;
    const levels = Array.from({ length: channels }, (_, channel) => {
      const { levels: count } = layout.speech;
      const own = speech.slice(channel * count, (channel + 1) * count);
      if (listens) return 0;
      if (isTold) return input.toldSpeech?.[position * channels + channel] ?? 0;
      return draw(own, random(3 + channel), input.temperature);
    });
    const word = isTold ? (input.toldText?.[position] ?? 0) : draw(logits.text, random(0), input.temperature);
    return {
      text: listens ? 0 : word,
      heard: draw(logits.heard, random(1), input.temperature),
      control: decided,
      levels,
      logits,
    };
  }

  private addRow(sum: Vector, table: string, row: number): void {
    const weight = this.weights.get(table);
    for (let i = 0; i < sum.length; i++) sum[i] += weight[row * sum.length + i];
  }
}

/** The first category whose cumulative probability exceeds the random number; at temperature 0 the most likely one. */
export function draw(logits: Vector, random: number, temperature: number): number {
  const largest = Math.max(...logits);
  if (temperature === 0) return logits.indexOf(largest);
  const powers = logits.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  let cumulative = 0;
  for (const [category, power] of powers.entries()) {
    cumulative += power / sum;
    if (cumulative > random) return category;
  }
  return logits.length - 1;
}
