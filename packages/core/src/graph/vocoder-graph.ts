// The vocoder's network inside the model's graph: speech frames to controls of the source-filter synthesis.
// Layers: docs/models.md, "The vocoder".

import type { Graph } from "../backend.js";
import type { ModelConfig } from "../model/config.js";
import type { Weights } from "../model/weights.js";
import { BuildContext } from "./build-context.js";
import { Emitter, type Value } from "./emitter.js";

/**
 * Builds the vocoder's network as a graph of its own, to time and test it apart from a model.
 *
 * Input `levels` int32 `[B, frames, bins]`, output `vocoder_controls` float32 `[B, frames, subFrames * (2 + 2 * envelopePoints)]`,
 * state `vocoder`.
 *
 * @param frames - of one run, for example 8 in a micro-turn
 * @throws DuplexError `MODEL_INVALID` if a weight is missing or has another shape
 * @throws TypeError if the configuration has no vocoder
 */
export function buildVocoderGraph(config: ModelConfig, weights: Weights, frames: number): Graph {
  if (config.duplex?.vocoder === undefined) {
    throw new TypeError("buildVocoderGraph: expected a configuration with a vocoder, got one without");
  }
  const { subFrames, envelopePoints } = config.duplex.vocoder;
  const g = new Emitter();
  const c = new BuildContext(g, config, weights, { experts: "if", weightType: "float32", accuracyLevel: 0 });
  const levels = g.input("levels", "int32", [-1, frames, config.duplex.speech.melBins]);
  const controls = vocoderNetwork(c, levels, frames);
  g.output("vocoder_controls", controls, "float32", [-1, frames, subFrames * (2 + 2 * envelopePoints)]);
  return g.finish("microturn-vocoder");
}

/**
 * @param levels - int32 `[B, frames, bins]`
 * @returns controls `[B, frames, subFrames * (2 + 2 * envelopePoints)]`
 */
export function vocoderNetwork(c: BuildContext, levels: Value, frames: number): Value {
  const { g } = c;
  const duplex = c.config.duplex;
  if (duplex?.vocoder === undefined) throw new Error("graph: the configuration has no vocoder");
  const { width, blocks, kernel } = duplex.vocoder;
  const history = kernel - 1;
  const packed = g.stateInput({
    input: "vocoder",
    output: "vocoder_new",
    type: "float32",
    shape: [history, blocks * width],
    update: { kind: "replace" },
  });
  const histories = g.splitInStages(packed, 2, new Array<number>(blocks).fill(width));
  const windows = Int32Array.from({ length: frames * kernel }, (_, i) => Math.floor(i / kernel) + (i % kernel));
  const at = "microturn.vocoder.";

  const centred = g.sub(g.mul(g.cast(levels, "float32"), g.float(2 / (duplex.speech.levels - 1))), g.float(1));
  let hidden = g.add(c.unquantisedLinear(centred, c.matrix(`${at}in.weight`)), c.tensor(`${at}in.bias`));
  const renewed: Value[] = [];
  for (let block = 0; block < blocks; block++) {
    const past = g.concat([histories[block], hidden], 1); // [B, history + frames, width]
    renewed.push(g.slice(past, 1, frames, frames + history));
    const unfolded = g.reshape(g.gather(past, g.ints(windows, [frames, kernel]), 1), [-1, frames, kernel * width]);
    const taps = c.large(`${at}conv.${block}.unfolded`, [kernel * width, width], () => {
      // [out, in, tap] to [tap * in, out], the order in which the unfolded frames lie.
      const weight = c.array(`${at}conv.${block}.weight`);
      const data = new Float32Array(weight.length);
      for (let out = 0; out < width; out++) {
        for (let input = 0; input < width; input++) {
          for (let tap = 0; tap < kernel; tap++) {
            data[(tap * width + input) * width + out] = weight[(out * width + input) * kernel + tap];
          }
        }
      }
      return data;
    });
    const convolved = g.add(g.matmul(unfolded, taps), c.tensor(`${at}conv.${block}.bias`));
    const activated = g.op("Gelu", [convolved], { approximate: "none" });
    const projected = g.add(
      c.unquantisedLinear(activated, c.matrix(`${at}proj.${block}.weight`)),
      c.tensor(`${at}proj.${block}.bias`),
    );
    hidden = g.add(hidden, projected);
  }
  g.stateOutput("vocoder_new", g.concat(renewed, 2));
  return g.add(c.unquantisedLinear(hidden, c.matrix(`${at}out.weight`)), c.tensor(`${at}out.bias`));
}
