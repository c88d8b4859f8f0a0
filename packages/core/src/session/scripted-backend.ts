// Test double: a backend that "runs" the interface of a duplex graph by a script instead of a model.
// State is one int32 per row, the counter; so what belongs to a row, and what a snapshot must carry, is easy to see.

import type { Backend, Executable, Graph, RunOptions, StateHandle, StateSnapshot } from "../backend.js";
import { allocate, elementCount, type Tensor } from "../tensor.js";

/** What the script sees of a row. */
export interface ScriptedRow {
  readonly row: number;
  /** Micro-turns that this row has run. */
  readonly turn: number;
  readonly dmel: Int32Array;
  readonly forced: number;
  readonly random: Float32Array;
  readonly temperature: number;
  readonly patchPresent: number;
  readonly textSlots: Int32Array;
  /** See `toldToken`; all 0 for a model without acoustic model. */
  readonly told: readonly number[];
  readonly firstPatchValue: number;
}

/** What it gives; a listen is forced, and what is told is said, as in the real graph. */
export interface ScriptedOutputs {
  readonly text?: readonly number[];
  readonly heard?: readonly number[];
  readonly control?: readonly number[];
  /** Level of every bin at each output position. */
  readonly level?: readonly number[];
}

/** A backend and what happened to it. */
export interface ScriptedBackend extends Backend {
  /** Active rows of each run. */
  readonly runs: number[][];
  readonly closed: boolean;
  /** Makes the next run fail. */
  failNext(error: Error): void;
  /** Lets no state be written until a promise has settled. */
  gateWrites(gate: Promise<void>): void;
}

export function scriptedBackend(
  script: (row: ScriptedRow) => ScriptedOutputs,
  { maxBatch = 16, delay = () => Promise.resolve() }: { maxBatch?: number; delay?: () => Promise<void> } = {},
): ScriptedBackend {
  const runs: number[][] = [];
  let closed = false;
  let failure: Error | undefined;
  let writing = Promise.resolve();

  const state = (counters: Int32Array): StateHandle => ({
    batch: counters.length,
    async read(row): Promise<StateSnapshot> {
      return { tensors: { turn: { type: "int32", shape: [], data: counters.slice(row, row + 1) } } };
    },
    async write(row, snapshot) {
      await writing;
      counters[row] = snapshot.tensors.turn.data[0];
    },
    async reset(row) {
      counters[row] = 0;
    },
    clone: async () => state(counters.slice()),
    dispose: async () => {},
    ...({ counters } as object),
  });

  return {
    runs,
    get closed() {
      return closed;
    },
    failNext(error) {
      failure = error;
    },
    gateWrites(gate) {
      writing = gate;
    },
    capabilities: {
      provider: "scripted",
      device: "none",
      target: { experts: "dense", state: "rows", weights: ["float32"] },
      maxBatch,
      canCloneState: true,
    },
    async load(graph: Graph): Promise<Executable> {
      return {
        graph,
        createState: async (batch) => state(new Int32Array(batch)),
        async run(feeds, handle, { active }: RunOptions = {}) {
          const { counters } = handle as unknown as { counters: Int32Array };
          await delay();
          if (failure !== undefined) {
            const error = failure;
            failure = undefined;
            throw error;
          }
          const outputs: Record<string, Tensor> = {};
          for (const { name, type, shape: batched } of graph.outputs) {
            const shape = batched.map((size) => (size === -1 ? handle.batch : size));
            outputs[name] = { type, shape, data: allocate(type, elementCount(shape)) };
          }
          const rows = Array.from(counters.keys()).filter((row) => active === undefined || active[row] === 1);
          runs.push(rows);
          for (const row of rows) {
            fill(outputs, row, script(rowInputs(feeds, row, counters[row])), feeds);
            counters[row]++;
          }
          return { outputs, runMs: 0 };
        },
        dispose: async () => {},
      };
    },
    async close() {
      closed = true;
    },
  };
}

function rowInputs(feeds: Readonly<Record<string, Tensor>>, row: number, turn: number): ScriptedRow {
  return {
    row,
    turn,
    dmel: part(feeds.dmel, row) as Int32Array,
    forced: feeds.force_control.data[row],
    random: part(feeds.random, row) as Float32Array,
    temperature: feeds.temperature.data[row],
    patchPresent: feeds.patch_present === undefined ? 0 : feeds.patch_present.data[row],
    textSlots: feeds.text_slots === undefined ? new Int32Array(0) : (part(feeds.text_slots, row).slice() as Int32Array),
    told: feeds.told === undefined ? [0, 0, 0, 0] : [...part(feeds.told, row)],
    firstPatchValue: feeds.patches === undefined ? 0 : part(feeds.patches, row)[0],
  };
}

function fill(
  outputs: Record<string, Tensor>,
  row: number,
  given: ScriptedOutputs,
  feeds: Readonly<Record<string, Tensor>>,
): void {
  const force = feeds.force_control.data[row];
  const told = feeds.told === undefined ? undefined : part(feeds.told, row);
  const positions = outputs.control.shape[1];
  const speech = part(outputs.speech, row);
  const bins = speech.length / positions;
  let saidTold = false;
  for (let position = 0; position < positions; position++) {
    const begins = told?.[position] === 2;
    const control = force > 0 ? force : begins ? 2 : (given.control?.[position] ?? 1);
    const listens = control === 1;
    // As in the real graph: nothing goes on after a listen. Scripts begin before they go on in a first position.
    const isTold: boolean = begins || (told?.[position] === 1 && (position === 0 || saidTold));
    saidTold = isTold && !listens;
    part(outputs.control, row)[position] = control;
    const text = isTold ? part(feeds.told_text, row)[position] : (given.text?.[position] ?? 0);
    part(outputs.text, row)[position] = listens ? 0 : text;
    part(outputs.heard, row)[position] = given.heard?.[position] ?? 0;
    const [from, to] = [position * bins, (position + 1) * bins];
    if (isTold && !listens) speech.set(part(feeds.told_speech, row).subarray(from, to), from);
    else speech.fill(listens ? 0 : (given.level?.[position] ?? 0), from, to);
  }
}

function part(tensor: Tensor, row: number): Tensor["data"] {
  const size = tensor.data.length / tensor.shape[0];
  return tensor.data.subarray(row * size, (row + 1) * size);
}
