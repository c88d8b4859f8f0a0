// The weights of a model by name, widened to float32 when they are asked for.

import { DuplexError } from "../errors.js";
import { elementCount } from "../tensor.js";

/** Element types that a weight may be stored in. */
export type WeightStorage = "float32" | "float16" | "bfloat16" | "int32" | "uint8";

/** A stored weight: shape and little-endian bytes, row-major. */
export interface StoredWeight {
  readonly type: WeightStorage;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Weights by the names that transformers' `state_dict()` gives them. */
export interface Weights {
  readonly names: readonly string[];
  /** Shape of a weight, or undefined if there is none of this name. */
  shape(name: string): readonly number[] | undefined;
  /**
   * Elements of a weight, row-major; float16 and bfloat16 are widened. Treat them as read-only.
   *
   * @throws DuplexError `MODEL_INVALID` if it is missing, has another shape, or does not hold floating-point numbers
   */
  float32(name: string, shape: readonly number[]): Float32Array;
}

/** Makes {@link Weights} of stored tensors, for example those that `readSafetensors` gives. */
export function createWeights(tensors: ReadonlyMap<string, StoredWeight>): Weights {
  return {
    names: [...tensors.keys()],
    shape: (name) => tensors.get(name)?.shape,
    float32(name, shape) {
      const stored = tensors.get(name);
      if (stored === undefined) {
        throw new DuplexError(
          "MODEL_INVALID",
          `weights: "${name}" [${shape}] is missing; the configuration and the weight file do not belong together`,
        );
      }
      if (stored.shape.length !== shape.length || stored.shape.some((size, axis) => size !== shape[axis])) {
        throw new DuplexError(
          "MODEL_INVALID",
          `weights: "${name}" must have shape [${shape}], got [${stored.shape}]; the configuration and the weight file do not belong together`,
        );
      }
      return widen(name, stored);
    },
  };
}

/** Makes {@link Weights} of plain float32 arrays. */
export function weightsFromArrays(
  arrays: Iterable<readonly [string, { readonly shape: readonly number[]; readonly data: Float32Array }]>,
): Weights {
  const tensors = new Map<string, StoredWeight>();
  for (const [name, { shape, data }] of arrays) {
    if (data.length !== elementCount(shape)) {
      throw new RangeError(
        `weightsFromArrays: "${name}" [${shape}] needs ${elementCount(shape)} elements, got ${data.length}`,
      );
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    tensors.set(name, { type: "float32", shape, bytes });
  }
  return createWeights(tensors);
}

function widen(name: string, { type, bytes }: StoredWeight): Float32Array {
  switch (type) {
    case "float32":
      if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      return new Float32Array(new Uint8Array(bytes).buffer);
    case "bfloat16": {
      // bfloat16 is the upper half of a float32.
      const halves = halvesOf(bytes);
      const bits = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
      return new Float32Array(bits.buffer);
    }
    case "float16": {
      const halves = halvesOf(bytes);
      halfValues ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => widenHalf(bits));
      const result = new Float32Array(halves.length);
      for (let i = 0; i < halves.length; i++) result[i] = halfValues[halves[i]];
      return result;
    }
    default:
      throw new DuplexError("MODEL_INVALID", `weights: "${name}" must hold floating-point numbers, got ${type}`);
  }
}

function halvesOf(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}

/** The value of every binary16 number, made when first needed: looking up is ten times faster than taking bits apart. */
let halfValues: Float32Array | undefined;

/** The value of an IEEE 754 binary16 number. */
function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
