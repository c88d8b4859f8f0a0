import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import { tinyAcoustic } from "../testing/tiny-model.js";
import { miniConfig, tinyConfig } from "./presets.js";
import { validateConfig } from "./validate-config.js";

/** A copy of `mini` with one value changed; the path is written with dots, undefined removes. */
function changed(path: string, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(miniConfig({ vocabSize: 100 })));
  const steps = path.split(".");
  let at = copy;
  for (const step of steps.slice(0, -1)) at = at[step];
  const last = steps[steps.length - 1];
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

describe("validateConfig", () => {
  it("accepts the presets and gives them back unchanged", () => {
    for (const config of [miniConfig({ vocabSize: 100 }), tinyConfig()]) {
      expect(validateConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    }
  });

  it.each([
    ["hiddenSize", 0, /config\.hiddenSize: expected an integer 1 to/],
    ["hiddenSize", 1e9, /config\.hiddenSize/],
    ["hiddenSize", "256", /config\.hiddenSize: expected an integer .* got 256/],
    ["vocabSize", undefined, /config\.vocabSize: .* got nothing/],
    ["unpaddedVocabSize", 101, /config\.unpaddedVocabSize: expected an integer 1 to 100/],
    ["rmsNormEpsilon", -1, /config\.rmsNormEpsilon/],
    ["layerTypes.2", "linear", /config\.layerTypes\[2\]: expected one of sliding, global, got linear/],
    ["mlpTypes", ["dense"], /config\.mlpTypes: expected one entry per layer \(6\)/],
    ["global.kvHeads", 3, /config\.global\.kvHeads: expected a divisor of heads \(4\), got 3/],
    ["sliding.rope", 10000, /config\.sliding: unknown field "rope"; known are headDim/],
    ["sliding", null, /config\.sliding: expected an object, got null/],
    ["experts", 1, /config\.expertsPerToken: expected an integer 1 to 1/],
    ["expertsPerToken", 9, /config\.expertsPerToken/],
    ["logScaling", { floor: 0, alpha: 0.1 }, /config\.logScaling\.floor/],
    ["ropeTheta", 1e4, /config: unknown field "ropeTheta"/],
    ["slidingWindow", 127, /config\.slidingWindow: expected a whole number of micro-turns of 9 positions, got 127/],
    [
      "duplex.globalWindow",
      9 * 1_500_000,
      /config: expected windows whose KV cache takes at most 4 GiB .* got 25\.\d GiB/,
    ],
    ["duplex.globalWindow", 500, /config\.duplex\.globalWindow/],
    ["duplex.sinkPositions", 4, /config\.duplex\.sinkPositions/],
    ["duplex.vocoder.kernel", 1, /config\.duplex\.vocoder\.kernel/],
    [
      "duplex.acoustic",
      { ...tinyAcoustic, kernel: 4 },
      /config\.duplex\.acoustic\.kernel: expected an odd number, got 4/,
    ],
    ["duplex.acoustic", { ...tinyAcoustic, width: 0 }, /config\.duplex\.acoustic\.width/],
    [
      "duplex.acoustic",
      { ...tinyAcoustic, alphabet: "_ab" },
      /acoustic\.alphabet: expected different characters of ASCII/,
    ],
    ["duplex.acoustic", { ...tinyAcoustic, alphabet: "_ aa" }, /acoustic\.alphabet/],
    ["duplex.acoustic", { ...tinyAcoustic, alphabet: " _a" }, /acoustic\.alphabet/],
    ["duplex.acoustic", { ...tinyAcoustic, alphabet: "_ é" }, /acoustic\.alphabet/],
    ["duplex.acoustic", { ...tinyAcoustic, speakers: 2 }, /config\.duplex\.acoustic: unknown field "speakers"/],
    ["duplex.startMargin", -1, /config\.duplex\.startMargin: expected .*, got -1/],
    ["duplex.delegates", 1, /config\.duplex\.delegates: expected true or false, got 1/],
    ["duplex.speech.levels", 1, /config\.duplex\.speech\.levels/],
    ["duplex.speech.flow", true, /config\.duplex\.speech: unknown field "flow"/],
    ["audio", undefined, /config\.audio: .*duplex needs it/],
    ["image", undefined, /config\.image: .*patch tower/],
    ["image.layers.1.inputWidth", 64, /config\.image\.layers\[1\]\.inputWidth: expected 128/],
    ["image.layers.3.foldTime", 1, /config\.image\.layers\[3\]\.inputWidth/],
    [
      "image.layers.3.outputWidth",
      128,
      /config\.image\.layers: expected a last outputWidth of hiddenSize \(256\), got 128/,
    ],
    ["image.patchSize", 41, /config\.image\.layers\[0\]\.foldSpace: expected a divisor of 41/],
  ])("refuses %s = %j, naming the field", (path, value, message) => {
    const check = () => validateConfig(changed(path, value));
    expect(check).toThrow(message);
    expect(check).toThrow(DuplexError);
  });

  it("refuses scores that no machine can hold, though weights and cache are small", () => {
    const config = JSON.parse(JSON.stringify(miniConfig({ vocabSize: 100 })));
    Object.assign(config.global, { heads: 65_536, kvHeads: 1, headDim: 1 });
    Object.assign(config.duplex, { audioPositions: 40, globalWindow: 45 * 64, sinkPositions: 45 });
    config.slidingWindow = 45 * 3;
    expect(() => validateConfig(config)).toThrow(
      /config: expected attention scores .* at most 4 GiB .* got 3\d\.\d GiB/,
    );
  });

  it("refuses what is not an object", () => {
    for (const value of [null, 3, "x", [], undefined])
      expect(() => validateConfig(value)).toThrow(/config: expected an object/);
  });

  it("is not fooled by fields of Object.prototype", () => {
    expect(() => validateConfig(JSON.parse('{"__proto__": {"hiddenSize": 4}}'))).toThrow(DuplexError);
    expect(() => validateConfig(changed("toString", 1))).toThrow(/unknown field "toString"/);
  });
});
