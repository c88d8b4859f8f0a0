// Checks of a backend with a whole, tiny interaction model, formed as the backend's target says, against the plain
// TypeScript reference of core.
//
// Choosing experts is not continuous: where two scores are nearly equal, rounding decides. So numbers are compared with
// the choices pinned (a selection bias larger than any score), and free choices are bounded by how many rows differ.

import type { Graph, Tensor, WeightType } from "@microturn/core";
import { buildDuplexGraph, type ModelConfig, positionsPerTurn, tinyConfig } from "@microturn/core/model";
import { type ReferenceInput, ReferenceModel, type ReferenceOutput, randomWeights } from "@microturn/core/testing";
import { expect } from "vitest";
import { type BackendContext, type Check, settles } from "./check.js";
import { someOf } from "./graphs.js";

/** Largest error of float32 logits, relative to the largest logit of its head. */
const exactTolerance = 1e-4;
/** The same by weight type: those of random matrices this small are rounded. */
const tolerance: Readonly<Record<WeightType, number>> = {
  float32: exactTolerance,
  float16: 5e-3,
  int8: 0.1,
  int4: 0.6,
};

/** Checks that need a model. */
export const modelChecks: readonly Check<BackendContext>[] = [
  {
    name: "runs a tiny interaction model as the plain reference does, rows at different turns, experts pinned",
    async run({ backend }) {
      const model = pinned();
      const { target, maxBatch } = backend.capabilities;
      const executable = await settles(
        "load",
        backend.load(buildDuplexGraph(model.config, model.weights, { target, debug: true })),
      );
      try {
        const batch = Math.min(3, maxBatch);
        const rows = Array.from({ length: batch }, (_, row) => new SimulatedRow(model, row + 1));
        const state = await executable.createState(batch);
        // The rings of the model hold 2 and 4 micro-turns and one sink: 12 wrap both.
        for (let turn = 0; turn < 12; turn++) {
          const active = Uint8Array.from({ length: batch }, (_, row) => ((turn + row) % 4 === 3 ? 0 : 1));
          const inputs = rows.map((row) => row.next());
          const feeds = feedsOf(executable.graph, inputs);
          const { outputs } = await settles("run", executable.run(feeds, state, { active }));
          for (const [row, simulated] of rows.entries()) {
            if (active[row] === 0) continue;
            const expected = simulated.step();
            const place = `row ${row}, turn ${turn}`;
            expectChoices(place, outputs, row, expected);
            const error = logitError(outputs, row, expected, expected.positions.length);
            expect(error, `${place}: logits`).toBeLessThan(exactTolerance);
          }
        }
      } finally {
        await executable.dispose();
      }
    },
  },
  {
    name: "chooses the experts that the plain reference chooses, but for near ties",
    async run({ backend }) {
      const model = smallModel();
      const { target, maxBatch } = backend.capabilities;
      const executable = await settles("load", backend.load(buildDuplexGraph(model.config, model.weights, { target })));
      try {
        const batch = Math.min(8, maxBatch);
        const rows = Array.from({ length: batch }, (_, row) => new SimulatedRow(model, row + 11));
        const state = await executable.createState(batch);
        const left = new Set<number>();
        for (let turn = 0; turn < 4; turn++) {
          const inputs = rows.map((row) => row.next());
          const { outputs } = await settles("run", executable.run(feedsOf(executable.graph, inputs), state));
          for (const [row, simulated] of rows.entries()) {
            const expected = simulated.step().expertLoad.flat();
            const got = rowOf(outputs.expert_load, row);
            if (expected.some((share, i) => Math.abs(share - got[i]) > 1e-3)) left.add(row);
          }
        }
        // A row that chose otherwise once goes its own way from there: rows are counted, not choices.
        expect(left.size, `rows that chose other experts: ${[...left]}`).toBeLessThanOrEqual(batch >> 3);
      } finally {
        await executable.dispose();
      }
    },
  },
  {
    name: "gives a row of a tiny model the same bits, whichever others are active",
    async run({ backend }) {
      const model = smallModel();
      const { target, maxBatch } = backend.capabilities;
      const batch = Math.min(8, maxBatch);
      for (const weightType of target.weights) {
        const graph = buildDuplexGraph(model.config, model.weights, { target, weightType });
        const executable = await settles("load", backend.load(graph));
        try {
          const rows = Array.from({ length: batch }, (_, row) => new SimulatedRow(model, row + 31));
          const together = await executable.createState(batch);
          const alone = await executable.createState(batch);
          for (const count of [2, 5, 3].filter((rowCount) => rowCount <= batch)) {
            const active = someOf(batch, count, count);
            const feeds = feedsOf(
              graph,
              rows.map((row) => row.next()),
            );
            const run = await settles("run", executable.run(feeds, together, { active }));
            // The next run may take the memory of this one's outputs.
            const got = Object.entries(run.outputs).map(([name, tensor]) => ({
              name,
              rows: rows.map((_, row) => rowOf(tensor, row)),
            }));
            for (const [row, simulated] of rows.entries()) {
              if (active[row] === 0) continue;
              const single = Uint8Array.from({ length: batch }, (_, other) => (other === row ? 1 : 0));
              const { outputs } = await settles("run", executable.run(feeds, alone, { active: single }));
              for (const { name, rows: values } of got) {
                const place = `${weightType}: ${name} of row ${row} among ${count}`;
                expect(values[row].join(), place).toBe(rowOf(outputs[name], row).join());
              }
              simulated.skip();
            }
          }
        } finally {
          await executable.dispose();
        }
      }
    },
  },
  {
    name: "runs every weight type that it names, close to the plain reference",
    async run({ backend }) {
      const model = pinned();
      const { target } = backend.capabilities;
      for (const weightType of target.weights) {
        const graph = buildDuplexGraph(model.config, model.weights, { target, weightType, debug: true });
        const executable = await settles("load", backend.load(graph));
        try {
          const simulated = new SimulatedRow(model, 21);
          const state = await executable.createState(1);
          const feeds = feedsOf(graph, [simulated.next()]);
          const { outputs } = await settles("run", executable.run(feeds, state));
          // Later positions take what the first one sampled, so only the first can be compared.
          const error = logitError(outputs, 0, simulated.step(), 1);
          expect(error, `${weightType}: logits`).toBeLessThan(tolerance[weightType]);
        } finally {
          await executable.dispose();
        }
      }
    },
  },
];

interface Model {
  readonly config: ModelConfig;
  readonly weights: ReturnType<typeof randomWeights>;
}

/**
 * The tiny model with two output positions instead of four and no vocoder: a simulated GPU needs half a minute and more to
 * compile the shaders of the whole.
 */
function smallModel(): Model {
  const { duplex: layout, ...rest } = tinyConfig();
  if (layout === undefined) throw new Error("not an interaction model");
  const { vocoder: _, ...duplex } = { ...layout, outputPositions: 2 };
  const turn = positionsPerTurn(duplex);
  const config: ModelConfig = {
    ...rest,
    slidingWindow: 2 * turn,
    duplex: { ...duplex, sinkPositions: turn, globalWindow: 4 * turn },
  };
  return { config, weights: randomWeights(config, 3) };
}

/** The small model with the same experts for every token. */
function pinned(): Model {
  const { config, weights } = smallModel();
  const bias = Float32Array.from({ length: config.experts }, (_, expert) => (expert % 2 === 1 ? 10 : 0) - expert);
  return {
    config,
    weights: {
      names: weights.names,
      shape: (name) => weights.shape(name),
      float32: (name, shape) => (name.endsWith("e_score_correction_bias") ? bias : weights.float32(name, shape)),
    },
  };
}

/** One session: its inputs by a seed, and the reference that it is compared with. */
class SimulatedRow {
  readonly #reference: ReferenceModel;
  readonly #config: ModelConfig;
  #state: number;
  #turn = 0;
  #pending: ReferenceInput | undefined;

  constructor({ config, weights }: Model, seed: number) {
    this.#config = config;
    this.#reference = new ReferenceModel(config, weights);
    this.#state = Math.imul(seed, 2654435761) >>> 0;
  }

  /** Input of the next micro-turn; the same again until `step`. */
  next(): ReferenceInput {
    this.#pending ??= this.#make();
    return this.#pending;
  }

  /** Goes on to the next micro-turn without the reference. */
  skip(): void {
    this.#pending = undefined;
    this.#turn += 1;
  }

  /** What the reference makes of it. */
  step(): ReferenceOutput {
    const input = this.next();
    this.skip();
    return this.#reference.step(input);
  }

  #make(): ReferenceInput {
    const { image, audio, duplex } = this.#config;
    if (image === undefined || audio === undefined || duplex === undefined) throw new Error("not an interaction model");
    const patch = image.temporalPatchSize * image.patchSize ** 2 * image.channels;
    const draws = 3 + duplex.speech.framesPerPosition * duplex.speech.melBins;
    const { melBins, levels } = audio;
    return {
      dmel: this.#many(duplex.audioPositions * melBins, () => Math.floor(this.#uniform() * levels)),
      textSlots: this.#many(duplex.textSlots, () => Math.floor(this.#uniform() * 40)),
      patches: this.#many(duplex.patchSlots * patch, () => this.#uniform() * 2 - 1),
      patchPresent: new Array<number>(duplex.patchSlots).fill(this.#turn % 3 === 1 ? 1 : 0),
      random: this.#many(duplex.outputPositions * draws, () => this.#uniform()),
      temperature: 0,
      forceControl: this.#turn === 5 ? 1 : this.#turn === 7 ? 2 : 0,
    };
  }

  #many(count: number, make: () => number): number[] {
    return Array.from({ length: count }, make);
  }

  /** In [0, 1), exact in float32. */
  #uniform(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) / 2 ** 24;
  }
}

/** The graph's inputs for one session per row. */
function feedsOf(graph: Graph, rows: readonly ReferenceInput[]): Record<string, Tensor> {
  const values: Record<string, (row: ReferenceInput) => ArrayLike<number>> = {
    dmel: (row) => row.dmel,
    text_slots: (row) => row.textSlots ?? [],
    patches: (row) => row.patches ?? [],
    patch_present: (row) => row.patchPresent ?? [],
    random: (row) => row.random,
    temperature: (row) => [row.temperature],
    force_control: (row) => [row.forceControl],
  };
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, shape } of graph.inputs) {
    const data = rows.flatMap((row) => Array.from(values[name](row)));
    feeds[name] = {
      type,
      shape: shape.map((size) => (size === -1 ? rows.length : size)),
      data: type === "int32" ? Int32Array.from(data) : Float32Array.from(data),
    };
  }
  return feeds;
}

function rowOf(tensor: Tensor, row: number): number[] {
  const length = tensor.data.length / tensor.shape[0];
  return Array.from(tensor.data.subarray(row * length, (row + 1) * length));
}

/** Everything discrete must be equal: the model is greedy. */
function expectChoices(
  place: string,
  outputs: Readonly<Record<string, Tensor>>,
  row: number,
  expected: ReferenceOutput,
): void {
  for (const key of ["text", "heard", "control"] as const) {
    const tokens = expected.positions.map((position) => position[key]);
    expect(rowOf(outputs[key], row), `${place}: ${key}`).toEqual(tokens);
  }
  const levels = expected.positions.flatMap((position) => position.levels);
  expect(rowOf(outputs.speech, row).join(), `${place}: speech`).toBe(levels.join());
  const load = expected.expertLoad.flat();
  rowOf(outputs.expert_load, row).forEach((share, i) => {
    expect(Math.abs(share - load[i]), `${place}: expert load ${i}`).toBeLessThan(1e-5);
  });
}

/** Largest error of the logits of the first `positions` output positions, relative to the largest logit of the head. */
function logitError(
  outputs: Readonly<Record<string, Tensor>>,
  row: number,
  expected: ReferenceOutput,
  positions: number,
): number {
  let error = 0;
  for (const key of ["text", "heard", "control", "speech"] as const) {
    const logits = expected.positions.slice(0, positions).flatMap((position) => Array.from(position.logits[key]));
    const got = rowOf(outputs[`${key}_logits`], row);
    const largest = logits.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    logits.forEach((value, i) => {
      const difference = Math.abs(value - got[i]) / largest;
      // Not a number counts as wrong, not as equal.
      error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
    });
  }
  return error;
}
