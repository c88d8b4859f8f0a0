// The caller's side of a loaded graph and its states: checks every call, packs feeds, and leaves the rest to the runtime.

import {
  checkTensor,
  DuplexError,
  type Executable,
  type Graph,
  type RunOptions,
  type RunResult,
  type StateHandle,
  type StateSnapshot,
  type Tensor,
  type TensorData,
} from "@microturn/core";
import type { Connection } from "./connection.js";
import { packedLayout, viewOf } from "./packing.js";

/** What the executables and states of one backend share. */
export interface Shared {
  readonly connection: Connection;
  readonly maxBatch: number;
  /** A number that no executable or state of this backend has. */
  nextId(): number;
}

/** A graph that the runtime has loaded. */
export class OrtExecutable implements Executable {
  #disposed = false;
  /** By batch size, memories that no run is using. */
  readonly #spare = new Map<number, RunMemory[]>();
  readonly #inputNames: ReadonlySet<string>;

  constructor(
    private readonly shared: Shared,
    readonly id: number,
    readonly graph: Graph,
  ) {
    this.#inputNames = new Set(graph.inputs.map((spec) => spec.name));
  }

  async createState(batch: number): Promise<StateHandle> {
    this.assertOpen("createState");
    const { maxBatch, connection } = this.shared;
    if (!Number.isInteger(batch) || batch < 1 || batch > maxBatch) {
      throw new RangeError(`createState: batch must be an integer of 1 to ${maxBatch} (maxBatch), got ${batch}`);
    }
    const state = this.shared.nextId();
    await connection.request({ kind: "create-state", executable: this.id, state, batch });
    return new OrtState(this.shared, this, state, batch);
  }

  async run(
    feeds: Readonly<Record<string, Tensor>>,
    state: StateHandle,
    { active }: RunOptions = {},
  ): Promise<RunResult> {
    this.assertOpen("run");
    if (!(state instanceof OrtState) || state.executable !== this) {
      throw new TypeError("run: the state was made by another executable; use createState of this one");
    }
    state.assertOpen("run");
    const { batch } = state;
    if (active !== undefined && active.length !== batch) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `run: "active" must have ${batch} bytes, one per row, got ${active.length}`,
      );
    }
    if (active?.some((flag) => flag !== 0 && flag !== 1)) {
      throw new RangeError(`run: "active" must hold 0 or 1 for every row, got [${active}]`);
    }
    for (const name of Object.keys(feeds)) {
      if (!this.#inputNames.has(name)) {
        const known = [...this.#inputNames].join(", ");
        throw new DuplexError("SHAPE_MISMATCH", `run: the graph has no input "${name}"; its inputs are ${known}`);
      }
    }
    for (const spec of this.graph.inputs) checkTensor("run", spec, feeds[spec.name], batch);
    const spare = this.#spareOf(batch);
    const memory = spare.pop() ?? runMemory(this.graph, batch);
    for (const { name, data } of memory.inputs) data.set(feeds[name].data);
    const { runMs } = await this.shared.connection.request({
      kind: "run",
      executable: this.id,
      state: state.id,
      feeds: memory.feeds,
      results: memory.results,
      active: active?.slice(),
    });
    spare.push(memory);
    return { outputs: memory.outputs, runMs };
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#spare.clear();
    await settleClosed(this.shared.connection.request({ kind: "dispose-executable", executable: this.id }));
  }

  /** @throws DuplexError `SESSION_CLOSED` after `dispose` */
  assertOpen(operation: string): void {
    if (this.#disposed) throw new DuplexError("SESSION_CLOSED", `${operation}: the executable was disposed`);
  }

  #spareOf(batch: number): RunMemory[] {
    const spare = this.#spare.get(batch) ?? [];
    this.#spare.set(batch, spare);
    return spare;
  }
}

/** Where a run reads its inputs and leaves its outputs. */
interface RunMemory {
  readonly feeds: ArrayBufferLike;
  readonly results: ArrayBufferLike;
  readonly inputs: readonly { readonly name: string; readonly data: TensorData }[];
  readonly outputs: Readonly<Record<string, Tensor>>;
}

function runMemory(graph: Graph, batch: number): RunMemory {
  const inputLayout = packedLayout(graph.inputs, batch);
  const outputLayout = packedLayout(graph.outputs, batch);
  const feeds = memoryOf(inputLayout.byteLength);
  const results = memoryOf(outputLayout.byteLength);
  const outputs: Record<string, Tensor> = {};
  for (const entry of outputLayout.entries) {
    outputs[entry.name] = { type: entry.type, shape: entry.shape, data: viewOf(results, entry) };
  }
  const inputs = inputLayout.entries.map((entry) => ({ name: entry.name, data: viewOf(feeds, entry) }));
  return { feeds, results, inputs, outputs };
}

/** Memory that a worker sees too, where there is such: a page that is not isolated has none, and runs on one thread. */
function memoryOf(bytes: number): ArrayBufferLike {
  return typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
}

/** State of a batch of rows, kept by the runtime. */
export class OrtState implements StateHandle {
  #disposed = false;

  constructor(
    private readonly shared: Shared,
    readonly executable: OrtExecutable,
    readonly id: number,
    readonly batch: number,
  ) {}

  async read(row: number): Promise<StateSnapshot> {
    this.#check("read", row);
    const data = await this.shared.connection.request({ kind: "read-row", ...this.#address(), row });
    const tensors: Record<string, Tensor> = {};
    this.executable.graph.state.forEach(({ input, type, shape }, index) => {
      tensors[input] = { type, shape: [...shape], data: data[index] };
    });
    return { tensors };
  }

  async write(row: number, snapshot: StateSnapshot): Promise<void> {
    this.#check("write", row);
    const specs = this.executable.graph.state;
    for (const { input, type, shape } of specs) {
      checkTensor("write", { name: input, type, shape }, snapshot.tensors[input], this.batch);
    }
    // The row is written when its turn comes; what the caller does with its arrays meanwhile must not matter.
    const data = specs.map((spec) => snapshot.tensors[spec.input].data.slice());
    specs.forEach(({ input, update }, index) => {
      if (update.kind === "counter" && data[index][0] < 0) {
        throw new RangeError(`write: counter "${input}" must be 0 or more, got ${data[index][0]}`);
      }
    });
    await this.shared.connection.request({ kind: "write-row", ...this.#address(), row, data });
  }

  async reset(row: number): Promise<void> {
    this.#check("reset", row);
    await this.shared.connection.request({ kind: "write-row", ...this.#address(), row, data: undefined });
  }

  async clone(): Promise<StateHandle> {
    this.assertOpen("clone");
    const state = this.shared.nextId();
    const { executable, state: from } = this.#address();
    await this.shared.connection.request({ kind: "clone-state", executable, from, state });
    return new OrtState(this.shared, this.executable, state, this.batch);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await settleClosed(this.shared.connection.request({ kind: "dispose-state", ...this.#address() }));
  }

  /** @throws DuplexError `SESSION_CLOSED` after `dispose` of the state or its executable */
  assertOpen(operation: string): void {
    this.executable.assertOpen(operation);
    if (this.#disposed) throw new DuplexError("SESSION_CLOSED", `${operation}: the state was disposed`);
  }

  #check(operation: string, row: number): void {
    this.assertOpen(operation);
    if (!Number.isInteger(row) || row < 0 || row >= this.batch) {
      throw new RangeError(`${operation}: row must be an integer of 0 to ${this.batch - 1}, got ${row}`);
    }
  }

  #address(): { executable: number; state: number } {
    return { executable: this.executable.id, state: this.id };
  }
}

/** Waits for something to be freed; a backend that closed or failed meanwhile has freed it too. */
async function settleClosed(freed: Promise<unknown>): Promise<void> {
  try {
    await freed;
  } catch (error) {
    if (!DuplexError.is(error, "SESSION_CLOSED") && !DuplexError.is(error, "BACKEND_FAILED")) throw error;
  }
}
