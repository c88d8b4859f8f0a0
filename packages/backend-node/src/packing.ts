// All inputs of one run in one buffer, so that a run crosses threads as a single transfer and the buffer can be reused.

import type { TensorData, TensorSpec, TensorType } from "@microturn/core";

/** Where each input lies in the packed buffer. */
export interface FeedLayout {
  /** Size of the whole buffer. */
  readonly byteLength: number;
  readonly entries: readonly FeedEntry[];
}

/** One input in the packed buffer. */
export interface FeedEntry {
  readonly name: string;
  readonly type: TensorType;
  /** With the batch filled in. */
  readonly shape: readonly number[];
  readonly byteOffset: number;
  /** Elements. */
  readonly length: number;
}

/** Vector units read aligned lines; 64 bytes is one. */
const alignment = 64;

/** Lays out the inputs of a graph for a batch size. */
export function feedLayout(inputs: readonly TensorSpec[], batch: number): FeedLayout {
  const entries: FeedEntry[] = [];
  let byteOffset = 0;
  for (const { name, type, shape: specShape } of inputs) {
    const shape = specShape.map((size) => (size === -1 ? batch : size));
    const length = shape.reduce((product, size) => product * size, 1);
    entries.push({ name, type, shape, byteOffset, length });
    byteOffset += Math.ceil((length * bytesPerElement(type)) / alignment) * alignment;
  }
  return { byteLength: byteOffset, entries };
}

/** A typed view of part of a buffer. */
export function viewOf(buffer: ArrayBuffer, type: TensorType, byteOffset: number, length: number): TensorData {
  if (type === "float32") return new Float32Array(buffer, byteOffset, length);
  if (type === "int32") return new Int32Array(buffer, byteOffset, length);
  return new Uint8Array(buffer, byteOffset, length);
}

function bytesPerElement(type: TensorType): number {
  return type === "float32" || type === "int32" ? 4 : 1;
}
