// Writes ONNX files: the few protobuf messages that a ModelProto is made of, field by field.
// Source: onnx.proto (IR version 10); only wire types 0 (varint), 2 (length-delimited) and 5 (fixed 32 bits) occur.

/** Element types of ONNX tensors, with the numbers that TensorProto.DataType gives them. */
export const onnxType = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;

/** Name of an ONNX element type that the builder uses. */
export type OnnxTypeName = keyof typeof onnxType;

/** A constant of a graph. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxTypeName;
  readonly shape: readonly number[];
  /** Little-endian elements, row-major. */
  readonly bytes: Uint8Array;
  /** Kept in a file beside the model instead of inside it. */
  readonly external?: { readonly path: string; readonly offset: number };
}

/** Value of a node attribute; numbers are integers unless wrapped in `{ float }`. */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: OnnxGraph };

/** One operator. */
export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  /** Empty for the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Name, type and shape of an input or output; -1 is the batch, an absent shape is left to inference. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxTypeName;
  readonly shape?: readonly number[];
}

/** A graph, or the body of a control-flow operator. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Serialises a graph as an ONNX ModelProto. */
export function writeModel(graph: OnnxGraph, options: { opset: number; producer: string }): Uint8Array {
  const model = new Message();
  model.integer(1, 10); // IR version
  model.text(2, options.producer);
  model.message(7, graphMessage(graph));
  for (const [domain, version] of [
    ["", options.opset],
    ["com.microsoft", 1],
  ] as const) {
    const set = new Message();
    set.text(1, domain);
    set.integer(2, version);
    model.message(8, set);
  }
  return model.finish();
}

function graphMessage(graph: OnnxGraph): Message {
  const message = new Message();
  for (const node of graph.nodes) message.message(1, nodeMessage(node));
  message.text(2, graph.name);
  for (const constant of graph.constants) message.message(5, tensorMessage(constant));
  for (const value of graph.inputs) message.message(11, valueMessage(value));
  for (const value of graph.outputs) message.message(12, valueMessage(value));
  return message;
}

function nodeMessage(node: OnnxNode): Message {
  const message = new Message();
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, node.name);
  message.text(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) message.message(5, attributeMessage(name, value));
  if (node.domain !== "") message.text(7, node.domain);
  return message;
}

function attributeMessage(name: string, value: OnnxAttribute): Message {
  const message = new Message();
  message.text(1, name);
  if (typeof value === "number") {
    message.integer(3, value);
    message.integer(20, 2);
  } else if (typeof value === "string") {
    message.text(4, value);
    message.integer(20, 3);
  } else if ("graph" in value) {
    message.message(6, graphMessage(value.graph));
    message.integer(20, 5);
  } else if ("float" in value) {
    message.float(2, value.float);
    message.integer(20, 1);
  } else {
    for (const item of value) message.integer(8, item);
    message.integer(20, 7);
  }
  return message;
}

function tensorMessage(tensor: OnnxTensor): Message {
  const message = new Message();
  for (const size of tensor.shape) message.integer(1, size);
  message.integer(2, onnxType[tensor.type]);
  message.text(8, tensor.name);
  if (tensor.external === undefined) {
    message.bytes(9, tensor.bytes);
    return message;
  }
  const { path, offset } = tensor.external;
  for (const [key, value] of [
    ["location", path],
    ["offset", String(offset)],
    ["length", String(tensor.bytes.length)],
  ] as const) {
    const entry = new Message();
    entry.text(1, key);
    entry.text(2, value);
    message.message(13, entry);
  }
  message.integer(14, 1);
  return message;
}

function valueMessage(value: OnnxValue): Message {
  const tensor = new Message();
  tensor.integer(1, onnxType[value.type]);
  if (value.shape !== undefined) {
    const shape = new Message();
    for (const size of value.shape) {
      const dimension = new Message();
      if (size === -1) dimension.text(2, "batch");
      else dimension.integer(1, size);
      shape.message(1, dimension);
    }
    tensor.message(2, shape);
  }
  const type = new Message();
  type.message(1, tensor);
  const message = new Message();
  message.text(1, value.name);
  message.message(2, type);
  return message;
}

const utf8 = new TextEncoder();

/** A protobuf message under construction: a list of chunks, copied once at the end, so that weights are not moved twice. */
class Message {
  private readonly chunks: Uint8Array[] = [];
  private length = 0;

  integer(field: number, value: number): void {
    this.varint(field * 8);
    this.varint(value);
  }

  float(field: number, value: number): void {
    this.varint(field * 8 + 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.push(bytes);
  }

  text(field: number, value: string): void {
    this.bytes(field, utf8.encode(value));
  }

  bytes(field: number, value: Uint8Array): void {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    this.push(value);
  }

  message(field: number, value: Message): void {
    this.varint(field * 8 + 2);
    this.varint(value.length);
    for (const chunk of value.chunks) this.push(chunk);
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.length);
    let offset = 0;
    for (const chunk of this.chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }

  /** Seven bits a byte, lowest first. A negative number is written as its 64-bit two's complement: ten bytes. */
  private varint(value: number): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest === 0n ? low : low | 128);
    } while (rest !== 0n);
    this.push(Uint8Array.from(bytes));
  }

  private push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }
}
