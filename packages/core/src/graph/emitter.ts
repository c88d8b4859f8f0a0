// Collects the nodes and constants of a graph while it is being built. Values are their names; every operator that the
// builder uses is one short method, so that the parts of the model read like arithmetic.

import type { Graph, StateSpec } from "../backend.js";
import type { TensorSpec, TensorType } from "../tensor.js";
import {
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxTypeName,
  type OnnxValue,
  onnxType,
  writeModel,
} from "./onnx-writer.js";

/** Name of a value inside the graph. */
export type Value = string;

/** Opset of every graph: the newest whose TopK has a CUDA kernel in ONNX Runtime. */
const opset = 23;

/** Inline constants are limited by protobuf (2 GB); above this the weights go to files beside the model. */
const inlineLimitBytes = 1 << 30;

/** With what they are cut from, 8 buffers: what every WebGPU adapter can bind in a shader. The most in Chromium are 10. */
const mostParts = 7;

/** What all scopes of one graph share. */
interface Shared {
  readonly constants: Map<string, OnnxTensor>;
  /** Names of constants by content, so that equal small ones are stored once. */
  readonly byContent: Map<string, string>;
  /** Values of {@link Emitter.early} by name, and the nodes that make them. */
  readonly early: Map<string, Value>;
  readonly earlyNodes: OnnxNode[];
  next: number;
}

/** Builds a graph node by node. */
export class Emitter {
  private readonly shared: Shared;
  private readonly nodes: OnnxNode[] = [];
  private readonly inputs: TensorSpec[] = [];
  private readonly outputs: TensorSpec[] = [];
  private readonly state: StateSpec[] = [];
  private readonly path: string[] = [];

  constructor(parent?: Emitter) {
    this.shared = parent?.shared ?? {
      constants: new Map(),
      byContent: new Map(),
      early: new Map(),
      earlyNodes: [],
      next: 0,
    };
  }

  /** Names the nodes made inside `build`, for profiles and error messages of the runtime. */
  scope<Result>(name: string, build: () => Result): Result {
    this.path.push(name);
    try {
      return build();
    } finally {
      this.path.pop();
    }
  }

  // Inputs, outputs, state

  /** Declares an input; -1 in the shape is the batch. */
  input(name: string, type: TensorType, shape: readonly number[]): Value {
    this.inputs.push({ name, type, shape });
    return name;
  }

  /** Declares an output that carries `value`. */
  output(name: string, value: Value, type: TensorType, shape: readonly number[]): void {
    this.outputs.push({ name, type, shape });
    this.emit("Identity", [value], 1, {}, "", [name]);
  }

  /** Declares a piece of state and gives the graph input that carries it. */
  stateInput(spec: StateSpec): Value {
    this.state.push(spec);
    return spec.input;
  }

  /** Gives the new value (or the new rows) of a piece of state that was declared before. */
  stateOutput(name: string, value: Value): void {
    this.emit("Identity", [value], 1, {}, "", [name]);
  }

  // Constants

  /** A float32 constant. Equal constants are stored once. */
  floats(values: ArrayLike<number>, shape: readonly number[]): Value {
    return this.constant("float32", shape, bytesOf(Float32Array.from(values)));
  }

  float(value: number): Value {
    return this.floats([value], []);
  }

  ints(values: ArrayLike<number>, shape: readonly number[]): Value {
    return this.constant("int32", shape, bytesOf(Int32Array.from(values)));
  }

  int(value: number): Value {
    return this.ints([value], []);
  }

  /** A list of sizes, axes or offsets, which operators want as int64. */
  sizes(values: readonly number[]): Value {
    return this.constant("int64", [values.length], bytesOf(BigInt64Array.from(values.map(BigInt))));
  }

  /** A named weight; a second call with the same name gives the first one without making it again. */
  weight(name: string, make: () => { type: OnnxTypeName; shape: readonly number[]; data: ArrayBufferView }): Value {
    if (!this.shared.constants.has(name)) {
      const { type, shape, data } = make();
      this.shared.constants.set(name, { name, type, shape, bytes: bytesOf(data) });
    }
    return name;
  }

  /**
   * What `build` makes of constants alone, once for the whole graph: at its very beginning, before any branch. A runtime does
   * that when it loads the graph. A second call with the same name gives the first value.
   */
  early(name: string, build: (g: Emitter) => Value): Value {
    let value = this.shared.early.get(name);
    if (value === undefined) {
      const beginning = new Emitter(this);
      beginning.path.push("early");
      value = build(beginning);
      this.shared.early.set(name, value);
      this.shared.earlyNodes.push(...beginning.nodes);
    }
    return value;
  }

  private constant(type: OnnxTypeName, shape: readonly number[], bytes: Uint8Array): Value {
    const content = `${type} [${shape}] ${bytes.length <= 4096 ? bytes.join(",") : `#${this.shared.next}`}`;
    const known = this.shared.byContent.get(content);
    if (known !== undefined) return known;
    const name = `constant_${this.shared.next++}`;
    this.shared.byContent.set(content, name);
    this.shared.constants.set(name, { name, type, shape, bytes });
    return name;
  }

  // Operators

  /** Any operator with one output. */
  op(op: string, inputs: readonly Value[], attributes: Record<string, OnnxAttribute> = {}, domain = ""): Value {
    return this.emit(op, inputs, 1, attributes, domain)[0];
  }

  /** Any operator with several outputs. */
  ops(op: string, inputs: readonly Value[], outputs: number, attributes: Record<string, OnnxAttribute> = {}): Value[] {
    return this.emit(op, inputs, outputs, attributes, "");
  }

  add(a: Value, b: Value): Value {
    return this.op("Add", [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.op("Sub", [a, b]);
  }

  mul(a: Value, b: Value): Value {
    return this.op("Mul", [a, b]);
  }

  div(a: Value, b: Value): Value {
    return this.op("Div", [a, b]);
  }

  matmul(a: Value, b: Value): Value {
    return this.op("MatMul", [a, b]);
  }

  where(condition: Value, yes: Value, no: Value): Value {
    return this.op("Where", [condition, yes, no]);
  }

  less(a: Value, b: Value): Value {
    return this.op("Less", [a, b]);
  }

  equal(a: Value, b: Value): Value {
    return this.op("Equal", [a, b]);
  }

  cast(x: Value, type: OnnxTypeName): Value {
    return this.op("Cast", [x], { to: onnxType[type] });
  }

  /** One size may be -1. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.op("Reshape", [x, this.sizes(shape)]);
  }

  transpose(x: Value, order: readonly number[]): Value {
    return this.op("Transpose", [x], { perm: order });
  }

  concat(parts: readonly Value[], axis: number): Value {
    return parts.length === 1 ? parts[0] : this.op("Concat", parts, { axis });
  }

  /** Cuts into parts of explicit sizes. */
  split(x: Value, axis: number, sizes: readonly number[]): Value[] {
    return sizes.length === 1 ? [x] : this.ops("Split", [x, this.sizes(sizes)], sizes.length, { axis });
  }

  /** As {@link split}, in stages of few parts each, for any number of them on a GPU. */
  splitInStages(x: Value, axis: number, sizes: readonly number[]): Value[] {
    if (sizes.length <= mostParts) return this.split(x, axis, sizes);
    const groups: number[][] = [];
    for (let at = 0; at < sizes.length; at += mostParts) groups.push(sizes.slice(at, at + mostParts));
    const sums = groups.map((group) => group.reduce((sum, size) => sum + size, 0));
    return this.splitInStages(x, axis, sums).flatMap((part, i) => this.split(part, axis, groups[i]));
  }

  /** Elements `start … end - 1` of an axis. */
  slice(x: Value, axis: number, start: number, end: number): Value {
    return this.op("Slice", [x, this.sizes([start]), this.sizes([end]), this.sizes([axis])]);
  }

  gather(table: Value, indices: Value, axis: number): Value {
    return this.op("Gather", [table, indices], { axis });
  }

  sum(x: Value, axes: readonly number[], keepAxes = false): Value {
    return this.op("ReduceSum", [x, this.sizes(axes)], { keepdims: keepAxes ? 1 : 0 });
  }

  softmax(x: Value): Value {
    return this.op("Softmax", [x], { axis: -1 });
  }

  /** x / sqrt(mean(x^2) + epsilon) * weight over the last axis. */
  rmsNorm(x: Value, weight: Value, epsilon: number): Value {
    return this.op("SimplifiedLayerNormalization", [x, weight], {
      axis: -1,
      epsilon: { float: epsilon },
      stash_type: 1,
    });
  }

  /** x * sigmoid(x). */
  silu(x: Value): Value {
    return this.mul(x, this.op("Sigmoid", [x]));
  }

  /** One output of whichever branch the condition (one bool) chooses; the other branch is not run. */
  if(condition: Value, type: OnnxTypeName, yes: (g: Emitter) => Value, no: (g: Emitter) => Value): Value {
    const branch = (name: string, build: (g: Emitter) => Value) => {
      const body = new Emitter(this);
      body.path.push(...this.path, name);
      const result = body.op("Identity", [build(body)]);
      return { graph: { name, nodes: body.nodes, constants: [], inputs: [], outputs: [{ name: result, type }] } };
    };
    return this.op("If", [condition], { then_branch: branch("then", yes), else_branch: branch("else", no) });
  }

  private emit(
    op: string,
    inputs: readonly Value[],
    outputs: number,
    attributes: Readonly<Record<string, OnnxAttribute>>,
    domain: string,
    names?: readonly string[],
  ): Value[] {
    const number = this.shared.next++;
    const results = names ?? Array.from({ length: outputs }, (_, i) => `value_${number}${outputs > 1 ? `_${i}` : ""}`);
    const name = [...this.path, `${op}_${number}`].join("/");
    this.nodes.push({ name, op, domain, inputs, outputs: results, attributes });
    return [...results];
  }

  /**
   * The finished graph.
   *
   * @param limitBytes - constants above this in all go to files beside the model
   */
  finish(name: string, limitBytes = inlineLimitBytes): Graph {
    const inputs: OnnxValue[] = [
      ...this.inputs,
      ...this.state.map(({ input, type, shape }) => ({ name: input, type, shape: [-1, ...shape] })),
    ];
    const outputs: OnnxValue[] = [...this.outputs];
    for (const { output, type } of this.state) if (output !== undefined) outputs.push({ name: output, type });
    const constants = [...this.shared.constants.values()];
    const total = constants.reduce((sum, constant) => sum + constant.bytes.length, 0);
    const { inline, files } = total <= limitBytes ? { inline: constants, files: [] } : moveOut(constants, limitBytes);
    const onnx = writeModel(
      { name, nodes: [...this.shared.earlyNodes, ...this.nodes], constants: inline, inputs, outputs },
      { opset, producer: "microturn" },
    );
    return {
      onnx,
      ...(files.length > 0 ? { externalData: files } : {}),
      inputs: this.inputs,
      outputs: this.outputs,
      state: this.state,
    };
  }
}

/** Puts large constants into files of at most `limitBytes` (or one constant) beside the model. */
function moveOut(
  constants: readonly OnnxTensor[],
  limitBytes: number,
): {
  inline: OnnxTensor[];
  files: { path: string; data: Uint8Array }[];
} {
  const groups: OnnxTensor[][] = [];
  const inline: OnnxTensor[] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const constant of constants) {
    if (constant.bytes.length < 4096) {
      inline.push(constant);
      continue;
    }
    if (size + constant.bytes.length > limitBytes) {
      groups.push([]);
      size = 0;
    }
    groups[groups.length - 1].push(constant);
    size += constant.bytes.length;
  }
  const files = groups.map((group, index) => {
    const path = `weights-${index}.bin`;
    const data = new Uint8Array(group.reduce((sum, constant) => sum + constant.bytes.length, 0));
    let offset = 0;
    for (const constant of group) {
      data.set(constant.bytes, offset);
      inline.push({ ...constant, external: { path, offset } });
      offset += constant.bytes.length;
    }
    return { path, data };
  });
  return { inline, files };
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
