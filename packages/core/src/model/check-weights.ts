// Do these weights belong to this configuration?

import { DuplexError } from "../errors.js";
import type { ModelConfig } from "./config.js";
import { weightShapes } from "./weight-shapes.js";
import type { StoredWeight, Weights } from "./weights.js";

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

/** Exponent of a number that is infinite or no number at all, in the upper 16 bits of its stored form. */
const specialExponent = { float32: 0x7f80, bfloat16: 0x7f80, float16: 0x7c00 } as const;

/**
 * Checks that every stored number is finite: one that overflowed on export would become silence, or spread.
 *
 * @param name - of the model, for the message
 * @throws DuplexError `MODEL_INVALID` naming the first weight that holds another
 */
export function checkNumbers(
  shards: readonly { readonly tensors: ReadonlyMap<string, StoredWeight> }[],
  name: string,
): void {
  for (const { tensors } of shards) {
    for (const [weight, { type, bytes }] of tensors) {
      if (type === "int32" || type === "uint8" || allFinite(type, bytes)) continue;
      throw new DuplexError(
        "MODEL_INVALID",
        `weights of ${name}: "${weight}" holds NaN or infinity; export the model again, in float32 or bfloat16 if a number was too large`,
      );
    }
  }
}

function allFinite(type: keyof typeof specialExponent, bytes: Uint8Array): boolean {
  const special = specialExponent[type];
  const step = type === "float32" ? 4 : 2;
  // Little-endian: the exponent is in the last two bytes of a number.
  for (let at = step - 2; at < bytes.length; at += step) {
    if (((bytes[at] | (bytes[at + 1] << 8)) & special) === special) return false;
  }
  return true;
}
