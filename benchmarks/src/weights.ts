// float32 against int8 weights: the same sound through both, micro-turn by micro-turn in turn, so that load hits both alike.

import type { EngineSession } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchSection, inWords, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

/** Time of the model run with each weight type, and their ratio. */
export async function weightsSection(context: BenchContext): Promise<BenchSection> {
  const turns = context.quick ? 60 : 600;
  const types = ["float32", "int8"] as const;
  const engines = types.map((weights) => benchEngine(context, { weights }));
  const sessions: EngineSession[] = [];
  for (const engine of engines) sessions.push(await engine.open());
  const { inputSampleRate, turnDurationMs } = sessions[0].capabilities;
  const sound = speechLike((inputSampleRate * turnDurationMs) / 1000);
  const times: number[][] = [[], []];
  for (let turn = 0; turn < turns + 10; turn++) {
    // The one that goes first changes, because the first finds the caches cold.
    for (const i of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      const { timing } = await sessions[i].step({ index: turn, turns: 1, audio: sound(turn), images: [], text: [] });
      if (turn >= 10) times[i].push(timing.runMs);
    }
  }
  for (const engine of engines) await engine.close();
  const [float32, int8] = times.map(percentiles);
  return {
    title: `Weights: float32 against int8 (${turns} micro-turns each, in turn)`,
    rows: [
      { name: "float32", value: inWords(float32) },
      { name: "int8", value: inWords(int8), note: `${(float32.p50 / int8.p50).toFixed(2)} x as fast at the median` },
    ],
    figures: { float32, int8, ratio: float32.p50 / int8.p50 },
  };
}
