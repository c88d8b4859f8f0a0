// From final hidden states to logits.

import type { BuildContext, Matrix } from "./build-context.js";
import type { Value } from "./emitter.js";

/** Logits of the text head over the vocabulary in use; `[B, S, H]` to `[B, S, V]`. */
export function languageLogits(c: BuildContext, hidden: Value): Value {
  return c.linear(hidden, usedRows(c, "lm_head"));
}

/** Logits of the heard token (the user's transcript), `[B, S, V]`. */
export function heardLogits(c: BuildContext, hidden: Value): Value {
  return c.linear(hidden, usedRows(c, "microturn.heard_head"));
}

/** The rows of a head that stand for a word: a vocabulary may be padded. */
function usedRows(c: BuildContext, head: string): Matrix {
  const { vocabSize, unpaddedVocabSize = vocabSize, hiddenSize } = c.config;
  const stored = c.matrix(`${head}.weight`);
  return {
    ...stored,
    name: `${head}.used`,
    rows: unpaddedVocabSize,
    data: () => stored.data().subarray(0, unpaddedVocabSize * hiddenSize),
  };
}

/** Logits of the control token, `[B, S, 4]`; in float32 always, because it decides who speaks. */
export function controlLogits(c: BuildContext, hidden: Value): Value {
  return c.exactLinear(hidden, c.matrix("microturn.control_head.weight"));
}

/** Logits of the speech levels, `[B, S, frames * bins * levels]`: all channels in parallel. */
export function speechLogits(c: BuildContext, hidden: Value): Value {
  const { g } = c;
  const inner = g.add(
    c.linear(hidden, c.matrix("microturn.speech_head.0.weight")),
    c.tensor("microturn.speech_head.0.bias"),
  );
  const activated = g.op("Gelu", [inner], { approximate: "none" });
  return g.add(
    c.linear(activated, c.matrix("microturn.speech_head.2.weight")),
    c.tensor("microturn.speech_head.2.bias"),
  );
}
