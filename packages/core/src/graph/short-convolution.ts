// Short convolution: depthwise, causal, with residual, and the last inputs carried as state.

import type { BuildContext } from "./build-context.js";
import type { Value } from "./emitter.js";

/** What a short convolution gives. */
export interface ConvolutionResult {
  /** `[B, S, C]` */
  readonly output: Value;
  /** `[B, kernel - 1, C]` */
  readonly state: Value;
}

/**
 * y[t] = x[t] + sum over k of weight[k] * x[t - kernel + 1 + k], where x before the start comes from the state.
 *
 * @param x - `[B, S, C]`
 * @param state - `[B, kernel - 1, C]`
 * @param count - S
 * @param names - weights `[C_i, 1, kernel]` of neighbouring channel groups, together C
 */
export function shortConvolution(
  c: BuildContext,
  x: Value,
  state: Value,
  count: number,
  names: readonly string[],
): ConvolutionResult {
  const { g } = c;
  const kernel = c.config.convKernel;
  const taps = g.weight(`${names.join("+")}.taps`, () => {
    const channels = names.reduce((sum, name) => sum + c.shapeOf(name)[0], 0);
    const data = new Float32Array(kernel * channels);
    let first = 0;
    for (const name of names) {
      const weight = c.array(name);
      const own = weight.length / kernel;
      for (let channel = 0; channel < own; channel++) {
        for (let tap = 0; tap < kernel; tap++) data[tap * channels + first + channel] = weight[channel * kernel + tap];
      }
      first += own;
    }
    return { type: "float32", shape: [kernel, channels], data };
  });
  const history = g.concat([state, x], 1);
  const renewed = g.slice(history, 1, count, count + kernel - 1);
  if (count === 1) {
    return { output: g.add(g.sum(g.mul(history, taps), [1], true), x), state: renewed };
  }
  const windows = Int32Array.from({ length: count * kernel }, (_, i) => Math.floor(i / kernel) + (i % kernel));
  const unfolded = g.gather(history, g.ints(windows, [count, kernel]), 1); // [B, S, kernel, C]
  return { output: g.add(g.sum(g.mul(unfolded, taps), [2]), x), state: renewed };
}
