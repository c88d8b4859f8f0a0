// Runs a graph on onnxruntime-node's CPU in tests of this package: state in plain arrays, no worker, one row or more.
// Real backends live in their own packages; this one exists so that core can test its graphs without them.

import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Graph, StateSpec } from "../backend.js";
import { allocate, elementCount, type Tensor } from "../tensor.js";

/** A graph with its state. */
export class GraphRunner {
  private readonly state = new Map<string, Tensor>();
  private turn = 0;

  private constructor(
    private readonly session: InferenceSession,
    private readonly graph: Graph,
    private readonly batch: number,
  ) {
    this.reset();
  }

  static async create(
    graph: Graph,
    { batch = 1, options = {} }: { batch?: number; options?: InferenceSession.SessionOptions } = {},
  ): Promise<GraphRunner> {
    const session = await InferenceSession.create(graph.onnx, { intraOpNumThreads: 1, ...options });
    return new GraphRunner(session, graph, batch);
  }

  reset(): void {
    this.turn = 0;
    for (const spec of this.graph.state) {
      const shape = [this.batch, ...spec.shape];
      const data = allocate(spec.type, elementCount(shape)).fill(spec.initial ?? 0);
      this.state.set(spec.input, { type: spec.type, shape, data });
    }
  }

  async run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const inputs: Record<string, OrtTensor> = {};
    for (const [name, tensor] of [...Object.entries(feeds), ...this.state]) {
      inputs[name] = new OrtTensor(tensor.type, tensor.data, tensor.shape);
    }
    const results = await this.session.run(inputs);
    for (const spec of this.graph.state) this.renew(spec, results);
    this.turn++;
    const outputs: Record<string, Tensor> = {};
    for (const { name, type } of this.graph.outputs) {
      const { data, dims } = results[name];
      if (!(data instanceof Float32Array || data instanceof Int32Array))
        throw new TypeError(`output ${name} is ${type}`);
      outputs[name] = { type, shape: dims, data };
    }
    return outputs;
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  private renew(spec: StateSpec, results: InferenceSession.OnnxValueMapType): void {
    const state = this.state.get(spec.input);
    if (state === undefined) throw new Error(`no state ${spec.input}`);
    const { update } = spec;
    if (update.kind === "counter") {
      state.data.fill(this.turn + 1);
      return;
    }
    const value = results[spec.output ?? ""].data;
    if (!(value instanceof Float32Array || value instanceof Int32Array)) throw new TypeError(`state ${spec.input}`);
    if (update.kind === "replace") {
      if (value.length !== state.data.length) throw new Error(`state ${spec.input}: ${value.length} elements`);
      state.data.set(value);
      return;
    }
    const { axis, rowsPerTurn, sinkTurns, ringTurns } = update;
    const slot = this.turn < sinkTurns ? this.turn : sinkTurns + ((this.turn - sinkTurns) % ringTurns);
    const inner = elementCount(spec.shape.slice(axis + 1));
    const outer = this.batch * elementCount(spec.shape.slice(0, axis));
    const rows = spec.shape[axis];
    for (let i = 0; i < outer; i++) {
      const source = value.subarray(i * rowsPerTurn * inner, (i + 1) * rowsPerTurn * inner);
      state.data.set(source, (i * rows + slot * rowsPerTurn) * inner);
    }
  }
}
