// State of one batch of rows: the contract of its two homes, host memory and device memory, and the
// arithmetic they share. Rows of data are in the order of the graph's state specs.

import type { StateSpec, TensorData, TensorType } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import type { RunRows } from "./run-rows.js";

/** State of a batch of rows, wherever it lives. */
export interface StateStore {
  readonly batch: number;
  /** Whether a run can compute some of the rows; else it gets `everyRow`. */
  readonly runsSome: boolean;
  /** Adds the state inputs of a run. */
  feed(feeds: Record<string, ort.Tensor>, run: RunRows): void;
  /** Takes the state outputs of a run; all but the rows that take them keep what they had. */
  renew(outputs: Readonly<Record<string, ort.OnnxValue>>, run: RunRows): Promise<void>;
  /** Copies one row out. */
  read(row: number): Promise<TensorData[]>;
  /** Replaces one row; without data it becomes fresh. */
  write(row: number, data: readonly TensorData[] | undefined): Promise<void>;
  clone(): Promise<StateStore>;
  dispose(): void;
}

/** The runtime's module, passed in because it is loaded late. */
export type Ort = typeof import("onnxruntime-common");

/** A tensor of the runtime over `data`, without a copy. */
export function makeTensor(ort: Ort, type: TensorType, data: TensorData, dims: readonly number[]): ort.Tensor {
  if (type === "float32") return new ort.Tensor("float32", data as Float32Array, dims);
  if (type === "int32") return new ort.Tensor("int32", data as Int32Array, dims);
  return new ort.Tensor(type, data as Uint8Array, dims);
}

/** Elements of one row of a piece of state. */
export function rowLength(spec: StateSpec): number {
  return spec.shape.reduce((product, size) => product * size, 1);
}

/** A typed array of `count` elements, all with the value that a fresh row has. */
export function freshData(spec: StateSpec, count: number): TensorData {
  const data = zeroed(spec.type, count);
  const initial = spec.initial ?? 0;
  return initial === 0 ? data : data.fill(initial);
}

/** How a ring is renewed. */
export type RingUpdate = Extract<StateSpec["update"], { kind: "ring" }>;

/** Row of a ring's axis at which it takes the rows of a turn. */
export function ringPosition({ sinkTurns, ringTurns, rowsPerTurn }: RingUpdate, turn: number): number {
  const slot = turn < sinkTurns ? turn : sinkTurns + ((turn - sinkTurns) % ringTurns);
  return slot * rowsPerTurn;
}

/** A typed array of `count` zeros. */
export function zeroed(type: TensorType, count: number): TensorData {
  if (type === "float32") return new Float32Array(count);
  if (type === "int32") return new Int32Array(count);
  return new Uint8Array(count);
}
