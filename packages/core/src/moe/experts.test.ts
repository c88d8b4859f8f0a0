import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../model/safetensors.js";
import { validateConfig } from "../model/validate-config.js";
import { layerPrefix, weightShapes } from "../model/weight-shapes.js";
import { createWeights } from "../model/weights.js";
import { mixtureOfExperts } from "./experts.js";

// Origin of the numbers: transformers 5.23.0, float32 (scripts/fixtures/inkling.py). Tolerance: 1e-5 of the largest value.
describe.each(["inkling-experts", "inkling-multimodal"])("mixtureOfExperts on %s", (name) => {
  const file = readSafetensors(readFileSync(new URL(`../../../../fixtures/${name}.safetensors`, import.meta.url)));
  const weights = createWeights(file.tensors);
  const config = validateConfig(JSON.parse(file.metadata.config));
  const shapes = weightShapes(config);
  const at = `${layerPrefix(config.mlpTypes.indexOf("experts"))}mlp.`;
  const weight = (key: string) => weights.float32(`${at}${key}`, shapes.get(`${at}${key}`) ?? []);
  const given = (key: string) => weights.float32(`case.moe.${key}`, weights.shape(`case.moe.${key}`) ?? []);

  it("chooses, weighs and computes as transformers does, token by token", () => {
    const { hiddenSize: H, expertsPerToken: K, sharedExperts: S, routeScale } = config;
    const [input, output, share, sharedShare] = ["input", "output", "weights", "shared"].map(given);
    const stored = file.tensors.get("case.moe.chosen");
    if (stored === undefined) throw new Error("fixture lacks the chosen experts");
    const chosen = new Int32Array(new Uint8Array(stored.bytes).buffer);
    const globalScale = weight("gate.global_scale")[0];
    const largest = output.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(input.length).toBeGreaterThan(20 * H);
    for (let token = 0; token < input.length / H; token++) {
      const result = mixtureOfExperts(
        input.subarray(token * H, (token + 1) * H),
        {
          router: weight("gate.weight"),
          gateUp: weight("experts.gate_up_proj"),
          down: weight("experts.down_proj"),
          sharedGate: weight("shared_experts.gate_proj"),
          sharedUp: weight("shared_experts.up_proj"),
          sharedDown: weight("shared_experts.down_proj"),
        },
        { ...config, selectionBias: weight("gate.e_score_correction_bias"), globalScale },
      );
      const { routing } = result;
      // The published code leaves the order of the chosen experts open.
      const theirs = new Map(Array.from({ length: K }, (_, i) => [chosen[token * K + i], share[token * K + i]]));
      expect([...routing.chosen].sort()).toEqual([...theirs.keys()].sort());
      for (const [i, expert] of routing.chosen.entries()) {
        expect(routing.shares[i] * routeScale * globalScale).toBeCloseTo(theirs.get(expert) ?? Number.NaN, 5);
      }
      for (let i = 0; i < S; i++) {
        expect(routing.sharedShares[i] * routeScale * globalScale).toBeCloseTo(sharedShare[token * S + i], 5);
      }
      for (let i = 0; i < H; i++)
        expect(Math.abs(result.output[i] - output[token * H + i]) / largest).toBeLessThan(1e-5);
    }
  });

  it("has cases in which the bias changes the choice", () => {
    const input = given("input");
    const bias = weight("gate.e_score_correction_bias");
    const none = new Float32Array(bias.length);
    const choose = (selectionBias: Float32Array, token: number) =>
      mixtureOfExperts(
        input.subarray(token * config.hiddenSize, (token + 1) * config.hiddenSize),
        {
          router: weight("gate.weight"),
          gateUp: weight("experts.gate_up_proj"),
          down: weight("experts.down_proj"),
          sharedGate: weight("shared_experts.gate_proj"),
          sharedUp: weight("shared_experts.up_proj"),
          sharedDown: weight("shared_experts.down_proj"),
        },
        { ...config, selectionBias, globalScale: 1 },
      ).routing.chosen.join();
    const tokens = Array.from({ length: input.length / config.hiddenSize }, (_, token) => token);
    expect(tokens.some((token) => choose(bias, token) !== choose(none, token))).toBe(true);
  });
});
