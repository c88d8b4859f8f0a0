// The router of a mixture-of-experts layer, in plain TypeScript: what every graph is tested against.
// Source: Thinking Machines Lab, Inkling; docs/models.md, row "Router". Letters: E routed experts, K chosen, S shared.

import { DuplexError } from "../errors.js";

/** Options of {@link route}. */
export interface RouterOptions {
  /** E */
  readonly experts: number;
  /** K */
  readonly expertsPerToken: number;
  /** S */
  readonly sharedExperts: number;
  /** Added to the scores when choosing, and only then; `[E]`. */
  readonly selectionBias: ArrayLike<number>;
}

/** What a router decides about one token. All shares together sum to 1. */
export interface Routing {
  /** Chosen experts, best score first; `[K]`. */
  readonly chosen: number[];
  /** Share of each chosen expert; `[K]`. */
  readonly shares: number[];
  /** Share of each shared expert; `[S]`. */
  readonly sharedShares: number[];
}

/**
 * Routes one token.
 *
 * @param logits - router logits, routed experts first; `[E + S]`
 * @throws DuplexError `SHAPE_MISMATCH` if logits or bias have another length
 * @throws RangeError if K is not 1 … E
 */
export function route(logits: ArrayLike<number>, options: RouterOptions): Routing {
  const { experts: E, expertsPerToken: K, sharedExperts: S, selectionBias } = options;
  if (logits.length !== E + S || selectionBias.length !== E) {
    throw new DuplexError(
      "SHAPE_MISMATCH",
      `route: expected logits [${E + S}] and bias [${E}], got [${logits.length}] and [${selectionBias.length}]; check the model's expert counts`,
    );
  }
  if (!Number.isInteger(K) || K < 1 || K > E)
    throw new RangeError(`route: expertsPerToken must be 1 to ${E}, got ${K}`);

  const scores = Array.from({ length: E }, (_, expert) => sigmoid(logits[expert]) + selectionBias[expert]);
  // Of equal scores the lower index is chosen first.
  const ranked = scores.map((_, expert) => expert).sort((a, b) => scores[b] - scores[a] || a - b);
  const chosen = ranked.slice(0, K);

  const weighed = chosen.map((expert) => logits[expert]);
  for (let shared = 0; shared < S; shared++) weighed.push(logits[E + shared]);
  const shares = normalise(weighed.map(logSigmoid));
  return { chosen, shares: shares.slice(0, K), sharedShares: shares.slice(K) };
}

/** exp(x - logsumexp(x)) */
function normalise(logarithms: readonly number[]): number[] {
  const largest = Math.max(...logarithms);
  const powers = logarithms.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function logSigmoid(x: number): number {
  return x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x));
}
