// A mixture-of-experts layer in plain TypeScript: slow, readable, the reference of the three graph forms.
// Letters: H hidden size, E routed experts, K chosen, S shared experts, F expert width.

import { DuplexError } from "../errors.js";
import { type RouterOptions, type Routing, route } from "./router.js";

/** Weights of a layer, row-major, with the shapes of the published checkpoints. */
export interface ExpertWeights {
  /** `[E + S, H]` */
  readonly router: ArrayLike<number>;
  /** `[E, 2 * F, H]`, gate rows first */
  readonly gateUp: ArrayLike<number>;
  /** `[E, H, F]` */
  readonly down: ArrayLike<number>;
  /** `[S, F, H]` */
  readonly sharedGate: ArrayLike<number>;
  /** `[S, F, H]` */
  readonly sharedUp: ArrayLike<number>;
  /** `[S, H, F]` */
  readonly sharedDown: ArrayLike<number>;
}

/** Options of {@link mixtureOfExperts}. */
export interface ExpertOptions extends RouterOptions {
  readonly hiddenSize: number;
  readonly expertWidth: number;
  readonly routeScale: number;
  readonly globalScale: number;
}

/**
 * Output of a mixture-of-experts layer for one token.
 *
 * @param x - `[H]`
 * @throws DuplexError `SHAPE_MISMATCH` if `x` has another length
 */
export function mixtureOfExperts(
  x: ArrayLike<number>,
  weights: ExpertWeights,
  options: ExpertOptions,
): { output: Float64Array; routing: Routing } {
  const { hiddenSize: H, expertWidth: F, experts: E, sharedExperts: S, routeScale, globalScale } = options;
  if (x.length !== H) {
    throw new DuplexError("SHAPE_MISMATCH", `mixtureOfExperts: expected x [${H}], got [${x.length}]`);
  }
  const routing = route(product(weights.router, 0, E + S, x), options);
  const output = new Float64Array(H);
  const addExpert = (share: number, gate: Float64Array, up: Float64Array, down: ArrayLike<number>, start: number) => {
    const weight = share * routeScale * globalScale;
    const activated = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i] * weight);
    const result = product(down, start, H, activated);
    for (let i = 0; i < H; i++) output[i] += result[i];
  };
  for (const [place, expert] of routing.chosen.entries()) {
    const gate = product(weights.gateUp, expert * 2 * F * H, F, x);
    const up = product(weights.gateUp, (expert * 2 + 1) * F * H, F, x);
    addExpert(routing.shares[place], gate, up, weights.down, expert * H * F);
  }
  for (const [shared, share] of routing.sharedShares.entries()) {
    const gate = product(weights.sharedGate, shared * F * H, F, x);
    const up = product(weights.sharedUp, shared * F * H, F, x);
    addExpert(share, gate, up, weights.sharedDown, shared * H * F);
  }
  return { output, routing };
}

/** Matrix `[rows, x.length]`, found at `start`, times x. */
export function product(matrix: ArrayLike<number>, start: number, rows: number, x: ArrayLike<number>): Float64Array {
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const offset = start + row * x.length;
    let sum = 0;
    for (let column = 0; column < x.length; column++) sum += matrix[offset + column] * x[column];
    result[row] = sum;
  }
  return result;
}
