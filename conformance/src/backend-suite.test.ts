// The suite turned on itself: backends with one defect each, every one of which a check must find.

import { nodeBackend } from "@microturn/backend-node";
import {
  type Backend,
  DuplexError,
  type Executable,
  type Graph,
  type LoadOptions,
  type RunOptions,
  type RunResult,
  type StateHandle,
  type StateSnapshot,
  type Tensor,
} from "@microturn/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backendChecks } from "./backend-suite.js";
import { externalGraph } from "./graphs.js";

type Feeds = Readonly<Record<string, Tensor>>;

/** Where a defect may be put: each hook stands in for a call of the right backend `inner`. */
interface Defect {
  /** The backend … */
  readonly name: string;
  /** Beginning of the name of a check that must find it. */
  readonly foundBy: string;
  readonly load?: (inner: Backend, graph: Graph, options?: LoadOptions) => Promise<Executable>;
  readonly run?: (inner: Executable, feeds: Feeds, state: StateHandle, options?: RunOptions) => Promise<RunResult>;
  readonly read?: (inner: StateHandle, row: number) => Promise<StateSnapshot>;
  readonly write?: (inner: StateHandle, row: number, snapshot: StateSnapshot) => Promise<void>;
  readonly reset?: (inner: StateHandle, row: number) => Promise<void>;
  readonly clone?: (inner: StateHandle) => Promise<StateHandle>;
  readonly disposeState?: (inner: StateHandle) => Promise<void>;
  readonly close?: (inner: Backend) => Promise<void>;
}

const defects: readonly Defect[] = [
  {
    name: "writes what its caller's arrays hold later",
    foundBy: "reads a row without its batch axis",
    write: async (inner, row, snapshot) => {
      await Promise.resolve();
      await inner.write(row, snapshot);
    },
  },
  {
    name: "computes a little wrong",
    foundBy: "computes what plain arithmetic",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      for (const { data } of Object.values(result.outputs)) data[data.length - 1] += 0.001;
      return result;
    },
  },
  {
    name: "passes integers through floats",
    foundBy: "carries every element type",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      for (const { data } of Object.values(result.outputs)) data.set(Float32Array.from(data));
      return result;
    },
  },
  {
    name: "makes up weights that were not given",
    foundBy: "reads weights that lie outside",
    load: (inner, graph, options) => inner.load(graph.state.length === 0 ? externalGraph() : graph, options),
  },
  {
    name: "wraps its rings over the sinks",
    foundBy: "keeps rings with sinks",
    load: (inner, graph, options) =>
      inner.load(
        {
          ...graph,
          state: graph.state.map((spec) =>
            spec.update.kind === "ring"
              ? {
                  ...spec,
                  update: { ...spec.update, sinkTurns: 0, ringTurns: spec.update.sinkTurns + spec.update.ringTurns },
                }
              : spec,
          ),
        },
        options,
      ),
  },
  {
    name: "starts every state with zeros",
    foundBy: "keeps rings with sinks",
    load: (inner, graph, options) =>
      inner.load({ ...graph, state: graph.state.map(({ initial: _, ...spec }) => spec) }, options),
  },
  {
    name: "advances rows that are not active",
    foundBy: "advances the active rows",
    run: (inner, feeds, state) => inner.run(feeds, state),
  },
  {
    name: "advances nothing when one row is not active",
    foundBy: "advances the active rows",
    run: (inner, feeds, state, options) =>
      inner.run(feeds, state, options?.active?.includes(0) ? { active: new Uint8Array(state.batch) } : options),
  },
  {
    name: "advances a sixth row when five are active",
    foundBy: "renews the active rows and no others",
    run: (inner, feeds, state, options) => {
      const active = options?.active?.slice();
      if (active === undefined) return inner.run(feeds, state);
      if (countOf(active) === 5) active[active.indexOf(0)] = 1;
      return inner.run(feeds, state, { active });
    },
  },
  {
    name: "rounds otherwise when it has several rows to compute",
    foundBy: "gives a row of a tiny model the same bits",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      if (countOf(options?.active ?? []) < 2) return result;
      const { data } = result.outputs.expert_load;
      data.set(data.map((value) => Math.fround(value * (1 + 2 ** -23))));
      return result;
    },
  },
  {
    name: "adds noise",
    foundBy: "gives the same bits",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      const seen = result.outputs.average_seen;
      if (seen !== undefined) seen.data[0] += Math.random();
      return result;
    },
  },
  {
    name: "writes a snapshot to row 0 always",
    foundBy: "reads a row without its batch axis",
    write: (inner, _, snapshot) => inner.write(0, snapshot),
  },
  {
    name: "changes a snapshot after it was handed out",
    foundBy: "keeps a snapshot as it was",
    read: async (inner, row) => {
      const live = await inner.read(row);
      for (const { data } of Object.values(live.tensors)) queueMicrotask(() => data.fill(0));
      return live;
    },
  },
  { name: "resets nothing", foundBy: "resets one row", reset: async () => undefined },
  {
    name: "resets all rows",
    foundBy: "resets one row",
    reset: async (inner) => {
      for (let row = 0; row < inner.batch; row++) await inner.reset(row);
    },
  },
  { name: "clones by reference", foundBy: "clones all rows", clone: async (inner) => inner },
  {
    name: "answers the last call first",
    foundBy: "answers runs that are called at once",
    run: lastFirst(),
  },
  {
    name: "takes the state of another executable",
    foundBy: "keeps the states of two executables apart",
    run: async (inner, feeds, state, options) => {
      try {
        return await inner.run(feeds, state, options);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return { outputs: {}, runMs: 1 };
      }
    },
  },
  {
    name: "overwrites its inputs",
    foundBy: "shares no memory with its caller",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      for (const { data } of Object.values(feeds)) data.fill(0);
      return result;
    },
  },
  {
    name: "forgives inputs of a wrong shape",
    foundBy: "refuses inputs that are missing",
    run: async (inner, feeds, state, options) => {
      try {
        return await inner.run(feeds, state, options);
      } catch (error) {
        if (!DuplexError.is(error, "SHAPE_MISMATCH")) throw error;
        return { outputs: {}, runMs: 1 };
      }
    },
  },
  {
    name: "takes any number but 0 for active",
    foundBy: "refuses inputs that are missing",
    run: (inner, feeds, state, options) =>
      inner.run(feeds, state, options?.active && { active: options.active.map((flag) => (flag === 0 ? 0 : 1)) }),
  },
  {
    name: "forgives a row that is not there",
    foundBy: "refuses batches, rows and snapshots",
    read: (inner, row) => inner.read(Math.min(Math.max(Math.trunc(row), 0), inner.batch - 1)),
  },
  {
    name: "takes a snapshot of a turn before the first",
    foundBy: "refuses batches, rows and snapshots",
    write: async (inner, row, snapshot) => {
      try {
        await inner.write(row, snapshot);
      } catch (error) {
        if (!(error instanceof RangeError) || row >= inner.batch) throw error;
      }
    },
  },
  {
    name: "reports a broken graph as its own failure",
    foundBy: "refuses bytes that are no graph",
    load: async (inner, graph, options) => {
      try {
        return await inner.load(graph, options);
      } catch (cause) {
        throw DuplexError.is(cause, "MODEL_INVALID")
          ? new DuplexError("BACKEND_FAILED", "load failed", { cause })
          : cause;
      }
    },
  },
  {
    name: "ignores the signal of a load",
    foundBy: "stops a load",
    load: (inner, graph) => inner.load(graph),
  },
  {
    name: "runs with a disposed state",
    foundBy: "takes a second dispose",
    disposeState: async () => undefined,
  },
  {
    name: "mixes the rows of a batch up",
    foundBy: "runs a tiny interaction model",
    run: (inner, { dmel, ...feeds }, state, options) =>
      inner.run(dmel === undefined ? feeds : { ...feeds, dmel: rowsReversed(dmel) }, state, options),
  },
  {
    name: "routes as if it had heard something else",
    foundBy: "chooses the experts",
    run: (inner, { dmel, ...feeds }, state, options) =>
      inner.run(dmel === undefined ? feeds : { ...feeds, dmel: rowsReversed(dmel) }, state, options),
  },
  {
    name: "loses precision",
    foundBy: "runs every weight type",
    run: async (inner, feeds, state, options) => {
      const result = await inner.run(feeds, state, options);
      const logits = result.outputs.speech_logits?.data;
      logits?.set(logits.map((value) => Math.fround(value * 1.001)));
      return result;
    },
  },
  { name: "stays open after close", foundBy: "closes twice", close: async () => undefined },
];

/** A backend with one defect around a right one. */
function broken(inner: Backend, defect: Defect): Backend {
  const inners = new WeakMap<StateHandle, StateHandle>();
  const stateOf = (state: StateHandle): StateHandle => {
    const handle: StateHandle = {
      batch: state.batch,
      read: (row) => (defect.read ?? ((s, r) => s.read(r)))(state, row),
      write: (row, snapshot) => (defect.write ?? ((s, r, value) => s.write(r, value)))(state, row, snapshot),
      reset: (row) => (defect.reset ?? ((s, r) => s.reset(r)))(state, row),
      clone: async () => stateOf(await (defect.clone ?? ((s) => s.clone()))(state)),
      dispose: () => (defect.disposeState ?? ((s) => s.dispose()))(state),
    };
    inners.set(handle, state);
    return handle;
  };
  return {
    capabilities: inner.capabilities,
    close: () => (defect.close ?? ((b) => b.close()))(inner),
    async load(graph, options) {
      const executable = await (defect.load ?? ((b, g, o) => b.load(g, o)))(inner, graph, options);
      const run = defect.run ?? ((e, feeds, state, o) => e.run(feeds, state, o));
      return {
        graph,
        createState: async (batch) => stateOf(await executable.createState(batch)),
        run: (feeds, state, runOptions) => run(executable, feeds, inners.get(state) ?? state, runOptions),
        dispose: () => executable.dispose(),
      };
    },
  };
}

function countOf(active: ArrayLike<number>): number {
  return Array.from(active).filter((flag) => flag === 1).length;
}

/** The same tensor with its rows in the opposite order. */
function rowsReversed(tensor: Tensor): Tensor {
  const rows = tensor.shape[0];
  const length = tensor.data.length / rows;
  const data = tensor.data.slice();
  for (let row = 0; row < rows; row++) {
    data.set(tensor.data.subarray(row * length, (row + 1) * length), (rows - 1 - row) * length);
  }
  return { ...tensor, data };
}

/** Collects the runs of one tick and does the last one first. */
function lastFirst(): NonNullable<Defect["run"]> {
  let waiting: (() => void)[] = [];
  return (inner, feeds, state, options) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) {
        setImmediate(() => {
          const all = waiting.reverse();
          waiting = [];
          for (const go of all) go();
        });
      }
      waiting.push(() => inner.run(feeds, state, options).then(resolve, reject));
    });
}

describe("the backend suite", () => {
  let inner: Backend;
  beforeAll(async () => {
    inner = await nodeBackend({ threads: 1 });
  });
  afterAll(() => inner.close());

  const findings = (defect: Defect, name: string) => {
    const check = backendChecks.find((candidate) => candidate.name.startsWith(name));
    if (check === undefined) throw new Error(`no check is named "${name}…"`);
    const fresh = async () => broken(await nodeBackend({ threads: 1 }), defect);
    return check.run({ backend: broken(inner, defect), fresh });
  };

  test.each(defects)("finds a backend that $name", async (defect) => {
    await expect(findings(defect, defect.foundBy)).rejects.toThrow();
  });

  const none: Defect = { name: "has no defect", foundBy: "" };
  test.each(backendChecks.map((check) => check.name))(
    "finds nothing in a right backend behind the same wrapper: %s",
    (name) => findings(none, name),
  );

  test("has a defect for every check but the one on capabilities", () => {
    const unproven = backendChecks.filter((check) => !defects.some((defect) => check.name.startsWith(defect.foundBy)));
    expect(unproven.map((check) => check.name)).toEqual(["says what it is and how graphs are made for it"]);
  });
});
