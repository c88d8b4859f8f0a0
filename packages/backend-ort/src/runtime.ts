// Owns the runtime, its sessions and all state. Lives in the worker, or on the caller's thread; must be asked one thing at a time.

import type { StateSpec, TensorData, TensorSpec } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import { DeviceState, type DeviceTools } from "./device-state.js";
import { checkSignature } from "./graph-check.js";
import { HostState } from "./host-state.js";
import {
  type Answers,
  Fault,
  firstLine,
  isOutOfMemory,
  type LoadRequest,
  type Request,
  type RunAnswer,
  type RunRequest,
} from "./messages.js";
import { type PackedEntry, type PackedLayout, packedLayout, viewOf } from "./packing.js";
import { type RunRows, rowsToRun } from "./run-rows.js";
import { makeTensor, type Ort, type StateStore } from "./state-store.js";

/** Options of {@link Runtime}. */
export interface RuntimeOptions {
  /**
   * Rows that the matrix kernels in use take at a time: batches of multiples of it give a row the same bits. Runs then compute
   * only rows that are active, rounded up to a multiple. Default: every run computes all.
   */
  readonly rowBlock?: number;
}

interface Loaded {
  readonly session: ort.InferenceSession;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly state: readonly StateSpec[];
  readonly tools: DeviceTools | undefined;
  readonly states: Map<number, State>;
  /** Rows in which a run can leave out those that are not active. */
  readonly rowBlock: number | undefined;
}

/** State of a batch of rows, where its runs read their inputs, and how inputs and outputs are laid out. */
interface State {
  readonly store: StateStore;
  readonly inputs: PackedLayout;
  readonly results: PackedLayout;
  /** Where a run's inputs are copied to: laid out for all rows, the first filled by those that it computes. Runs never overlap. */
  readonly memory: ArrayBuffer;
  /** Tensors over `memory`, by the batch of the run. */
  readonly feeds: Map<number, Record<string, ort.Tensor>>;
}

/** Everything that is done to graphs and states, behind {@link Runtime.answer}. */
export class Runtime {
  readonly #loaded = new Map<number, Loaded>();

  /**
   * @param ort - the runtime's module, ready to make sessions
   * @param options - that put a graph on the execution provider in use
   */
  constructor(
    private readonly ort: Ort,
    private readonly options: ort.InferenceSession.SessionOptions,
    private readonly runtimeOptions: RuntimeOptions = {},
  ) {}

  /** Does what a request asks. Buffers to hand over with the answer are pushed to `transfer`. */
  async answer(request: Request, transfer: ArrayBuffer[]): Promise<Answers[Request["kind"]]> {
    switch (request.kind) {
      case "load":
        return this.#load(request);
      case "run":
        return this.#run(request);
      case "create-state": {
        const loaded = this.#get(request.executable);
        const { tools } = loaded;
        const store =
          tools === undefined
            ? new HostState(this.ort, loaded.state, request.batch)
            : new DeviceState(this.ort, tools, loaded.state, request.batch);
        loaded.states.set(request.state, this.#stateOver(loaded, store));
        return undefined;
      }
      case "clone-state": {
        const loaded = this.#get(request.executable);
        loaded.states.set(request.state, this.#stateOver(loaded, await stateOf(loaded, request.from).store.clone()));
        return undefined;
      }
      case "read-row": {
        const data = await stateOf(this.#get(request.executable), request.state).store.read(request.row);
        for (const array of data) transfer.push(array.buffer as ArrayBuffer);
        return data;
      }
      case "write-row":
        await stateOf(this.#get(request.executable), request.state).store.write(request.row, request.data);
        return undefined;
      case "dispose-state": {
        const states = this.#loaded.get(request.executable)?.states;
        states?.get(request.state)?.store.dispose();
        states?.delete(request.state);
        return undefined;
      }
      case "dispose-executable":
        await this.#dispose(request.executable);
        return undefined;
      case "close":
        for (const id of [...this.#loaded.keys()]) await this.#dispose(id);
        return undefined;
    }
  }

  async #load(request: LoadRequest): Promise<undefined> {
    const { InferenceSession } = this.ort;
    const { onnx, externalData, inputs, outputs, state, device } = request;
    const stateOutputs = state.flatMap((spec) => (spec.output === undefined ? [] : [spec.output]));
    const sessions: ort.InferenceSession[] = [];
    const open = async (model: Uint8Array, onDevice: readonly string[]) => {
      const session = await InferenceSession.create(model, {
        ...this.options,
        ...(externalData.length > 0 && model === onnx ? { externalData: [...externalData] } : {}),
        ...(onDevice.length > 0
          ? { preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, "gpu-buffer" as const])) }
          : {}),
      });
      sessions.push(session);
      return session;
    };
    try {
      const session = await open(onnx, device === undefined ? [] : stateOutputs);
      checkSignature(session, request);
      const merged = state.filter((spec) => spec.output !== undefined).map((spec) => `out_${spec.input}`);
      const tools =
        device === undefined
          ? undefined
          : { merge: await open(device.merge, merged), read: await open(device.read, []) };
      const rowBlock = [...inputs, ...outputs].every(hasRows) ? this.runtimeOptions.rowBlock : undefined;
      this.#loaded.set(request.executable, { session, inputs, outputs, state, tools, states: new Map(), rowBlock });
      return undefined;
    } catch (error) {
      for (const session of sessions) await session.release();
      if (error instanceof Fault) throw error;
      throw isOutOfMemory(error)
        ? new Fault("BACKEND_FAILED", `load: the runtime has no memory left: ${firstLine(error)}`)
        : new Fault("MODEL_INVALID", `load: the runtime refused the graph: ${firstLine(error)}`);
    }
  }

  async #run(request: RunRequest): Promise<RunAnswer> {
    const loaded = this.#get(request.executable);
    const state = stateOf(loaded, request.state);
    const { store, inputs, results: layout } = state;
    if (request.feeds.byteLength !== inputs.byteLength || request.results.byteLength !== layout.byteLength) {
      throw new Fault(
        "SHAPE_MISMATCH",
        `run: expected ${inputs.byteLength} bytes of inputs and ${layout.byteLength} of outputs, got ${request.feeds.byteLength} and ${request.results.byteLength}`,
      );
    }
    const run = rowsToRun(store.batch, request.active, store.runsSome ? loaded.rowBlock : undefined);
    if (run.count === 0) return { runMs: 0 };
    const feeds = this.#feedsOf(state, run.count);
    copyInputs(state, request.feeds, run);
    store.feed(feeds, run);
    let results: ort.InferenceSession.OnnxValueMapType;
    let runMs: number;
    try {
      const start = performance.now();
      results = await loaded.session.run(feeds);
      runMs = performance.now() - start;
    } catch (error) {
      throw new Fault("BACKEND_FAILED", `run: the runtime failed: ${firstLine(error)}`);
    }
    try {
      for (const entry of layout.entries) {
        const data = outputData(entry, results[entry.name] as ort.Tensor, run.count, store.batch);
        copyOutput(viewOf(request.results, entry), data, run, store.batch);
      }
      await store.renew(results, run);
    } catch (error) {
      for (const value of Object.values(results)) value.dispose();
      throw error;
    }
    return { runMs };
  }

  async #dispose(id: number): Promise<void> {
    const loaded = this.#loaded.get(id);
    if (loaded === undefined) return;
    this.#loaded.delete(id);
    for (const { store } of loaded.states.values()) store.dispose();
    await loaded.session.release();
    await loaded.tools?.merge.release();
    await loaded.tools?.read.release();
  }

  #stateOver({ inputs: specs, outputs }: Loaded, store: StateStore): State {
    const inputs = packedLayout(specs, store.batch);
    const results = packedLayout(outputs, store.batch);
    return { store, inputs, results, memory: new ArrayBuffer(inputs.byteLength), feeds: new Map() };
  }

  /** Where a run of `count` rows reads its inputs. */
  #feedsOf({ store: { batch }, inputs, memory, feeds }: State, count: number): Record<string, ort.Tensor> {
    const made =
      feeds.get(count) ??
      Object.fromEntries(
        inputs.entries.map((entry) => {
          const data = viewOf(memory, entry).subarray(0, (entry.length / batch) * count);
          return [entry.name, makeTensor(this.ort, entry.type, data, sizesOf(entry, count, batch))];
        }),
      );
    feeds.set(count, made);
    return made;
  }

  #get(id: number): Loaded {
    const loaded = this.#loaded.get(id);
    if (loaded === undefined) throw new Fault("SESSION_CLOSED", "the executable was disposed");
    return loaded;
  }
}

function stateOf(loaded: Loaded, id: number): State {
  const state = loaded.states.get(id);
  if (state === undefined) throw new Fault("SESSION_CLOSED", "the state was disposed");
  return state;
}

/** Whether the first axis of a tensor, and no other, is the batch. */
function hasRows({ shape }: TensorSpec): boolean {
  return shape[0] === -1 && shape.lastIndexOf(-1) === 0;
}

/** Sizes of a tensor laid out for `batch` rows in a run of `count`. */
function sizesOf({ shape }: PackedEntry, count: number, batch: number): readonly number[] {
  return count === batch ? shape : [count, ...shape.slice(1)];
}

/** Copies the inputs of the rows of a run to where it reads them. */
function copyInputs({ inputs, memory, store: { batch } }: State, from: ArrayBufferLike, run: RunRows): void {
  if (run.count === batch) {
    new Uint8Array(memory).set(new Uint8Array(from));
    return;
  }
  for (const entry of inputs.entries) {
    const source = viewOf(from, entry);
    const target = viewOf(memory, entry);
    const size = entry.length / batch;
    for (let place = 0; place < run.count; place++) {
      const start = run.rows[place] * size;
      target.set(source.subarray(start, start + size), place * size);
    }
  }
}

/** Copies what the rows of a run gave to where their caller looks for it; the other rows of `target` stay as they are. */
function copyOutput(target: TensorData, data: TensorData, run: RunRows, batch: number): void {
  if (run.count === batch) {
    target.set(data);
    return;
  }
  const size = target.length / batch;
  for (let place = 0; place < run.count; place++) {
    if (run.takes[place] === 1) target.set(data.subarray(place * size, (place + 1) * size), run.rows[place] * size);
  }
}

function outputData(entry: PackedEntry, tensor: ort.Tensor, count: number, batch: number): TensorData {
  const { name, type } = entry;
  const data = tensor.data as TensorData;
  const shape = sizesOf(entry, count, batch);
  const same = tensor.dims.length === shape.length && shape.every((size, axis) => size === tensor.dims[axis]);
  if (!same || tensor.type !== type) {
    throw new Fault(
      "BACKEND_FAILED",
      `run: output "${name}" is ${tensor.type} [${tensor.dims}], the graph promised ${type} [${shape}]`,
    );
  }
  return data;
}
