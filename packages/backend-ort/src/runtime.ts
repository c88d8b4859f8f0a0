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
  type LoadRequest,
  type Request,
  type RunAnswer,
  type RunRequest,
} from "./messages.js";
import { type PackedEntry, type PackedLayout, packedLayout, viewOf } from "./packing.js";
import { makeTensor, type Ort, type StateStore } from "./state-store.js";

interface Loaded {
  readonly session: ort.InferenceSession;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly state: readonly StateSpec[];
  readonly tools: DeviceTools | undefined;
  readonly states: Map<number, State>;
}

/** State of a batch of rows, where its runs read their inputs, and how their outputs are laid out. */
interface State {
  readonly store: StateStore;
  /** Over `bytes`, which each run fills; runs never overlap. */
  readonly feeds: Record<string, ort.Tensor>;
  readonly bytes: Uint8Array;
  readonly results: PackedLayout;
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
      this.#loaded.set(request.executable, { session, inputs, outputs, state, tools, states: new Map() });
      return undefined;
    } catch (error) {
      for (const session of sessions) await session.release();
      throw error instanceof Fault
        ? error
        : new Fault("MODEL_INVALID", `load: the runtime refused the graph: ${firstLine(error)}`);
    }
  }

  async #run(request: RunRequest): Promise<RunAnswer> {
    const loaded = this.#get(request.executable);
    const { store, feeds, bytes, results: layout } = stateOf(loaded, request.state);
    if (request.feeds.byteLength !== bytes.length || request.results.byteLength !== layout.byteLength) {
      throw new Fault(
        "SHAPE_MISMATCH",
        `run: expected ${bytes.length} bytes of inputs and ${layout.byteLength} of outputs, got ${request.feeds.byteLength} and ${request.results.byteLength}`,
      );
    }
    bytes.set(new Uint8Array(request.feeds));
    store.feed(feeds);
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
        viewOf(request.results, entry).set(outputData(entry, results[entry.name] as ort.Tensor));
      }
      await store.renew(results, request.active);
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

  #stateOver({ inputs, outputs }: Loaded, store: StateStore): State {
    const { byteLength, entries } = packedLayout(inputs, store.batch);
    const buffer = new ArrayBuffer(byteLength);
    const feeds: Record<string, ort.Tensor> = {};
    for (const entry of entries) {
      feeds[entry.name] = makeTensor(this.ort, entry.type, viewOf(buffer, entry), entry.shape);
    }
    return { store, feeds, bytes: new Uint8Array(buffer), results: packedLayout(outputs, store.batch) };
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

function outputData({ name, type, shape }: PackedEntry, tensor: ort.Tensor): TensorData {
  const data = tensor.data as TensorData;
  const same = tensor.dims.length === shape.length && shape.every((size, axis) => size === tensor.dims[axis]);
  if (!same || tensor.type !== type) {
    throw new Fault(
      "BACKEND_FAILED",
      `run: output "${name}" is ${tensor.type} [${tensor.dims}], the graph promised ${type} [${shape}]`,
    );
  }
  return data;
}
