// Dense tensors as they cross the backend contract: flat typed array plus shape, row-major, outermost axis first.

import { DuplexError } from "./errors.js";

/** Element types that cross the backend contract. */
export type TensorType = "float32" | "int32" | "uint8" | "bool";

/** The typed array that holds a tensor type; `bool` is one byte, 0 or 1. */
export type TensorData = Float32Array | Int32Array | Uint8Array;

/** A dense, row-major tensor. */
export interface Tensor {
  readonly type: TensorType;
  /** Outermost axis first; `[]` for a scalar. */
  readonly shape: readonly number[];
  /** As many elements as the shape has. */
  readonly data: TensorData;
}

/** Name, element type and shape of a graph input or output; -1 stands for the batch dimension. */
export interface TensorSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly number[];
}

/** Number of elements of a shape. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** A zeroed typed array for `count` elements of a tensor type. */
export function allocate(type: TensorType, count: number): TensorData {
  if (type === "float32") return new Float32Array(count);
  if (type === "int32") return new Int32Array(count);
  return new Uint8Array(count);
}

/**
 * Checks a tensor against a spec.
 *
 * @param operation - named in the message, for example `run`
 * @param batch - what -1 in the spec stands for
 * @throws DuplexError `SHAPE_MISMATCH` if type, shape or data length differ
 */
export function checkTensor(operation: string, spec: TensorSpec, tensor: Tensor | undefined, batch: number): void {
  const expected = spec.shape.map((size) => (size === -1 ? batch : size));
  if (tensor === undefined) {
    throw new DuplexError("SHAPE_MISMATCH", `${operation}: input "${spec.name}" ${spec.type} [${expected}] is missing`);
  }
  const same = tensor.shape.length === expected.length && tensor.shape.every((size, axis) => size === expected[axis]);
  if (!same || tensor.type !== spec.type || tensor.data.length !== elementCount(expected)) {
    throw new DuplexError(
      "SHAPE_MISMATCH",
      `${operation}: input "${spec.name}" must be ${spec.type} [${expected}], got ${tensor.type} [${tensor.shape}] with ${tensor.data.length} elements`,
    );
  }
}
