// The backend contract: something that runs a graph and keeps its state where the device is.
// A backend knows nothing of audio, turns or sessions; `conformance/` holds the suite that each must pass.

import type { Tensor, TensorSpec, TensorType } from "./tensor.js";

/** How the graph builder must form the mixture of experts for a target (no form is fast and right on all of them). */
export type ExpertForm =
  /** One `If` per expert that runs only when a token chose it: fastest on CPU. */
  | "if"
  /** Weights of the chosen experts gathered per token: WebGPU. */
  | "gather"
  /** Every expert on every token, unchosen ones weighted zero: runs anywhere. */
  | "dense";

/** How the new state of a run reaches the next one. */
export type StateForm =
  /** The graph returns only the new rows; the backend writes them into its buffers in place. */
  | "rows"
  /** The graph returns whole updated buffers, which stay on the device and are fed back. */
  | "whole";

/** What the graph builder needs to know about where its graph will run. */
export interface GraphTarget {
  /** Form of the mixture of experts that is fast and right here. */
  readonly experts: ExpertForm;
  /** How new state comes back. */
  readonly state: StateForm;
  /** Weight types that run well here, best first. */
  readonly weights: readonly WeightType[];
}

/**
 * Storage and arithmetic of the large matrices. `float16` is storage only: it is widened when the graph is loaded, for half the
 * size of `float32` until then. `int8` and `int4` are block-quantised along the input axis.
 */
export type WeightType = "float32" | "float16" | "int8" | "int4";

/** One piece of state that a run reads and renews. Shapes leave out the batch axis, which is always the first. */
export interface StateSpec {
  /** Name of the graph input that carries it. */
  readonly input: string;
  /** Name of the graph output that renews it; absent for a counter. */
  readonly output?: string;
  /** `int32` for a counter. */
  readonly type: TensorType;
  /** Of one row. */
  readonly shape: readonly number[];
  /** Value of every element in a fresh row; default 0. */
  readonly initial?: number;
  /** What a run does with it. */
  readonly update: StateUpdate;
}

/** How a run renews a piece of state. */
export type StateUpdate =
  /** The output is the new value. */
  | { readonly kind: "replace" }
  /**
   * The output holds `rowsPerTurn` new rows of axis `axis` (counted without the batch axis). They go to row
   * `turn * rowsPerTurn` in the first `sinkTurns` turns, later to
   * `(sinkTurns + (turn - sinkTurns) % ringTurns) * rowsPerTurn`.
   */
  | {
      readonly kind: "ring";
      readonly axis: number;
      readonly rowsPerTurn: number;
      readonly sinkTurns: number;
      readonly ringTurns: number;
    }
  /** An int32 scalar that counts the runs of its row. Exactly one per graph: the `turn` that rings go by. */
  | { readonly kind: "counter" };

/** A graph with everything a backend must know to run it. */
export interface Graph {
  /** Serialised ONNX ModelProto. */
  readonly onnx: Uint8Array;
  /** Weights kept outside the ModelProto (which cannot exceed 2 GB). */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** Inputs besides the state. */
  readonly inputs: readonly TensorSpec[];
  /** Outputs besides the state. */
  readonly outputs: readonly TensorSpec[];
  /** Everything that a run remembers; exactly one piece is a counter. */
  readonly state: readonly StateSpec[];
}

/** What a backend can do; code branches on this, never on a name. */
export interface BackendCapabilities {
  /** The execution provider really in use, for example `cpu`, `cuda`, `webgpu`. */
  readonly provider: string;
  /** The device in words, for logs and `doctor`. */
  readonly device: string;
  /** What graphs for this backend must look like. */
  readonly target: GraphTarget;
  /** Largest batch of one run. */
  readonly maxBatch: number;
  /** Whether states can be cloned, read and written. */
  readonly canCloneState: boolean;
}

/** Runs graphs on one device. */
export interface Backend {
  readonly capabilities: BackendCapabilities;
  /**
   * Prepares a graph. Its bytes must not change until this has settled.
   *
   * @throws DuplexError `MODEL_INVALID` if the graph cannot be loaded, `ABORTED`, `SESSION_CLOSED` after `close`
   */
  load(graph: Graph, options?: LoadOptions): Promise<Executable>;
  /** Frees the device and every executable; double close is fine. */
  close(): Promise<void>;
}

/** Options of {@link Backend.load}. */
export interface LoadOptions {
  /** Gives up with `ABORTED`. */
  readonly signal?: AbortSignal;
}

/** A loaded graph. One run at a time: a second call waits for the first. */
export interface Executable {
  /** What it was loaded from. */
  readonly graph: Graph;
  /** A fresh state for `batch` rows, one per session. @throws RangeError if `batch` is not 1 … `maxBatch` */
  createState(batch: number): Promise<StateHandle>;
  /**
   * Runs the graph once over the active rows of `state`, and renews them.
   *
   * @param feeds - every input of the graph by name, shapes with batch = `state.batch`
   * @returns every output of the graph by name; the arrays belong to the caller until the next run
   * @throws DuplexError `SHAPE_MISMATCH`, `BACKEND_FAILED`, `SESSION_CLOSED`
   * @throws RangeError if `active` holds anything but 0 and 1
   */
  run(feeds: Readonly<Record<string, Tensor>>, state: StateHandle, options?: RunOptions): Promise<RunResult>;
  /** Frees the graph, after a run that is under way; its states cannot run any more. Double dispose is fine. */
  dispose(): Promise<void>;
}

/** Options of {@link Executable.run}. */
export interface RunOptions {
  /**
   * One byte per row, 1 = active; default: all are. An inactive row keeps its state and need not be computed; its part of the
   * outputs is unspecified. What an active row gets does not depend on which others are, to the bit.
   */
  readonly active?: Uint8Array;
}

/** What one run gave. */
export interface RunResult {
  /** By name; the next run overwrites the arrays, and they may be views of shared memory: copy what is to be kept or sent. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Time inside the runtime's own run call, in ms; 0 when no row was active. */
  readonly runMs: number;
}

/** State of a batch of rows, kept where the device is. */
export interface StateHandle {
  /** Rows. */
  readonly batch: number;
  /** Copies one row out. */
  read(row: number): Promise<StateSnapshot>;
  /**
   * Replaces one row; the row count of the handle it was read from does not matter.
   *
   * @throws DuplexError `SHAPE_MISMATCH`
   * @throws RangeError if a counter is below 0
   */
  write(row: number, snapshot: StateSnapshot): Promise<void>;
  /** Makes one row fresh. */
  reset(row: number): Promise<void>;
  /** An independent copy of all rows. */
  clone(): Promise<StateHandle>;
  /** Frees the rows. Double dispose is fine. */
  dispose(): Promise<void>;
}

/** One row of state in host memory: by {@link StateSpec.input}, without the batch axis. */
export interface StateSnapshot {
  readonly tensors: Readonly<Record<string, Tensor>>;
}
