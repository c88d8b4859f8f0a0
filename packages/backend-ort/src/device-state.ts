// State in device memory (WebGPU): the tensors that a run returns are the inputs of the next, never copied to the host.
// Rows are merged, read and copied on the device by two small graphs, made in device-graphs.ts.

import type { StateSpec, TensorData } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import { Fault } from "./messages.js";
import type { RunRows } from "./run-rows.js";
import { freshData, makeTensor, type Ort, rowLength, type StateStore } from "./state-store.js";

/** The sessions of the two small graphs; see device-graphs.ts. */
export interface DeviceTools {
  readonly merge: ort.InferenceSession;
  readonly read: ort.InferenceSession;
}

/** State in device memory. Takes graphs that return whole buffers. */
export class DeviceState implements StateStore {
  readonly runsSome = false;
  readonly #specs: readonly StateSpec[];
  /** Every piece but counters, by input name. A fresh state starts in host memory and moves with its first run. */
  #tensors: Record<string, ort.Tensor>;
  /** Counters stay in host memory: they are a few bytes, and no output renews them. */
  readonly #counters: Record<string, Int32Array>;

  constructor(
    private readonly ort: Ort,
    private readonly tools: DeviceTools,
    specs: readonly StateSpec[],
    readonly batch: number,
  ) {
    this.#specs = specs;
    this.#tensors = {};
    this.#counters = {};
    for (const spec of specs) {
      const data = freshData(spec, batch * rowLength(spec));
      if (spec.update.kind === "counter") this.#counters[spec.input] = data as Int32Array;
      else this.#tensors[spec.input] = makeTensor(ort, spec.type, data, [batch, ...spec.shape]);
    }
  }

  feed(feeds: Record<string, ort.Tensor>): void {
    for (const spec of this.#specs) {
      const counter = this.#counters[spec.input];
      feeds[spec.input] =
        counter === undefined
          ? this.#tensors[spec.input]
          : makeTensor(this.ort, "int32", counter, [this.batch, ...spec.shape]);
    }
  }

  async renew(outputs: Readonly<Record<string, ort.OnnxValue>>, { takes }: RunRows): Promise<void> {
    const fresh: Record<string, ort.Tensor> = {};
    for (const spec of this.#specs) {
      if (spec.output === undefined) continue;
      const output = outputs[spec.output] as ort.Tensor;
      if (
        output.dims.length !== spec.shape.length + 1 ||
        spec.shape.some((size, axis) => size !== output.dims[axis + 1])
      ) {
        throw new Fault(
          "BACKEND_FAILED",
          `run: state output "${spec.output}" is [${output.dims}], expected the whole buffer [${[this.batch, ...spec.shape]}]; build the graph for state form "whole", as capabilities.target says`,
        );
      }
      fresh[spec.input] = output;
    }
    if (!takes.includes(0)) {
      this.#swap(fresh);
    } else {
      const merged = await this.#merge(takes, fresh);
      for (const tensor of Object.values(fresh)) tensor.dispose();
      this.#swap(merged);
    }
    for (const counter of Object.values(this.#counters)) {
      for (let row = 0; row < this.batch; row++) if (takes[row] === 1) counter[row] += 1;
    }
  }

  async read(row: number): Promise<TensorData[]> {
    const feeds: Record<string, ort.Tensor> = { row: makeTensor(this.ort, "int32", Int32Array.of(row), [1]) };
    for (const [name, tensor] of Object.entries(this.#tensors)) feeds[`old_${name}`] = tensor;
    const rows = await this.tools.read.run(feeds);
    return this.#specs.map((spec) => {
      const counter = this.#counters[spec.input];
      if (counter !== undefined) return counter.slice(row, row + 1);
      return rows[`out_${spec.input}`].data as TensorData;
    });
  }

  async write(row: number, data: readonly TensorData[] | undefined): Promise<void> {
    const mask = new Uint8Array(this.batch);
    mask[row] = 1;
    const fresh: Record<string, ort.Tensor> = {};
    this.#specs.forEach((spec, index) => {
      const value = data?.[index] ?? freshData(spec, rowLength(spec));
      const counter = this.#counters[spec.input];
      if (counter !== undefined) counter[row] = value[0];
      else fresh[spec.input] = makeTensor(this.ort, spec.type, value, [1, ...spec.shape]);
    });
    this.#swap(await this.#merge(mask, fresh));
  }

  async clone(): Promise<StateStore> {
    const copy = new DeviceState(this.ort, this.tools, this.#specs, this.batch);
    copy.#tensors = await this.#merge(new Uint8Array(this.batch), copy.#tensors);
    for (const [name, counter] of Object.entries(this.#counters)) copy.#counters[name].set(counter);
    return copy;
  }

  dispose(): void {
    this.#swap({});
  }

  /** New tensors with the rows of `fresh` where the mask is 1 and the present rows elsewhere. */
  async #merge(mask: Uint8Array, fresh: Readonly<Record<string, ort.Tensor>>): Promise<Record<string, ort.Tensor>> {
    const feeds: Record<string, ort.Tensor> = { mask: makeTensor(this.ort, "bool", mask, [this.batch]) };
    for (const [name, tensor] of Object.entries(this.#tensors)) {
      feeds[`old_${name}`] = tensor;
      feeds[`new_${name}`] = fresh[name];
    }
    const outputs = await this.tools.merge.run(feeds);
    const merged: Record<string, ort.Tensor> = {};
    for (const name of Object.keys(this.#tensors)) merged[name] = outputs[`out_${name}`] as ort.Tensor;
    return merged;
  }

  #swap(tensors: Record<string, ort.Tensor>): void {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
    this.#tensors = tensors;
  }
}
