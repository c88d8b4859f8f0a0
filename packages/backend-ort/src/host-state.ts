// State in host memory: buffers of ours, given to the runtime without a copy and renewed in place.
// Used for the CPU, and for CUDA, whose device memory cannot be held from Node.

import type { StateSpec, TensorData } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import { Fault } from "./messages.js";
import type { RunRows } from "./run-rows.js";
import {
  freshData,
  makeTensor,
  type Ort,
  type RingUpdate,
  ringPosition,
  rowLength,
  type StateStore,
  zeroed,
} from "./state-store.js";

interface Piece {
  readonly spec: StateSpec;
  readonly rowLength: number;
  data: TensorData;
  /** Over `data`. */
  tensor: ort.Tensor;
  /** One row of an output that is the new value of the whole, and of one that is only the new rows of a ring. */
  readonly wholeSizes: readonly number[];
  readonly newRowSizes: readonly number[] | undefined;
}

/** Where the rows of a run that computes only some are brought together. */
interface Gathered {
  /** By piece. */
  readonly data: readonly TensorData[];
  /** By piece, over the first rows of `data`, for each batch that was run. */
  readonly tensors: Map<number, readonly ort.Tensor[]>;
}

/** State in host memory. Takes graphs of both state forms: only new rows, or whole buffers. */
export class HostState implements StateStore {
  readonly runsSome = true;
  readonly #pieces: readonly Piece[];
  /** The counter's data: the turn that each row is at. */
  readonly #turns: TensorData | undefined;
  #gathered: Gathered | undefined;

  constructor(
    private readonly ort: Ort,
    private readonly specs: readonly StateSpec[],
    readonly batch: number,
  ) {
    this.#pieces = specs.map((spec) => {
      const length = rowLength(spec);
      const data = freshData(spec, batch * length);
      const tensor = makeTensor(ort, spec.type, data, [batch, ...spec.shape]);
      return { spec, rowLength: length, data, tensor, wholeSizes: spec.shape, newRowSizes: newRowSizes(spec) };
    });
    this.#turns = this.#pieces.find((piece) => piece.spec.update.kind === "counter")?.data;
  }

  feed(feeds: Record<string, ort.Tensor>, run: RunRows): void {
    const tensors = run.count === this.batch ? undefined : this.#gather(run);
    this.#pieces.forEach((piece, index) => {
      feeds[piece.spec.input] = tensors?.[index] ?? piece.tensor;
    });
  }

  /**
   * Copies the rows of a run together. Rows that lie together already could be read where they are, which saves nothing: the
   * run then waits for the memory that the copy would have waited for (mini: 1 to 3 ms either way).
   */
  #gather({ count, rows }: RunRows): readonly ort.Tensor[] {
    // As large as any run needs, and taken once: memory that no run has come to is only promised by the system.
    this.#gathered ??= {
      data: this.#pieces.map(({ spec, rowLength }) => zeroed(spec.type, this.batch * rowLength)),
      tensors: new Map(),
    };
    const { data: memory, tensors } = this.#gathered;
    this.#pieces.forEach(({ data, rowLength }, index) => {
      for (let place = 0; place < count; place++) {
        const start = rows[place] * rowLength;
        memory[index].set(data.subarray(start, start + rowLength), place * rowLength);
      }
    });
    const made =
      tensors.get(count) ??
      this.#pieces.map(({ spec, rowLength }, index) =>
        makeTensor(this.ort, spec.type, memory[index].subarray(0, count * rowLength), [count, ...spec.shape]),
      );
    tensors.set(count, made);
    return made;
  }

  async renew(outputs: Readonly<Record<string, ort.OnnxValue>>, run: RunRows): Promise<void> {
    // All are looked at before the first is changed, so that a failure leaves the state as it was.
    for (const piece of this.#pieces) {
      if (piece.spec.output !== undefined) checkSizes(piece, outputs[piece.spec.output] as ort.Tensor, run.count);
    }
    for (const piece of this.#pieces) {
      const { output: name, update } = piece.spec;
      if (name === undefined) continue;
      const output = outputs[name] as ort.Tensor;
      if (update.kind === "ring" && !sameSizes(output.dims, run.count, piece.wholeSizes)) {
        this.#writeRows(piece, update, output, run);
      } else {
        this.#replace(piece, output, run);
      }
    }
    for (let place = 0; this.#turns !== undefined && place < run.count; place++) {
      if (run.takes[place] === 1) this.#turns[run.rows[place]] += 1;
    }
  }

  #writeRows(piece: Piece, ring: RingUpdate, output: ort.Tensor, { count, rows, takes }: RunRows): void {
    const source = output.data as TensorData;
    const { data, rowLength } = piece;
    const { shape } = piece.spec;
    const block = source.length / (count * product(shape, 0, ring.axis));
    const inner = block / ring.rowsPerTurn;
    const stride = shape[ring.axis] * inner;
    const perRow = rowLength / stride;
    for (let place = 0; place < count; place++) {
      if (takes[place] !== 1) continue;
      const row = rows[place];
      let to = row * rowLength + ringPosition(ring, this.#turns?.[row] ?? 0) * inner;
      let from = place * perRow * block;
      for (let index = 0; index < perRow; index++, to += stride, from += block) {
        data.set(source.subarray(from, from + block), to);
      }
    }
  }

  #replace(piece: Piece, output: ort.Tensor, { count, rows, takes }: RunRows): void {
    const source = output.data as TensorData;
    if (count === this.batch && !takes.includes(0)) {
      // The runtime gives each output a buffer of its own: it becomes the state, and the old one is let go.
      piece.data = source;
      piece.tensor = output;
      return;
    }
    for (let place = 0; place < count; place++) {
      if (takes[place] !== 1) continue;
      const start = place * piece.rowLength;
      piece.data.set(source.subarray(start, start + piece.rowLength), rows[place] * piece.rowLength);
    }
  }

  async read(row: number): Promise<TensorData[]> {
    return this.#pieces.map((piece) => piece.data.slice(row * piece.rowLength, (row + 1) * piece.rowLength));
  }

  async write(row: number, data: readonly TensorData[] | undefined): Promise<void> {
    this.#pieces.forEach((piece, index) => {
      piece.data.set(data?.[index] ?? freshData(piece.spec, piece.rowLength), row * piece.rowLength);
    });
  }

  async clone(): Promise<StateStore> {
    const copy = new HostState(this.ort, this.specs, this.batch);
    this.#pieces.forEach((piece, index) => {
      copy.#pieces[index].data.set(piece.data);
    });
    return copy;
  }

  dispose(): void {}
}

/** One row of an output that is only the new rows of a ring; undefined for state that is none. */
function newRowSizes({ update, shape }: StateSpec): readonly number[] | undefined {
  if (update.kind !== "ring") return undefined;
  return shape.map((size, axis) => (axis === update.axis ? update.rowsPerTurn : size));
}

/** @throws Fault `BACKEND_FAILED` if an output is neither the whole new value nor new rows */
function checkSizes({ spec, wholeSizes, newRowSizes }: Piece, { dims }: ort.Tensor, count: number): void {
  if (sameSizes(dims, count, wholeSizes) || (newRowSizes !== undefined && sameSizes(dims, count, newRowSizes))) return;
  const rows = newRowSizes === undefined ? "" : ` or new rows [${[count, ...newRowSizes]}]`;
  throw new Fault(
    "BACKEND_FAILED",
    `run: state output "${spec.output}" is [${dims}], expected [${[count, ...wholeSizes]}]${rows}`,
  );
}

/** Whether `dims` are `count` rows of the sizes `row`. */
function sameSizes(dims: readonly number[], count: number, row: readonly number[]): boolean {
  if (dims.length !== row.length + 1 || dims[0] !== count) return false;
  for (let axis = 0; axis < row.length; axis++) if (dims[axis + 1] !== row[axis]) return false;
  return true;
}

function product(sizes: readonly number[], start: number, end: number): number {
  let total = 1;
  for (let axis = start; axis < end; axis++) total *= sizes[axis];
  return total;
}
