// All inputs of a run in one piece of memory, and all outputs in another. A worker sees them too, so that a run crosses from
// one to the other without a copy by the messaging, and without a new buffer that the main thread has to collect.

import type { TensorData, TensorSpec, TensorType } from "@microturn/core";

/** Where each tensor lies in packed memory. */
export interface PackedLayout {
  /** Size of the whole. */
  readonly byteLength: number;
  readonly entries: readonly PackedEntry[];
}

/** One tensor in packed memory. */
export interface PackedEntry {
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

/** Lays out tensors for a batch size, in the order of their specs. */
export function packedLayout(specs: readonly TensorSpec[], batch: number): PackedLayout {
  const entries: PackedEntry[] = [];
  let byteOffset = 0;
  for (const { name, type, shape: specShape } of specs) {
    const shape = specShape.map((size) => (size === -1 ? batch : size));
    const length = shape.reduce((product, size) => product * size, 1);
    entries.push({ name, type, shape, byteOffset, length });
    byteOffset += Math.ceil((length * bytesPerElement(type)) / alignment) * alignment;
  }
  return { byteLength: byteOffset, entries };
}

/** A typed view of one tensor in packed memory. */
export function viewOf(memory: ArrayBufferLike, { type, byteOffset, length }: PackedEntry): TensorData {
  if (type === "float32") return new Float32Array(memory, byteOffset, length);
  if (type === "int32") return new Int32Array(memory, byteOffset, length);
  return new Uint8Array(memory, byteOffset, length);
}

function bytesPerElement(type: TensorType): number {
  return type === "float32" || type === "int32" ? 4 : 1;
}
