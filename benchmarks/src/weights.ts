// float32 against float16, int8 and int4 weights: the same sound through all of them, micro-turn by micro-turn in turn, so that load
// hits all alike. How much the quantised ones differ is told by scripts/quantisation-error.mjs.

import type { EngineSession, WeightType } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchSection, inWords, type Percentiles, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

/** Time of a model run with each weight type, ms, micro-turn by micro-turn in turn. */
export async function runTimes(
  context: Pick<BenchContext, "backend" | "model">,
  types: readonly WeightType[],
  turns: number,
): Promise<Percentiles[]> {
  const engines = types.map((weights) => benchEngine(context, { weights }));
  const sessions: EngineSession[] = [];
  for (const engine of engines) sessions.push(await engine.open());
  const { inputSampleRate, turnDurationMs } = sessions[0].capabilities;
  const sound = speechLike((inputSampleRate * turnDurationMs) / 1000);
  const times: number[][] = types.map(() => []);
  for (let turn = 0; turn < turns + 10; turn++) {
    // The one that goes first changes, because the first finds the caches cold.
    for (let k = 0; k < types.length; k++) {
      const i = (turn + k) % types.length;
      const { timing } = await sessions[i].step({ index: turn, turns: 1, audio: sound(turn), images: [], text: [] });
      if (turn >= 10) times[i].push(timing.runMs);
    }
  }
  for (const engine of engines) await engine.close();
  return times.map(percentiles);
}

/** Time of the model run with each weight type, and its ratio to float32. */
export async function weightsSection(context: BenchContext): Promise<BenchSection> {
  const turns = context.quick ? 60 : 600;
  const types = ["float32", "float16", "int8", "int4"] as const;
  const [float32, ...others] = await runTimes(context, types, turns);
  const faster = others.map(({ p50 }) => float32.p50 / p50);
  return {
    title: `Weights: ${types.join(", ")} (${turns} micro-turns each, in turn)`,
    rows: [
      { name: "float32", value: inWords(float32) },
      ...others.map((result, i) => ({
        name: types[i + 1],
        value: inWords(result),
        note: `${faster[i].toFixed(2)} x as fast at the median`,
      })),
    ],
    figures: {
      float32,
      ...Object.fromEntries(others.map((result, i) => [types[i + 1], { ...result, ratio: faster[i] }])),
    },
  };
}
