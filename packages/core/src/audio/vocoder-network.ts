// The network of the source-filter vocoder in plain TypeScript: dMel levels to controls, causal, with streaming state.
// The reference for the same network inside the model's graph. Layout of the weights: docs/models.md.

import { DuplexError } from "../errors.js";
import { gelu } from "./gelu.js";
import { sourceFilterGeometry as geometry } from "./vocoder.js";

/** One weight: row-major values and their shape. */
export interface VocoderWeight {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** What {@link VocoderNetwork.snapshot} returns: the past inputs of every convolution. */
export interface VocoderNetworkState {
  readonly past: readonly Float32Array[];
}

// Letters: W width, K taps of a convolution, B blocks.

/**
 * The causal control network: linear 80 to W; B blocks `h += proj(gelu(conv(h)))`, conv over the last K frames; linear W to 264.
 *
 * Frames before the first count as hidden zeros, as at the start of a session. Sums run in float64.
 */
export class VocoderNetwork {
  private readonly width: number;
  private readonly taps: number;
  private readonly enter: Linear;
  private readonly leave: Linear;
  private readonly blocks: readonly { readonly conv: Linear; readonly proj: Linear }[];
  // The last K frames of each block's input, `[K, W]`, newest last.
  private readonly past: Float32Array[];
  private readonly hidden: Float32Array;
  private readonly middle: Float32Array;
  private readonly input = new Float32Array(geometry.melBins);

  /**
   * @param weights - by name, `microturn.vocoder.in.weight` and so on; W, K and B are read from their shapes
   * @throws DuplexError `MODEL_INVALID` if one is missing or has another shape than the others ask for
   */
  constructor(weights: ReadonlyMap<string, VocoderWeight>) {
    const convShape = weights.get("microturn.vocoder.conv.0.weight")?.shape ?? [];
    this.width = convShape[0] ?? 0;
    this.taps = convShape[2] ?? 0;
    const W = this.width;
    this.enter = linear(weights, "in", [W, geometry.melBins]);
    const blocks: { conv: Linear; proj: Linear }[] = [];
    while (blocks.length === 0 || weights.has(`microturn.vocoder.conv.${blocks.length}.weight`)) {
      const i = blocks.length;
      const conv = linear(weights, `conv.${i}`, [W, W, this.taps]);
      blocks.push({ conv: tapsFirst(conv, W, this.taps), proj: linear(weights, `proj.${i}`, [W, W]) });
    }
    this.blocks = blocks;
    this.leave = linear(weights, "out", [geometry.controlsPerFrame, W]);
    this.past = blocks.map(() => new Float32Array(this.taps * W));
    this.hidden = new Float32Array(W);
    this.middle = new Float32Array(W);
  }

  /**
   * Advances by some frames.
   *
   * @param levels - dMel levels 0 to 15, shape `[frames, 80]`
   * @param out - receives the raw controls, shape `[frames, 264]`
   * @throws DuplexError `SHAPE_MISMATCH` if the lengths do not belong together
   */
  step(levels: Uint8Array | Int32Array, out: Float32Array): void {
    const { melBins, controlsPerFrame } = geometry;
    const frames = levels.length / melBins;
    if (!Number.isInteger(frames) || out.length !== frames * controlsPerFrame) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `vocoder network: expected levels [frames, ${melBins}] and controls [frames, ${controlsPerFrame}], got ${levels.length} and ${out.length} values`,
      );
    }
    for (let frame = 0; frame < frames; frame++) {
      for (let bin = 0; bin < melBins; bin++) this.input[bin] = (levels[frame * melBins + bin] * 2) / 15 - 1;
      apply(this.enter, this.input, this.hidden);
      this.blocks.forEach((block, index) => {
        const past = this.past[index];
        past.copyWithin(0, this.width);
        past.set(this.hidden, past.length - this.width);
        apply(block.conv, past, this.middle);
        for (let i = 0; i < this.width; i++) this.middle[i] = gelu(this.middle[i]);
        apply(block.proj, this.middle, this.hidden, true);
      });
      apply(this.leave, this.hidden, out.subarray(frame * controlsPerFrame, (frame + 1) * controlsPerFrame));
    }
  }

  /** Forgets all frames. */
  reset(): void {
    for (const past of this.past) past.fill(0);
  }

  /** A copy of the state; the network may go on. */
  snapshot(): VocoderNetworkState {
    return { past: this.past.map((past) => past.slice()) };
  }

  /**
   * Goes back to a state of a network of the same shape.
   *
   * @throws DuplexError `SHAPE_MISMATCH` if it comes from a network of another shape
   */
  restore(state: VocoderNetworkState): void {
    if (state.past.length !== this.past.length || state.past.some((past, i) => past.length !== this.past[i].length)) {
      throw new DuplexError("SHAPE_MISMATCH", "vocoder network: the state to restore belongs to another network");
    }
    state.past.forEach((past, i) => {
      this.past[i].set(past);
    });
  }
}

function linear(weights: ReadonlyMap<string, VocoderWeight>, part: string, shape: readonly number[]): Linear {
  const find = (kind: string, expected: readonly number[]) => {
    const name = `microturn.vocoder.${part}.${kind}`;
    const weight = weights.get(name);
    const size = expected.reduce((a, b) => a * b, 1);
    if (size === 0 || weight?.shape.join() !== expected.join() || weight.data.length !== size) {
      throw new DuplexError(
        "MODEL_INVALID",
        `vocoder network: expected ${name} of shape [${expected}], got ${weight ? `[${weight.shape}]` : "nothing"}; check the model's weights`,
        { details: { name, expected, got: weight?.shape } },
      );
    }
    return weight.data;
  };
  return { weight: find("weight", shape), bias: find("bias", shape.slice(0, 1)) };
}

// `[out, in, K]` to `[out, K, in]`, so that a row runs along the past in memory order.
function tapsFirst(conv: Linear, width: number, taps: number): Linear {
  const weight = new Float32Array(conv.weight.length);
  for (let row = 0; row < width; row++) {
    for (let channel = 0; channel < width; channel++) {
      for (let tap = 0; tap < taps; tap++) {
        weight[(row * taps + tap) * width + channel] = conv.weight[(row * width + channel) * taps + tap];
      }
    }
  }
  return { weight, bias: conv.bias };
}

function apply({ weight, bias }: Linear, input: Float32Array, out: Float32Array, add = false): void {
  for (let row = 0; row < bias.length; row++) {
    let sum = bias[row];
    const start = row * input.length;
    for (let i = 0; i < input.length; i++) sum += weight[start + i] * input[i];
    out[row] = add ? out[row] + sum : sum;
  }
}
