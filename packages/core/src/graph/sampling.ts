// Sampling inside the graph, from uniform random numbers that come in as input.

import type { Emitter, Value } from "./emitter.js";

/** Temperature of each row, prepared once per graph. */
export interface Temperature {
  /** Divisor of logits, `[B, 1]`; 1 where sampling is greedy. */
  readonly divisor: Value;
  /** Whether a row samples at all, bool `[B, 1]`. */
  readonly samples: Value;
}

/** Prepares temperatures, float32 `[B]`; 0 means greedy. */
export function prepareTemperature(g: Emitter, temperature: Value): Temperature {
  const column = g.reshape(temperature, [-1, 1]);
  const samples = g.less(g.float(0), column);
  return { divisor: g.where(samples, column, g.float(1)), samples };
}

/** Most categories for which running sums are taken by a product with a triangular matrix. */
const triangularLimit = 64;

/**
 * Draws one category per channel: the first whose cumulative probability exceeds the random number. Greedy rows take
 * the largest logit, the first of equals.
 *
 * @param logits - `[B, channels, categories]`
 * @param random - uniform in [0, 1), `[B, channels]`
 * @returns int32 `[B, channels]`
 */
export function sample(
  g: Emitter,
  logits: Value,
  random: Value,
  { divisor, samples }: Temperature,
  channels: number,
  categories: number,
): Value {
  const greedy = g.cast(g.op("ArgMax", [logits], { axis: 2, keepdims: 0 }), "int32");
  const probabilities = g.softmax(g.div(logits, g.reshape(divisor, [-1, 1, 1])));
  const cumulative = runningSum(g, probabilities, categories);
  // Scaled by the last sum, which rounding may leave off 1.
  const total = g.slice(cumulative, 2, categories - 1, categories);
  const threshold = g.mul(g.reshape(random, [-1, channels, 1]), total);
  const passed = g.sum(g.cast(g.op("LessOrEqual", [cumulative, threshold]), "float32"), [2]);
  const drawn = g.cast(g.op("Min", [passed, g.float(categories - 1)]), "int32");
  return g.where(samples, drawn, greedy);
}

function runningSum(g: Emitter, x: Value, categories: number): Value {
  if (categories > triangularLimit) return g.op("CumSum", [x, g.int(2)]);
  const triangle = new Float32Array(categories * categories);
  for (let from = 0; from < categories; from++) triangle.fill(1, from * categories + from, (from + 1) * categories);
  return g.matmul(x, g.floats(triangle, [categories, categories]));
}
