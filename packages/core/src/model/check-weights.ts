// Do these weights belong to this configuration?

import { DuplexError } from "../errors.js";
import type { ModelConfig } from "./config.js";
import { weightShapes } from "./weight-shapes.js";
import type { Weights } from "./weights.js";

/**
 * Checks that every weight that a configuration asks for is there with the right shape. Weights it does not know are
 * allowed (published checkpoints carry parts for multi-token prediction).
 *
 * @param name - of the model, for the message
 * @throws DuplexError `MODEL_INVALID` naming up to five weights that are missing or have another shape
 */
export function checkWeights(config: ModelConfig, weights: Weights, name: string): void {
  const problems: string[] = [];
  for (const [weight, shape] of weightShapes(config)) {
    const got = weights.shape(weight);
    if (got === undefined) {
      problems.push(`"${weight}" [${shape}] is missing`);
      continue;
    }
    const unpadded = weight === "lm_head.weight" && got[0] === config.unpaddedVocabSize;
    const expected = unpadded ? [got[0], ...shape.slice(1)] : shape;
    if (got.length !== expected.length || got.some((size, axis) => size !== expected[axis])) {
      problems.push(`"${weight}" is [${got}], expected [${shape}]`);
    }
  }
  if (problems.length === 0) return;
  const more = problems.length > 5 ? ` and ${problems.length - 5} more` : "";
  throw new DuplexError(
    "MODEL_INVALID",
    `weights of ${name}: ${problems.slice(0, 5).join("; ")}${more}; use the weight file that belongs to this config`,
  );
}
