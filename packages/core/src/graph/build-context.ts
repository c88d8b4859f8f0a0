// What every part of the builder is given: the emitter, the configuration, the weights, and how to multiply by them.

import type { ExpertForm, WeightType } from "../backend.js";
import { DuplexError } from "../errors.js";
import type { ModelConfig } from "../model/config.js";
import { weightShapes } from "../model/weight-shapes.js";
import type { Weights } from "../model/weights.js";
import type { Emitter, Value } from "./emitter.js";
import { toFloat16 } from "./float16.js";
import { quantise } from "./quantise.js";

/** A matrix `[rows, columns]` (outputs, inputs) under the name it gets in the graph. */
export interface Matrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Elements, row-major; called at most once. */
  readonly data: () => Float32Array;
  /** What the elements are multiplied by, in float32; default 1. */
  readonly factor?: number;
}

/** Bits of an element in the quantised weight types. */
export const quantisedBits: Readonly<Partial<Record<WeightType, 8 | 4>>> = { int8: 8, int4: 4 };

/** How large matrices are stored and multiplied. */
export interface ContextOptions {
  readonly experts: ExpertForm;
  readonly weightType: WeightType;
  /** Of MatMulNBits: 0 keeps activations in float32, 4 quantises them to int8 where the runtime can. */
  readonly accuracyLevel: 0 | 4;
}

/** Emitter, configuration and weights, with the few things that all parts need. */
export class BuildContext {
  private readonly shapes: Map<string, readonly number[]>;
  /** Widened weights, kept while the graph is built: most are asked for several times. */
  private readonly arrays: Map<string, Float32Array>;

  constructor(
    readonly g: Emitter,
    readonly config: ModelConfig,
    private readonly weights: Weights,
    readonly options: ContextOptions,
    parent?: BuildContext,
  ) {
    this.shapes = parent?.shapes ?? weightShapes(config);
    this.arrays = parent?.arrays ?? new Map();
  }

  /** The same context with another emitter: the body of an `If`. */
  inside(g: Emitter): BuildContext {
    return new BuildContext(g, this.config, this.weights, this.options, this);
  }

  /** Elements of a weight of the configuration. */
  array(name: string): Float32Array {
    let array = this.arrays.get(name);
    if (array === undefined) {
      array = this.weights.float32(name, this.shapeOf(name));
      this.arrays.set(name, array);
    }
    return array;
  }

  shapeOf(name: string): readonly number[] {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new Error(`graph: the configuration has no weight "${name}"`);
    // A published unembedding may hold only the rows in use.
    if (name === "lm_head.weight" && this.weights.shape(name)?.[0] === this.config.unpaddedVocabSize) {
      return [this.config.unpaddedVocabSize ?? shape[0], shape[1]];
    }
    return shape;
  }

  /** A small weight as it is stored, as a float32 constant. */
  tensor(name: string): Value {
    return this.g.weight(name, () => ({ type: "float32", shape: this.shapeOf(name), data: this.array(name) }));
  }

  /** As `tensor`, for one with many rows: kept in float16 in a graph of this type. */
  table(name: string): Value {
    return this.large(name, this.shapeOf(name), () => this.array(name));
  }

  /**
   * A large constant as float32, of one or more stored weights. In a graph of float16 it is kept so and widened at the
   * beginning, once for all that use it: every runtime has that cast, and multiplies in float32 as always.
   *
   * @param factor - multiplies the elements, after they were rounded to float16
   * @throws DuplexError `UNSUPPORTED` if an element is beyond the range of float16
   */
  large(name: string, shape: readonly number[], data: () => Float32Array, factor = 1): Value {
    if (this.options.weightType !== "float16") {
      return this.g.weight(name, () => ({ type: "float32", shape, data: times(data(), factor) }));
    }
    return this.g.early(name, (g) => {
      const halves = g.weight(name, () => ({ type: "float16", shape, data: this.halves(name, data()) }));
      const widened = g.cast(halves, "float32");
      return factor === 1 ? widened : g.mul(widened, g.float(factor));
    });
  }

  private halves(name: string, values: Float32Array): Uint16Array {
    const halves = toFloat16(values);
    const beyond = halves.findIndex((bits) => (bits & 0x7c00) === 0x7c00);
    if (beyond >= 0) {
      const value = values[beyond];
      // The constant may be of several weights: named is the one that holds this value.
      const [stored = name] = [...this.arrays].find(([, array]) => array.includes(value)) ?? [];
      throw new DuplexError(
        "UNSUPPORTED",
        `graph: "${stored}" holds ${value}, float16 goes to 65504 in magnitude; use weights "float32" for this model`,
        { details: { weight: stored } },
      );
    }
    return halves;
  }

  /** A stored weight `[out, in]` as a matrix. */
  matrix(name: string): Matrix {
    const [rows, columns] = this.shapeOf(name);
    return { name, rows, columns, data: () => this.array(name) };
  }

  /** Several stored weights with the same inputs, one below the other: one multiplication instead of several. */
  stacked(name: string, parts: readonly string[]): Matrix {
    const columns = this.shapeOf(parts[0]).at(-1) ?? 1;
    const rows = parts.reduce(
      (sum, part) =>
        sum +
        this.shapeOf(part)
          .slice(0, -1)
          .reduce((a, b) => a * b, 1),
      0,
    );
    const data = () => {
      const result = new Float32Array(rows * columns);
      let offset = 0;
      for (const part of parts) {
        const array = this.array(part);
        result.set(array, offset);
        offset += array.length;
      }
      return result;
    };
    return { name, rows, columns, data };
  }

  /** x `[..., columns]` times the transposed matrix: `[..., rows]`, in the weight type of this graph. */
  linear(x: Value, matrix: Matrix): Value {
    const { g } = this;
    const { weightType, accuracyLevel } = this.options;
    const bits = quantisedBits[weightType];
    if (bits === undefined) return this.unquantisedLinear(x, matrix);
    const block = 32;
    const blocks = Math.ceil(matrix.columns / block);
    const quantised = once(() =>
      quantise(times(matrix.data(), matrix.factor), matrix.rows, matrix.columns, bits, block),
    );
    const data = g.weight(`${matrix.name}.q${bits}`, () => ({
      type: "uint8",
      shape: [matrix.rows, blocks, (block * bits) / 8],
      data: quantised().data,
    }));
    const scales = g.weight(`${matrix.name}.s${bits}`, () => ({
      type: "float32",
      shape: [matrix.rows * blocks],
      data: quantised().scales,
    }));
    const attributes = { K: matrix.columns, N: matrix.rows, bits, block_size: block, accuracy_level: accuracyLevel };
    return g.op("MatMulNBits", [x, data, scales], attributes, "com.microsoft");
  }

  /** As `linear`, but float32 in a quantised graph. */
  unquantisedLinear(x: Value, { name, rows, columns, data, factor }: Matrix): Value {
    const transposed = () => transpose(data(), rows, columns);
    return this.g.matmul(x, this.large(`${name}.t`, [columns, rows], transposed, factor));
  }

  /** As `linear`, always in float32: for small matrices whose errors would decide things, such as the router. */
  exactLinear(x: Value, matrix: Matrix): Value {
    const transposed = this.g.weight(`${matrix.name}.t`, () => ({
      type: "float32",
      shape: [matrix.columns, matrix.rows],
      data: transpose(times(matrix.data(), matrix.factor), matrix.rows, matrix.columns),
    }));
    return this.g.matmul(x, transposed);
  }

  /** RMSNorm over the last axis with a stored weight. */
  norm(x: Value, name: string, epsilon = this.config.rmsNormEpsilon): Value {
    return this.g.rmsNorm(x, this.tensor(name), epsilon);
  }
}

function times(values: Float32Array, factor = 1): Float32Array {
  return factor === 1 ? values : values.map((value) => value * factor);
}

/** The transpose of a row-major matrix. */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column];
  }
  return result;
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
