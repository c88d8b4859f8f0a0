// The inner loop of the resampler, as plain as it is: every output is a sum of products of one row of taps and the inputs.
// resampler-simd.ts does the same in a quarter of the time, to the bit.

import { largestFloat } from "./pcm.js";
import type { PolyphaseFilter } from "./resampler-filter.js";

/** Inputs of one block at most; bounds the room of a kernel, never the caller's chunks. */
export const blockSamples = 2048;

/** A block of a stream, and where its outputs lie. */
export interface ResamplerBlock {
  /** The `taps - 1` inputs before it. */
  readonly history: Float64Array;
  /** At most {@link blockSamples} inputs. */
  readonly input: Float32Array;
  /** The input that the first output has to wait for, and how far beyond it that lies, in steps of `1 / up`. */
  readonly skip: number;
  readonly phase: number;
}

/** Runs filters over blocks. It keeps nothing of a stream between two calls. */
export interface ResamplerKernel {
  /** Writes as many outputs as `output` has room for; the block must reach so far. */
  run(filter: PolyphaseFilter, block: ResamplerBlock, output: Float32Array): void;
}

/** The history and the block after it; grows with the longest filter. */
let signal = new Float64Array(0);

/** The reference: any filter, one output after the other. */
export const plainKernel: ResamplerKernel = {
  run(filter, { history, input, skip, phase }, output) {
    const { up, down, taps, rows, table } = filter;
    if (signal.length < history.length + blockSamples) signal = new Float64Array(history.length + blockSamples);
    signal.set(history);
    signal.set(input, history.length);
    const exact = rows === up;
    let at = skip;
    let beyond = phase;
    for (let i = 0; i < output.length; i++) {
      const value = exact ? dot(table, beyond * taps, taps, signal, at) : between(filter, beyond, signal, at);
      output[i] = Math.max(-largestFloat, Math.min(largestFloat, value));
      beyond += down;
      const whole = Math.floor(beyond / up);
      at += whole;
      beyond -= whole * up;
    }
  },
};

/** Sum of products, four sums at a time; `taps` is a multiple of 4. */
function dot(table: Float64Array, row: number, taps: number, signal: Float64Array, at: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < taps; i += 4) {
    a += table[row + i] * signal[at + i];
    b += table[row + i + 1] * signal[at + i + 1];
    c += table[row + i + 2] * signal[at + i + 2];
    d += table[row + i + 3] * signal[at + i + 3];
  }
  return a + b + (c + d);
}

/** The output of a phase that has no row of its own: between its two neighbours, in proportion. */
function between(filter: PolyphaseFilter, phase: number, signal: Float64Array, at: number): number {
  const { up, rows, taps, table } = filter;
  const row = Math.floor((phase * rows) / up);
  const part = (phase * rows - row * up) / up;
  const low = dot(table, row * taps, taps, signal, at);
  const high = dot(table, (row + 1) * taps, taps, signal, at);
  return low + part * (high - low);
}
