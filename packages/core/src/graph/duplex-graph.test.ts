import { describe, expect, it } from "vitest";
import { VocoderNetwork } from "../audio/vocoder-network.js";
import type { ExpertForm, StateForm } from "../backend.js";
import type { ModelConfig } from "../model/config.js";
import { weightShapes } from "../model/weight-shapes.js";
import { createWeights, type StoredWeight, type Weights } from "../model/weights.js";
import type { Tensor, TensorSpec } from "../tensor.js";
import { tinyAcoustic, tinyModel } from "../testing/tiny-model.js";
import { buildDuplexGraph } from "./duplex-graph.js";
import { toFloat16 } from "./float16.js";
import { draw, type ReferenceInput, ReferenceModel, type ReferenceOutput } from "./reference.js";
import { GraphRunner } from "./test-runner.js";
import { buildVocoderGraph } from "./vocoder-graph.js";

// The rings of the tiny model hold 2 and 4 micro-turns (and one sink), so 12 micro-turns wrap both several times.
const turns = 12;

/** Inputs of a session, made from a seed: noise, an image in every third micro-turn. */
function sessionInputs(config: ModelConfig, seed: number, temperature = 0): ReferenceInput[] {
  const layout = config.duplex;
  if (layout === undefined || config.image === undefined) throw new Error("not an interaction model");
  const channels = layout.speech.framesPerPosition * layout.speech.melBins;
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const size = config.image.temporalPatchSize * config.image.patchSize ** 2 * config.image.channels;
  return Array.from({ length: turns }, (_, turn) => ({
    dmel: Int32Array.from({ length: layout.audioPositions * 80 }, () => Math.floor(uniform() * 16)),
    textSlots: Int32Array.from({ length: layout.textSlots }, () => Math.floor(uniform() * 40)),
    patches: Float32Array.from({ length: layout.patchSlots * size }, () => uniform() * 2 - 1),
    patchPresent: new Float32Array(layout.patchSlots).fill(turn % 3 === 1 ? 1 : 0),
    random: Float32Array.from(
      { length: layout.outputPositions * (3 + channels) },
      () => Math.floor(uniform() * 2 ** 24) / 2 ** 24,
    ),
    temperature,
    forceControl: turn === 5 ? 1 : turn === 7 ? 2 : 0,
    ...(layout.acoustic === undefined ? {} : toldInputs(layout.outputPositions, channels, turn, uniform)),
  }));
}

/** Told to begin in every fourth micro-turn, which goes on in the next two; also where listening is forced. */
function toldInputs(positions: number, channels: number, turn: number, uniform: () => number) {
  const token = (position: number) => (turn % 4 === 0 && position < 2 ? 2 * position : 1);
  return {
    told: Int32Array.from({ length: positions }, (_, i) => (turn % 4 === 3 ? 0 : token(i))),
    toldText: Int32Array.from({ length: positions }, () => Math.floor(uniform() * 40)),
    toldSpeech: Int32Array.from({ length: positions * channels }, () => Math.floor(uniform() * 16)),
  };
}

/** The same inputs for the graph, one session per batch row. */
function feedsOf(config: ModelConfig, rows: readonly ReferenceInput[]): Record<string, Tensor> {
  const layout = config.duplex;
  if (layout === undefined || config.image === undefined) throw new Error("not an interaction model");
  const B = rows.length;
  const ints = (shape: number[], pick: (row: ReferenceInput) => ArrayLike<number>): Tensor => ({
    type: "int32",
    shape: [B, ...shape],
    data: Int32Array.from(rows.flatMap((row) => Array.from(pick(row)))),
  });
  const floats = (shape: number[], pick: (row: ReferenceInput) => ArrayLike<number>): Tensor => ({
    type: "float32",
    shape: [B, ...shape],
    data: Float32Array.from(rows.flatMap((row) => Array.from(pick(row)))),
  });
  const { temporalPatchSize, patchSize, channels } = config.image;
  const { framesPerPosition, melBins } = layout.speech;
  return {
    dmel: ints([layout.audioPositions, 80], (row) => row.dmel),
    random: floats([layout.outputPositions, 3 + framesPerPosition * melBins], (row) => row.random),
    temperature: floats([], (row) => [row.temperature]),
    force_control: ints([], (row) => [row.forceControl]),
    ...(layout.acoustic === undefined
      ? {}
      : {
          told: ints([layout.outputPositions], (row) => row.told ?? []),
          told_text: ints([layout.outputPositions], (row) => row.toldText ?? []),
          told_speech: ints([layout.outputPositions, framesPerPosition * melBins], (row) => row.toldSpeech ?? []),
        }),
    ...(layout.textSlots > 0 ? { text_slots: ints([layout.textSlots], (row) => row.textSlots ?? []) } : {}),
    ...(layout.patchSlots > 0
      ? {
          patches: floats(
            [layout.patchSlots, temporalPatchSize, patchSize, patchSize, channels],
            (row) => row.patches ?? [],
          ),
          patch_present: floats([layout.patchSlots], (row) => row.patchPresent ?? []),
        }
      : {}),
  };
}

/** Everything that a row of the graph's output must share with the reference; the largest relative error of the logits. */
function compare(config: ModelConfig, outputs: Record<string, Tensor>, row: number, expected: ReferenceOutput): number {
  const layout = config.duplex;
  if (layout === undefined) throw new Error("not an interaction model");
  const O = layout.outputPositions;
  const channels = layout.speech.framesPerPosition * layout.speech.melBins;
  const part = (name: string, width: number) => Array.from(outputs[name].data.subarray(row * width, (row + 1) * width));
  expect(part("text", O)).toEqual(expected.positions.map((position) => position.text));
  expect(part("heard", O)).toEqual(expected.positions.map((position) => position.heard));
  expect(part("control", O)).toEqual(expected.positions.map((position) => position.control));
  expect(part("speech", O * channels)).toEqual(expected.positions.flatMap((position) => position.levels));
  const load = expected.expertLoad.flat();
  for (const [i, value] of part("expert_load", load.length).entries()) expect(value).toBeCloseTo(load[i], 5);
  const chosen = expected.chosenExperts.flat(2);
  expect(part("chosen_experts", chosen.length)).toEqual(chosen);
  let error = 0;
  for (const key of ["text", "heard", "control", "speech"] as const) {
    const logits = expected.positions.flatMap((position) => Array.from(position.logits[key]));
    const largest = Math.max(...logits.map(Math.abs));
    for (const [i, value] of part(`${key}_logits`, logits.length).entries()) {
      error = Math.max(error, Math.abs(value - logits[i]) / largest);
    }
  }
  return error;
}

const forms: ExpertForm[] = ["if", "gather", "dense"];
const states: StateForm[] = ["rows", "whole"];

describe("duplex graph", () => {
  for (const experts of forms) {
    for (const state of states) {
      it(`equals the plain reference over ${turns} micro-turns (experts: ${experts}, state: ${state})`, async () => {
        const { config, weights } = tinyModel({ seed: 3 });
        const reference = new ReferenceModel(config, weights);
        const graph = buildDuplexGraph(config, weights, { target: { experts, state }, debug: true });
        const runner = await GraphRunner.create(graph);
        const controls = new Set<number>();
        for (const input of sessionInputs(config, 1)) {
          const expected = reference.step(input);
          const error = compare(config, await runner.run(feedsOf(config, [input])), 0, expected);
          expect(error).toBeLessThan(1e-4);
          for (const position of expected.positions) controls.add(position.control);
        }
        expect(controls.has(1) && controls.has(2)).toBe(true);
        await runner.close();
      });
    }
  }

  it("samples as the reference does, from the random numbers given", async () => {
    const { config, weights } = tinyModel({ seed: 5 });
    const reference = new ReferenceModel(config, weights);
    const graph = buildDuplexGraph(config, weights, { target: { experts: "if", state: "rows" }, debug: true });
    const runner = await GraphRunner.create(graph);
    const greedy = new ReferenceModel(config, weights);
    let differs = false;
    for (const input of sessionInputs(config, 2, 0.9)) {
      const expected = reference.step(input);
      compare(config, await runner.run(feedsOf(config, [input])), 0, expected);
      const other = greedy.step({ ...input, temperature: 0 });
      differs ||= other.positions.some((position, i) => position.levels.join() !== expected.positions[i].levels.join());
    }
    expect(differs).toBe(true);
    await runner.close();
  });

  it("goes on listening unless beginning is likelier by the start margin, and stops as it would without", async () => {
    const { config, weights } = tinyModel({ seed: 5, duplex: { startMargin: 1.5 } });
    const reference = new ReferenceModel(config, weights);
    const graph = buildDuplexGraph(config, weights, { target: { experts: "if", state: "rows" }, debug: true });
    const runner = await GraphRunner.create(graph);
    let [kept, began, before] = [0, 0, 1];
    for (const seed of [1, 2, 3]) {
      for (const input of sessionInputs(config, seed, 0.7)) {
        const expected = reference.step(input);
        expect(compare(config, await runner.run(feedsOf(config, [input])), 0, expected)).toBeLessThan(1e-4);
        for (const [i, { control, logits }] of expected.positions.entries()) {
          const draws = input.random.length / 4;
          const without = draw(logits.control, input.random[i * draws + 2], 0.7);
          if (input.forceControl === 0) {
            if (before !== 1) expect(control).toBe(without);
            else if (control === 1 && without !== 1) kept++;
            else if (control !== 1) began++;
          }
          before = control;
        }
      }
    }
    expect(kept).toBeGreaterThan(2);
    expect(began).toBeGreaterThan(2);
    await runner.close();
  });

  it("says and hears no row of a vocabulary that is only padding", async () => {
    // Half of the words of the tiny model's vocabulary are taken away: their rows stay, as in a padded checkpoint.
    const plain = tinyModel({ seed: 3 });
    const words = plain.config.vocabSize >> 1;
    const config = { ...plain.config, unpaddedVocabSize: words };
    const reference = new ReferenceModel(config, plain.weights);
    const graph = buildDuplexGraph(config, plain.weights, { target: { experts: "if", state: "rows" }, debug: true });
    const runner = await GraphRunner.create(graph);
    const heard: number[] = [];
    for (const input of sessionInputs(config, 4, 1.5)) {
      const expected = reference.step(input);
      const outputs = await runner.run(feedsOf(config, [input]));
      expect(compare(config, outputs, 0, expected)).toBeLessThan(1e-4);
      heard.push(...outputs.heard.data, ...outputs.text.data);
    }
    expect(Math.max(...heard)).toBeLessThan(words);
    expect(Math.max(...heard)).toBeGreaterThan(words / 2);
    await runner.close();
  });

  it.each(forms)("says what it is told, until it listens (experts: %s)", async (experts) => {
    const { config, weights } = tinyModel({ seed: 3, duplex: { acoustic: tinyAcoustic } });
    const reference = new ReferenceModel(config, weights);
    const graph = buildDuplexGraph(config, weights, { target: { experts, state: "rows" }, debug: true });
    const runner = await GraphRunner.create(graph, { batch: 2 });
    let [said, cut, saidBefore] = [0, 0, false];
    const other = new ReferenceModel(config, weights);
    // One row says what it is told, the other is told nothing.
    for (const input of sessionInputs(config, 1)) {
      const silent = { ...input, told: new Int32Array(4) };
      const outputs = await runner.run(feedsOf(config, [input, silent]));
      const expected = reference.step(input);
      expect(compare(config, outputs, 0, expected)).toBeLessThan(1e-4);
      expect(compare(config, outputs, 1, other.step(silent))).toBeLessThan(1e-4);
      for (const [i, { text, levels, control }] of expected.positions.entries()) {
        if ((input.told?.[i] ?? 0) === 0) continue;
        const part = Array.from(input.toldSpeech ?? []).slice(160 * i, 160 * (i + 1));
        const asTold = levels.join() === part.join();
        if (asTold) expect(text).toBe(input.toldText?.[i]);
        // Begun, or gone on from the position before it: never again after a listen.
        const goesOn = i === 0 || saidBefore;
        if (asTold && input.told?.[i] === 1) expect(goesOn).toBe(true);
        saidBefore = asTold;
        said += Number(asTold);
        cut += Number(control === 1);
      }
    }
    expect(said).toBeGreaterThan(4);
    expect(cut).toBeGreaterThan(4);
    await runner.close();
  });

  it("takes text slots and several patch slots", async () => {
    const { config, weights } = tinyModel({
      seed: 7,
      config: { slidingWindow: 24, sliding: { heads: 4, kvHeads: 2, headDim: 8, relativeExtent: 24 } },
      duplex: { textSlots: 2, patchSlots: 2, sinkPositions: 12, globalWindow: 48 },
    });
    const reference = new ReferenceModel(config, weights);
    const graph = buildDuplexGraph(config, weights, { target: { experts: "gather", state: "rows" }, debug: true });
    const runner = await GraphRunner.create(graph);
    for (const input of sessionInputs(config, 4)) {
      const outputs = await runner.run(feedsOf(config, [input]));
      expect(compare(config, outputs, 0, reference.step(input))).toBeLessThan(1e-4);
    }
    await runner.close();
  });

  it.each(forms)("gives each row of a batch what it gives it alone (experts: %s)", async (experts) => {
    const { config, weights } = tinyModel({ seed: 3 });
    const graph = buildDuplexGraph(config, weights, { target: { experts, state: "rows" }, debug: true });
    const sessions = [1, 2, 3].map((seed) => sessionInputs(config, seed, seed === 2 ? 0.8 : 0));
    const references = sessions.map(() => new ReferenceModel(config, weights));
    const runner = await GraphRunner.create(graph, { batch: sessions.length });
    for (let turn = 0; turn < turns; turn++) {
      const inputs = sessions.map((session) => session[turn]);
      const outputs = await runner.run(feedsOf(config, inputs));
      for (const [row, input] of inputs.entries()) {
        expect(compare(config, outputs, row, references[row].step(input))).toBeLessThan(1e-4);
      }
    }
    await runner.close();
  });

  it.each(states)("runs the vocoder's network over the speech frames, state carried (state: %s)", async (state) => {
    const { config, weights } = tinyModel({ seed: 3 });
    const shapes = [...weightShapes(config)].filter(([name]) => name.startsWith("microturn.vocoder."));
    const network = new VocoderNetwork(
      new Map(shapes.map(([name, shape]) => [name, { shape, data: weights.float32(name, shape) }])),
    );
    const runner = await GraphRunner.create(buildDuplexGraph(config, weights, { target: { experts: "if", state } }));
    const expected = new Float32Array(8 * 264);
    for (const input of sessionInputs(config, 1)) {
      const { speech, vocoder_controls: controls } = await runner.run(feedsOf(config, [input]));
      network.step(Int32Array.from(speech.data), expected);
      expect(controls.shape).toEqual([1, 8, 264]);
      const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      for (const [i, value] of expected.entries()) {
        expect(Math.abs(controls.data[i] - value) / largest).toBeLessThan(1e-5);
      }
    }
    await runner.close();
  });

  it("has the vocoder's network as a graph of its own, which gives the same, state carried", async () => {
    const { config, weights } = tinyModel({ seed: 3 });
    const shapes = [...weightShapes(config)].filter(([name]) => name.startsWith("microturn.vocoder."));
    const network = new VocoderNetwork(
      new Map(shapes.map(([name, shape]) => [name, { shape, data: weights.float32(name, shape) }])),
    );
    const runner = await GraphRunner.create(buildVocoderGraph(config, weights, 3));
    const expected = new Float32Array(3 * 264);
    for (let run = 0; run < 4; run++) {
      const levels = Int32Array.from({ length: 3 * 80 }, (_, i) => (7 * i * (run + 1)) % 16);
      const { vocoder_controls: controls } = await runner.run({
        levels: { type: "int32", shape: [1, 3, 80], data: levels },
      });
      network.step(levels, expected);
      const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      for (const [i, value] of expected.entries()) {
        expect(Math.abs(controls.data[i] - value) / largest).toBeLessThan(1e-5);
      }
    }
    await runner.close();
    const { vocoder: _, ...silent } = config.duplex ?? {};
    const without = { ...config, duplex: silent } as typeof config;
    expect(() => buildVocoderGraph(without, weights, 3)).toThrow(TypeError);
  });

  it("describes its inputs, outputs and state", () => {
    const { config, weights } = tinyModel();
    const graph = buildDuplexGraph(config, weights, { target: { experts: "if", state: "rows" } });
    const shapes = (specs: readonly TensorSpec[]) => Object.fromEntries(specs.map(({ name, shape }) => [name, shape]));
    expect(shapes(graph.inputs)).toEqual({
      random: [-1, 4, 163],
      temperature: [-1],
      force_control: [-1],
      patches: [-1, 1, 2, 40, 40, 3],
      patch_present: [-1, 1],
      dmel: [-1, 4, 80],
    });
    expect(shapes(graph.outputs)).toEqual({
      text: [-1, 4],
      heard: [-1, 4],
      control: [-1, 4],
      speech: [-1, 4, 160],
      expert_load: [-1, 1, 4],
      vocoder_controls: [-1, 8, 264],
    });
    expect(graph.state.map(({ input, shape }) => [input, shape])).toEqual([
      ["turn", []],
      ["k0", [2, 18, 8]],
      ["v0", [2, 18, 8]],
      ["k1", [2, 45, 8]],
      ["v1", [2, 45, 8]],
      ["conv", [3, 192]],
      ["previous", [163]],
      ["vocoder", [4, 32]],
    ]);
  });

  it("refuses weights that are missing, and a configuration that is no interaction model", () => {
    const { config, weights } = tinyModel();
    const target = { experts: "if", state: "rows" } as const;
    const without = { ...weights, float32: createWeights(new Map()).float32 };
    expect(() => buildDuplexGraph(config, without, { target })).toThrow(
      /is missing; the configuration and the weight file/,
    );
    const { duplex: _, ...plain } = config;
    expect(() => buildDuplexGraph(plain, weights, { target })).toThrow(TypeError);
    const weightType = "int3" as never;
    expect(() => buildDuplexGraph(config, weights, { target, weightType })).toThrow(/got int3/);
  });

  it("keeps large weights in files beside the model and gives the same numbers", async () => {
    const { config, weights } = tinyModel({ seed: 3 });
    const options = { target: { experts: "if", state: "rows" }, debug: true } as const;
    const whole = buildDuplexGraph(config, weights, options);
    const split = buildDuplexGraph(config, weights, { ...options, inlineLimitBytes: 100_000 });
    expect(split.onnx.length).toBeLessThan(whole.onnx.length);
    const files = split.externalData ?? [];
    expect(files.length).toBeGreaterThan(1);
    const externalData = files.map(({ path, data }) => ({ path, data }));
    const [one, other] = [
      await GraphRunner.create(whole),
      await GraphRunner.create(split, { options: { externalData } }),
    ];
    const [input] = sessionInputs(config, 1);
    const [a, b] = [await one.run(feedsOf(config, [input])), await other.run(feedsOf(config, [input]))];
    expect(Array.from(b.speech_logits.data)).toEqual(Array.from(a.speech_logits.data));
    await one.close();
    await other.close();
  });

  describe("with float16 weights", () => {
    /** As a file in float16 holds them. */
    function inFloat16(weights: Weights): Weights {
      const stored = weights.names.map((name): [string, StoredWeight] => {
        const shape = weights.shape(name) ?? [];
        const halves = toFloat16(weights.float32(name, shape));
        return [name, { type: "float16", shape, bytes: new Uint8Array(halves.buffer) }];
      });
      return createWeights(new Map(stored));
    }

    it.each(forms)("gives the bits of float32 where the file is float16 (experts: %s)", async (experts) => {
      const { config, weights } = tinyModel({ seed: 3, duplex: { acoustic: tinyAcoustic } });
      const options = { target: { experts, state: "rows" }, debug: true } as const;
      const halves = inFloat16(weights);
      const runners = [
        await GraphRunner.create(buildDuplexGraph(config, halves, options)),
        await GraphRunner.create(buildDuplexGraph(config, halves, { ...options, weightType: "float16" })),
      ];
      for (const input of sessionInputs(config, 1)) {
        const [exact, half] = [
          await runners[0].run(feedsOf(config, [input])),
          await runners[1].run(feedsOf(config, [input])),
        ];
        for (const [name, { data }] of Object.entries(exact)) expect(half[name].data, name).toEqual(data);
      }
      for (const runner of runners) await runner.close();
    });

    it("rounds others: near float32, and not the same", async () => {
      const { config, weights } = tinyModel({ seed: 3 });
      const options = { target: { experts: "if", state: "rows" }, debug: true } as const;
      const runner = await GraphRunner.create(buildDuplexGraph(config, weights, { ...options, weightType: "float16" }));
      const [input] = sessionInputs(config, 1);
      const { text_logits: text, control_logits: control } = await runner.run(feedsOf(config, [input]));
      const exact = new ReferenceModel(config, weights).step(input).positions[0].logits;
      for (const [logits, expected] of [
        [text, exact.text],
        [control, exact.control],
      ] as const) {
        const error = Math.max(...Array.from(expected, (value, i) => Math.abs(value - logits.data[i])));
        expect(error).toBeGreaterThan(0);
        expect(error / Math.max(...Array.from(expected, Math.abs))).toBeLessThan(5e-3);
      }
      await runner.close();
    });

    it.each(forms)("makes a graph of about half the size (experts: %s)", (experts) => {
      const { config, weights } = tinyModel({ seed: 3 });
      const size = (weightType: "float32" | "float16") => {
        const graph = buildDuplexGraph(config, weights, {
          target: { experts, state: "rows" },
          weightType,
          inlineLimitBytes: 0,
        });
        return (graph.externalData ?? []).reduce((sum, { data }) => sum + data.length, 0);
      };
      expect(size("float16") / size("float32")).toBeLessThan(0.55);
    });

    it.each([
      ["model.language_model.layers.0.mlp.up_proj.weight", 70_000],
      ["model.language_model.layers.1.mlp.experts.down_proj", -65_520],
      ["microturn.heard_table.weight", 1e6],
      ["microturn.vocoder.out.weight", 1e5],
    ])("refuses a number beyond float16, by the name of its weight (%s)", (name, value) => {
      const { config, weights } = tinyModel();
      const target = { experts: "if", state: "rows" } as const;
      const large: Weights = {
        ...weights,
        float32: (one, shape) => {
          const array = weights.float32(one, shape);
          return one === name ? array.map((old, i) => (i === 5 ? value : old)) : array;
        },
      };
      expect(() => buildDuplexGraph(config, large, { target, weightType: "float16" })).toThrow(
        expect.objectContaining({
          code: "UNSUPPORTED",
          message: `graph: "${name}" holds ${value}, float16 goes to 65504 in magnitude; use weights "float32" for this model`,
          details: { weight: name },
        }),
      );
      expect(() => buildDuplexGraph(config, large, { target })).not.toThrow();
    });
  });

  it.each(["int8", "int4"] as const)("quantises the same in every expert form (%s)", async (weightType) => {
    const { config, weights } = tinyModel({ seed: 3 });
    const runners: GraphRunner[] = [];
    for (const experts of forms) {
      const options = { target: { experts, state: "rows" }, weightType, accuracyLevel: 0, debug: true } as const;
      runners.push(await GraphRunner.create(buildDuplexGraph(config, weights, options)));
    }
    const reference = new ReferenceModel(config, weights);
    let [largest, apart, error] = [0, 0, 0];
    for (const input of sessionInputs(config, 1)) {
      const results: Record<string, Tensor>[] = [];
      for (const runner of runners) results.push(await runner.run(feedsOf(config, [input])));
      const exact = reference.step(input).positions[0].logits.control;
      for (const result of results) {
        expect(result.chosen_experts.data).toEqual(results[0].chosen_experts.data);
        for (const [i, value] of result.speech_logits.data.entries()) {
          largest = Math.max(largest, Math.abs(value));
          apart = Math.max(apart, Math.abs(value - results[0].speech_logits.data[i]));
        }
      }
      if (error === 0)
        error = Math.max(...exact.map((value, i) => Math.abs(value - results[0].control_logits.data[i])));
    }
    expect(apart / largest).toBeLessThan(1e-4);
    // It does quantise, and not too coarsely: the first micro-turn against float32, logits of size 1 to 10.
    expect(error).toBeGreaterThan(1e-4);
    expect(error).toBeLessThan(weightType === "int8" ? 0.3 : 3);
    for (const runner of runners) await runner.close();
  });

  it("says nothing under a forced listen, and the model is told so", async () => {
    const { config, weights } = tinyModel({ seed: 3 });
    const graph = buildDuplexGraph(config, weights, { target: { experts: "if", state: "rows" } });
    const runner = await GraphRunner.create(graph);
    const [input] = sessionInputs(config, 1);
    const forced = await runner.run(feedsOf(config, [{ ...input, forceControl: 1 }]));
    expect(Array.from(forced.control.data)).toEqual([1, 1, 1, 1]);
    expect(forced.text.data.every((token) => token === 0)).toBe(true);
    expect(forced.speech.data.every((level) => level === 0)).toBe(true);
    await runner.close();
  });
});
