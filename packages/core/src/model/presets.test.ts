import { describe, expect, it } from "vitest";
import { elementCount } from "../tensor.js";
import type { ModelConfig } from "./config.js";
import { completePreset, inkling, inklingSmall, miniConfig } from "./presets.js";
import { weightShapes } from "./weight-shapes.js";

function parameters(config: ModelConfig): number {
  return [...weightShapes(config).values()].reduce((sum, shape) => sum + elementCount(shape), 0);
}

describe("presets", () => {
  it("cannot be built while a gap is open, and the message names the field", () => {
    expect(() => completePreset(inkling, {})).toThrow(/mlpTypes is not published \(how many of the first layers/);
    // Parts that a configuration may lack are no exception: whether the model has them is what is not known.
    expect(() => completePreset(inkling, { mlpTypes: [], denseWidth: 1 })).toThrow(/logScaling is not published/);
    const { global, sliding, slidingWindow, relativeDim } = inkling.config;
    const known = { hiddenSize: 1, vocabSize: 1, unpaddedVocabSize: 1, global, sliding, slidingWindow, relativeDim };
    expect(() => completePreset(inklingSmall, known)).toThrow(/logScaling is not published/);
  });

  it("hold no value for a field that they call unknown", () => {
    for (const { config, gaps } of [inkling, inklingSmall]) {
      expect(Object.keys(gaps).filter((field) => Object.hasOwn(config, field))).toEqual([]);
    }
  });

  it("give Inkling its published size once the dense layers are filled in", () => {
    const mlpTypes = Array.from({ length: 66 }, (_, layer) => (layer < 2 ? ("dense" as const) : ("experts" as const)));
    const config = completePreset(inkling, { mlpTypes, denseWidth: 24576, logScaling: undefined });
    // Published: 975B parameters in all; multi-token prediction is not counted here, and the dense layers are a guess.
    expect(parameters(config) / 1e9).toBeGreaterThan(920);
    expect(parameters(config) / 1e9).toBeLessThan(980);
    expect(config.layerTypes.filter((type) => type === "global")).toHaveLength(11);
  });

  it("keep mini under ten million parameters", () => {
    const count = parameters(miniConfig({ vocabSize: 170 }));
    expect(count).toBeGreaterThan(8e6);
    expect(count).toBeLessThan(1e7);
  });
});
