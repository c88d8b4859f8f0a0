// What every backend must do: the suite behind the Backend contract of @microturn/core.

import {
  type Backend,
  type Executable,
  elementCount,
  type Graph,
  type StateHandle,
  type StateSnapshot,
  type Tensor,
} from "@microturn/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelChecks } from "./backend-model-checks.js";
import { type BackendContext, type Check, rejects, settles } from "./check.js";
import {
  echoGraph,
  eighths,
  externalGraph,
  linearGraph,
  linearTwin,
  MemoryTwin,
  memoryGraph,
  someOf,
} from "./graphs.js";

/** Options of {@link describeBackend}. */
export interface BackendSuiteOptions {
  /** Why the suite cannot run here; its checks are then counted as skipped. */
  readonly skip?: string | undefined;
  /** Limit of each check, ms; default 60000. */
  readonly timeoutMs?: number;
  /** Default {@link backendChecks}, all of them. */
  readonly checks?: readonly Check<BackendContext>[];
}

/**
 * Registers the suite with vitest.
 *
 * @param name - of the backend, for the report
 * @param factory - makes an open backend; called several times
 */
export function describeBackend(
  name: string,
  factory: () => Promise<Backend>,
  { skip, timeoutMs = 60_000, checks = backendChecks }: BackendSuiteOptions = {},
): void {
  describe.skipIf(skip !== undefined)(`backend ${name}${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await factory();
    }, timeoutMs);
    afterAll(() => backend?.close());
    for (const check of checks) {
      test(check.name, () => check.run({ backend, fresh: factory }), timeoutMs);
    }
  });
}

const batches = [1, 3, 8] as const;

/** The checks that need small graphs only: seconds, even on a device that is simulated. */
export const graphChecks: readonly Check<BackendContext>[] = [
  {
    name: "says what it is and how graphs are made for it",
    async run({ backend }) {
      const { provider, device, target, maxBatch, canCloneState } = backend.capabilities;
      expect(provider).not.toBe("");
      expect(device).not.toBe("");
      expect(["if", "gather", "dense"]).toContain(target.experts);
      expect(["rows", "whole"]).toContain(target.state);
      expect(target.weights.length).toBeGreaterThan(0);
      expect(maxBatch).toBeGreaterThanOrEqual(1);
      expect(typeof canCloneState).toBe("boolean");
    },
  },
  {
    name: "computes what plain arithmetic computes, for 1, 3 and 8 rows",
    async run({ backend }) {
      await withGraph(backend, linearGraph(), async (executable) => {
        for (const batch of batchesOf(backend)) {
          const state = await executable.createState(batch);
          const x = eighths(batch, [batch, 4, 8]);
          const { outputs, runMs } = await settles("run", executable.run({ x }, state));
          expectTensor(outputs.y, "float32", [batch, 4, 5], linearTwin(x.data, batch * 4));
          expect(runMs).toBeGreaterThan(0);
          await state.dispose();
        }
      });
    },
  },
  {
    name: "carries every element type unchanged",
    async run({ backend }) {
      await withGraph(backend, echoGraph(), async (executable) => {
        const state = await executable.createState(1);
        const feeds: Record<string, Tensor> = {
          float32_in: { type: "float32", shape: [1, 3], data: Float32Array.of(-0.125, 3.4e38, 0) },
          int32_in: { type: "int32", shape: [1, 3], data: Int32Array.of(-2147483648, 2147483647, 16777217) },
          uint8_in: { type: "uint8", shape: [1, 3], data: Uint8Array.of(0, 128, 255) },
          bool_in: { type: "bool", shape: [1, 3], data: Uint8Array.of(1, 0, 1) },
        };
        const { outputs } = await executable.run(feeds, state);
        for (const type of ["float32", "int32", "uint8", "bool"] as const) {
          expectTensor(outputs[`${type}_out`], type, [1, 3], feeds[`${type}_in`].data);
        }
      });
    },
  },
  {
    name: "reads weights that lie outside the graph, and misses those that were not given",
    async run({ backend }) {
      const graph = externalGraph();
      await withGraph(backend, graph, async (executable) => {
        const x = eighths(5, [1, 4, 8]);
        const { outputs } = await settles("run", executable.run({ x }, await executable.createState(1)));
        expectTensor(outputs.y, "float32", [1, 4, 5], linearTwin(x.data, 4));
      });
      const { externalData = [], ...alone } = graph;
      const half = externalData.map(({ path, data }) => ({ path, data: data.subarray(0, data.length >> 1) }));
      await rejects("load without the weights", backend.load(alone), "MODEL_INVALID");
      await rejects("load with half of the weights", backend.load({ ...alone, externalData: half }), "MODEL_INVALID");
    },
  },
  {
    name: "keeps rings with sinks, replaced pieces and the counter over several wraps, for 1, 3 and 8 rows",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        for (const batch of batchesOf(backend)) {
          const rows = await memory.rows(batch);
          for (let turn = 0; turn < 12; turn++) await rows.step(turn);
          await rows.dispose();
        }
      });
    },
  },
  {
    name: "advances the active rows as if each were alone and leaves the others as they were",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        for (const batch of batchesOf(backend)) {
          const rows = await memory.rows(batch);
          // Every row falls behind by another amount, so that rings of one batch stand at different turns.
          for (let turn = 0; turn < 12; turn++) {
            await rows.step(
              turn,
              Uint8Array.from({ length: batch }, (_, row) => ((turn + row) % (row + 2) === 0 ? 0 : 1)),
            );
          }
          await rows.step(99, new Uint8Array(batch));
          await rows.step(100);
          await rows.dispose();
        }
      });
    },
  },
  {
    name: "renews the active rows and no others, for every count of them among 8 and 12",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        for (const batch of [8, 12].filter((rows) => rows <= backend.capabilities.maxBatch)) {
          const rows = await memory.rows(batch);
          for (let count = 1; count <= batch; count++) {
            await rows.step(count, someOf(batch, count, count));
            for (const [row, twin] of rows.twins.entries()) {
              expectSnapshot(await rows.state.read(row), memory.graph, twin);
            }
          }
          await rows.dispose();
        }
      });
    },
  },
  {
    name: "gives the same bits for the same input and state",
    async run({ backend }) {
      await withMemory(backend, async ({ executable }) => {
        const first = await executable.createState(1);
        const second = await executable.createState(1);
        for (let turn = 0; turn < 3; turn++) {
          const x = eighths(turn, [1, 2, 3]);
          // The next run may take the memory of this one's outputs.
          const a = Object.entries((await executable.run({ x }, first)).outputs).map(
            ([name, { type, shape, data }]) => {
              return { name, type, shape: [...shape], data: data.slice() };
            },
          );
          const b = await executable.run({ x }, second);
          for (const { name, type, shape, data } of a) expectTensor(b.outputs[name], type, shape, data);
        }
      });
    },
  },
  {
    name: "reads a row without its batch axis and writes it to another row of another state",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const from = await memory.rows(2);
        for (let turn = 0; turn < 6; turn++) await from.step(turn, Uint8Array.of(1, turn % 2));
        const snapshot = await from.state.read(1);
        expectSnapshot(snapshot, memory.graph, from.twins[1]);
        const to = await memory.rows(3);
        await to.step(50);
        const writing = to.state.write(2, snapshot);
        // What the caller does with its arrays after the call must not matter.
        for (const { data } of Object.values(snapshot.tensors)) data.fill(7);
        await writing;
        to.twins[2] = copyOf(from.twins[1]);
        for (let turn = 60; turn < 66; turn++) await to.step(turn);
        await from.step(70);
      });
    },
  },
  {
    name: "keeps a snapshot as it was when the row goes on",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const rows = await memory.rows(1);
        for (let turn = 0; turn < 3; turn++) await rows.step(turn);
        const snapshot = await rows.state.read(0);
        const then = copyOf(rows.twins[0]);
        for (let turn = 3; turn < 9; turn++) await rows.step(turn);
        expectSnapshot(snapshot, memory.graph, then);
        await rows.state.write(0, snapshot);
        expectSnapshot(snapshot, memory.graph, then);
        rows.twins[0] = then;
        await rows.step(9);
      });
    },
  },
  {
    name: "resets one row to its initial values and no other",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const rows = await memory.rows(3);
        for (let turn = 0; turn < 5; turn++) await rows.step(turn);
        await rows.state.reset(1);
        rows.twins[1] = new MemoryTwin();
        for (let turn = 5; turn < 11; turn++) await rows.step(turn);
        expectSnapshot(await (await memory.rows(1)).state.read(0), memory.graph, new MemoryTwin());
      });
    },
  },
  {
    name: "clones all rows into a state that shares nothing with the first",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const rows = await memory.rows(2);
        if (!backend.capabilities.canCloneState) return rejects("clone", rows.state.clone(), "UNSUPPORTED");
        for (let turn = 0; turn < 5; turn++) await rows.step(turn, Uint8Array.of(1, turn % 2));
        const copy = memory.adopt(await rows.state.clone(), rows.twins.map(copyOf));
        for (let turn = 5; turn < 8; turn++) await rows.step(turn);
        for (let turn = 20; turn < 26; turn++) await copy.step(turn);
        await rows.dispose();
        await copy.step(30);
        const fresh = await memory.rows(2);
        const early = memory.adopt(await fresh.state.clone(), [new MemoryTwin(), new MemoryTwin()]);
        await fresh.step(0);
        await early.step(1);
      });
    },
  },
  {
    name: "answers runs that are called at once in the order of the calls",
    async run({ backend }) {
      await withMemory(backend, async ({ executable }) => {
        const state = await executable.createState(1);
        const calls = Array.from({ length: 8 }, (_, turn) => executable.run({ x: eighths(turn, [1, 2, 3]) }, state));
        const results = await settles("eight runs at once", Promise.all(calls));
        expect(results.map((result) => result.outputs.turn_seen.data[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      });
    },
  },
  {
    name: "keeps the states of two executables apart",
    async run({ backend }) {
      await withMemory(backend, async (one) => {
        await withMemory(backend, async (other) => {
          const a = await one.rows(1);
          const b = await other.rows(1);
          await a.step(0);
          await a.step(1);
          await b.step(2);
          await a.step(3);
          await rejects(
            "run with a state of another executable",
            one.executable.run({ x: eighths(0, [1, 2, 3]) }, b.state),
            TypeError,
          );
          await b.step(4);
        });
      });
    },
  },
  {
    name: "shares no memory with its caller: inputs stay usable, outputs may be overwritten",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const rows = await memory.rows(1);
        for (let turn = 0; turn < 3; turn++) {
          const x = eighths(turn, [1, 2, 3]);
          const before = [...x.data];
          const { outputs } = await memory.executable.run({ x }, rows.state);
          expect([...x.data]).toEqual(before);
          x.data.fill(77);
          for (const tensor of Object.values(outputs)) tensor.data.fill(77);
          rows.twins[0].step(before);
        }
        await rows.step(3);
      });
    },
  },
  {
    name: "refuses inputs that are missing, unknown or of another type, shape or length, and keeps the state",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const { executable } = memory;
        const rows = await memory.rows(2);
        await rows.step(0);
        const { state } = rows;
        const x = eighths(1, [2, 2, 3]);
        const wrong: Record<string, Record<string, Tensor>> = {
          "no input": {},
          "an unknown input": { x, y: x },
          "another batch": { x: eighths(1, [1, 2, 3]) },
          "another rank": { x: eighths(1, [2, 6]) },
          "another type": { x: { type: "int32", shape: [2, 2, 3], data: new Int32Array(12) } },
          "data of another length": { x: { ...x, data: new Float32Array(11) } },
        };
        for (const [what, feeds] of Object.entries(wrong)) {
          await rejects(`run with ${what}`, executable.run(feeds, state), "SHAPE_MISMATCH");
        }
        await rejects(
          "run with active of another length",
          executable.run({ x }, state, { active: Uint8Array.of(1) }),
          "SHAPE_MISMATCH",
        );
        await rejects(
          "run with active of another value",
          executable.run({ x }, state, { active: Uint8Array.of(2, 1) }),
          RangeError,
        );
        await rows.step(1);
      });
    },
  },
  {
    name: "refuses batches, rows and snapshots that do not fit",
    async run({ backend }) {
      await withMemory(backend, async (memory) => {
        const { executable } = memory;
        for (const batch of [0, -1, 1.5, Number.NaN, backend.capabilities.maxBatch + 1]) {
          await rejects(`createState(${batch})`, executable.createState(batch), RangeError);
        }
        const rows = await memory.rows(2);
        await rows.step(0);
        for (const row of [-1, 2, 0.5]) {
          await rejects(`read(${row})`, rows.state.read(row), RangeError);
          await rejects(`reset(${row})`, rows.state.reset(row), RangeError);
        }
        const snapshot = await rows.state.read(0);
        await rejects("write(2)", rows.state.write(2, snapshot), RangeError);
        const { keys, ...rest } = snapshot.tensors;
        await rejects("write without a piece", rows.state.write(0, { tensors: rest }), "SHAPE_MISMATCH");
        const short = { ...keys, shape: [2, 8, 2], data: new Float32Array(32) };
        await rejects(
          "write of another shape",
          rows.state.write(0, { tensors: { ...rest, keys: short } }),
          "SHAPE_MISMATCH",
        );
        // A ring would be written before its beginning.
        const early = { ...rest.turn, data: Int32Array.of(-1) };
        await rejects(
          "write of a turn below 0",
          rows.state.write(0, { tensors: { ...snapshot.tensors, turn: early } }),
          RangeError,
        );
        await rows.step(1);
      });
    },
  },
  {
    name: "refuses bytes that are no graph, and graphs that are not what was said, and goes on working",
    async run({ backend }) {
      const graph = memoryGraph(backend.capabilities.target.state);
      const noise = Uint8Array.from({ length: 4096 }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24);
      const bytes: Record<string, Uint8Array> = {
        "no bytes": new Uint8Array(0),
        noise,
        text: new TextEncoder().encode("<!doctype html><title>404</title>"),
        "half a graph": graph.onnx.slice(0, graph.onnx.length >> 1),
        "all but the last byte of a graph": graph.onnx.slice(0, -1),
      };
      for (const [what, onnx] of Object.entries(bytes)) {
        await rejects(`load of ${what}`, backend.load({ ...graph, onnx }), "MODEL_INVALID");
      }
      const [turn, keys, ...rest] = graph.state;
      const lies: Record<string, Graph> = {
        "an input that is not there": {
          ...graph,
          inputs: [...graph.inputs, { name: "z", type: "float32", shape: [-1] }],
        },
        "an input of another type": { ...graph, inputs: [{ name: "x", type: "int32", shape: [-1, 2, 3] }] },
        "an input of another shape": { ...graph, inputs: [{ name: "x", type: "float32", shape: [-1, 2, 4] }] },
        "an input that is not named": { ...graph, inputs: [] },
        "an output that is not there": { ...graph, outputs: [{ name: "z", type: "float32", shape: [-1] }] },
        "state of another shape": { ...graph, state: [turn, { ...keys, shape: [2, 9, 3] }, ...rest] },
        "a ring that does not fit": {
          ...graph,
          state: [
            turn,
            { ...keys, update: { kind: "ring", axis: 1, rowsPerTurn: 2, sinkTurns: 1, ringTurns: 4 } },
            ...rest,
          ],
        },
        "a ring without a counter": { ...graph, state: [keys, ...rest] },
      };
      for (const [what, lie] of Object.entries(lies)) {
        await rejects(`load with ${what}`, backend.load(lie), "MODEL_INVALID");
      }
      await withMemory(backend, async (memory) => (await memory.rows(1)).step(0));
    },
  },
  {
    name: "stops a load when its signal fires, and goes on working",
    async run({ backend }) {
      const graph = memoryGraph(backend.capabilities.target.state);
      await rejects("load with an aborted signal", backend.load(graph, { signal: AbortSignal.abort() }), "ABORTED");
      const controller = new AbortController();
      const loading = backend.load(graph, { signal: controller.signal });
      controller.abort();
      await rejects("load aborted on its way", loading, "ABORTED");
      await withMemory(backend, async (memory) => (await memory.rows(1)).step(0));
    },
  },
  {
    name: "takes a second dispose, and refuses calls after the first with SESSION_CLOSED",
    async run({ backend }) {
      const x = eighths(0, [1, 2, 3]);
      await withMemory(backend, async ({ executable }) => {
        const state = await executable.createState(1);
        const other = await executable.createState(1);
        await state.dispose();
        await settles("second dispose of a state", state.dispose());
        await rejects("run with a disposed state", executable.run({ x }, state), "SESSION_CLOSED");
        await rejects("read of a disposed state", state.read(0), "SESSION_CLOSED");
        await executable.run({ x }, other);
        await executable.dispose();
        await settles("second dispose of an executable", executable.dispose());
        await rejects("run of a disposed executable", executable.run({ x }, other), "SESSION_CLOSED");
        await rejects("createState of a disposed executable", executable.createState(1), "SESSION_CLOSED");
        await rejects("read of a state whose executable was disposed", other.read(0), "SESSION_CLOSED");
        await settles("dispose of a state whose executable was disposed", other.dispose());
      });
    },
  },
  {
    name: "closes twice, with calls open, and refuses calls afterwards with SESSION_CLOSED",
    async run({ fresh }) {
      const backend = await fresh();
      const graph = memoryGraph(backend.capabilities.target.state);
      const executable = await backend.load(graph);
      const state = await executable.createState(1);
      const x = eighths(0, [1, 2, 3]);
      await executable.run({ x }, state);
      const open = [executable.run({ x }, state), executable.run({ x }, state), state.read(0)];
      const outcomes = Promise.allSettled(open);
      await settles("close", Promise.all([backend.close(), backend.close()]));
      for (const outcome of await settles("calls open at close", outcomes)) {
        if (outcome.status === "rejected")
          await rejects("a call open at close", Promise.reject(outcome.reason), "SESSION_CLOSED");
      }
      await settles("close again", backend.close());
      await rejects("load after close", backend.load(graph), "SESSION_CLOSED");
      await rejects("createState after close", executable.createState(1), "SESSION_CLOSED");
      await rejects("run after close", executable.run({ x }, state), "SESSION_CLOSED");
      await rejects("read after close", state.read(0), "SESSION_CLOSED");
      await settles("dispose after close", Promise.all([state.dispose(), executable.dispose()]));
    },
  },
];

/** Every check of the suite. */
export const backendChecks: readonly Check<BackendContext>[] = [...graphChecks, ...modelChecks];

/** The memory graph, loaded, and rows of it that are checked against their twins. */
interface Memory {
  readonly graph: Graph;
  readonly executable: Executable;
  /** A fresh state with a twin for each row. */
  rows(batch: number): Promise<Rows>;
  /** A state that stands where `twins` stand. */
  adopt(state: StateHandle, twins: MemoryTwin[]): Rows;
}

/** A state and its twins. */
interface Rows {
  readonly state: StateHandle;
  readonly twins: MemoryTwin[];
  /** Runs once and expects every active row to have seen what its twin saw. Different seeds give different inputs. */
  step(seed: number, active?: Uint8Array): Promise<void>;
  dispose(): Promise<void>;
}

async function withMemory(backend: Backend, use: (memory: Memory) => Promise<void>): Promise<void> {
  const graph = memoryGraph(backend.capabilities.target.state);
  await withGraph(backend, graph, async (executable) => {
    const adopt = (state: StateHandle, twins: MemoryTwin[]): Rows => ({
      state,
      twins,
      async step(seed, active) {
        const x = eighths(seed, [state.batch, 2, 3]);
        const { outputs } = await settles("run", executable.run({ x }, state, active === undefined ? {} : { active }));
        twins.forEach((twin, row) => {
          if (active?.[row] === 0) return; // its part of the outputs is unspecified
          for (const [name, expected] of Object.entries(twin.seen())) {
            const length = expected.length;
            const got = Array.from(outputs[name].data.subarray(row * length, (row + 1) * length));
            expect(got, `${name} of row ${row} with input ${seed}`).toEqual(expected);
          }
          twin.step(x.data.subarray(row * 6, row * 6 + 6));
        });
      },
      dispose: () => state.dispose(),
    });
    const rows = async (batch: number) =>
      adopt(
        await executable.createState(batch),
        Array.from({ length: batch }, () => new MemoryTwin()),
      );
    await use({ graph, executable, rows, adopt });
  });
}

async function withGraph(
  backend: Backend,
  graph: Graph,
  use: (executable: Executable) => Promise<void>,
): Promise<void> {
  const executable = await settles("load", backend.load(graph));
  try {
    await use(executable);
  } finally {
    await executable.dispose();
  }
}

function batchesOf(backend: Backend): number[] {
  return batches.filter((batch) => batch <= backend.capabilities.maxBatch);
}

function copyOf(twin: MemoryTwin): MemoryTwin {
  const copy = new MemoryTwin();
  copy.turn = twin.turn;
  copy.keys.set(twin.keys);
  copy.marks.set(twin.marks);
  copy.average.set(twin.average);
  copy.last.set(twin.last);
  return copy;
}

function expectSnapshot(snapshot: StateSnapshot, graph: Graph, twin: MemoryTwin): void {
  const seen = twin.seen();
  expect(Object.keys(snapshot.tensors).sort()).toEqual(graph.state.map((spec) => spec.input).sort());
  for (const { input, type, shape } of graph.state) {
    expectTensor(snapshot.tensors[input], type, shape, seen[`${input}_seen`]);
  }
}

function expectTensor(tensor: Tensor, type: string, shape: readonly number[], values: ArrayLike<number>): void {
  expect(tensor.type).toBe(type);
  expect([...tensor.shape]).toEqual([...shape]);
  expect(tensor.data.length).toBe(elementCount(shape));
  expect(Array.from(tensor.data)).toEqual(Array.from(values));
}
