// State in host memory: buffers of ours, given to the runtime without a copy and renewed in place.
// Used for the CPU, and for CUDA, whose device memory cannot be held from Node.

import type { StateSpec, TensorData } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import { Fault } from "./messages.js";
import {
  freshData,
  makeTensor,
  type Ort,
  type RingUpdate,
  ringPosition,
  rowLength,
  type StateStore,
} from "./state-store.js";

interface Piece {
  readonly spec: StateSpec;
  readonly rowLength: number;
  data: TensorData;
  /** Over `data`. */
  tensor: ort.Tensor;
  /** What an output looks like that is the new value of the whole, and one that is only the new rows of a ring. */
  readonly wholeSizes: readonly number[];
  readonly newRowSizes: readonly number[] | undefined;
}

/** State in host memory. Takes graphs of both state forms: only new rows, or whole buffers. */
export class HostState implements StateStore {
  readonly #pieces: readonly Piece[];
  /** The counter's data: the turn that each row is at. */
  readonly #turns: TensorData | undefined;

  constructor(
    private readonly ort: Ort,
    private readonly specs: readonly StateSpec[],
    readonly batch: number,
  ) {
    this.#pieces = specs.map((spec) => {
      const length = rowLength(spec);
      const data = freshData(spec, batch * length);
      const wholeSizes = [batch, ...spec.shape];
      const tensor = makeTensor(ort, spec.type, data, wholeSizes);
      return { spec, rowLength: length, data, tensor, wholeSizes, newRowSizes: newRowSizes(spec, batch) };
    });
    this.#turns = this.#pieces.find((piece) => piece.spec.update.kind === "counter")?.data;
  }

  feed(feeds: Record<string, ort.Tensor>): void {
    for (const piece of this.#pieces) feeds[piece.spec.input] = piece.tensor;
  }

  async renew(outputs: Readonly<Record<string, ort.OnnxValue>>, active: Uint8Array | undefined): Promise<void> {
    const someActive = active?.includes(0) ? active : undefined;
    // All are looked at before the first is changed, so that a failure leaves the state as it was.
    for (const piece of this.#pieces) {
      if (piece.spec.output !== undefined) checkSizes(piece, outputs[piece.spec.output] as ort.Tensor);
    }
    for (const piece of this.#pieces) {
      const { output: name, update } = piece.spec;
      if (name === undefined) continue;
      const output = outputs[name] as ort.Tensor;
      if (update.kind === "ring" && !sameSizes(output.dims, piece.wholeSizes)) {
        this.#writeRows(piece, update, output, someActive);
      } else {
        this.#replace(piece, output, someActive);
      }
    }
    for (let row = 0; this.#turns !== undefined && row < this.batch; row++) {
      if (someActive === undefined || someActive[row] === 1) this.#turns[row] += 1;
    }
  }

  #writeRows(piece: Piece, ring: RingUpdate, output: ort.Tensor, active: Uint8Array | undefined): void {
    const source = output.data as TensorData;
    const { data, rowLength } = piece;
    const { shape } = piece.spec;
    const block = source.length / (this.batch * product(shape, 0, ring.axis));
    const inner = block / ring.rowsPerTurn;
    const stride = shape[ring.axis] * inner;
    const perRow = rowLength / stride;
    for (let row = 0; row < this.batch; row++) {
      if (active !== undefined && active[row] !== 1) continue;
      let to = row * rowLength + ringPosition(ring, this.#turns?.[row] ?? 0) * inner;
      let from = row * perRow * block;
      for (let index = 0; index < perRow; index++, to += stride, from += block) {
        data.set(source.subarray(from, from + block), to);
      }
    }
  }

  #replace(piece: Piece, output: ort.Tensor, active: Uint8Array | undefined): void {
    const source = output.data as TensorData;
    if (active === undefined) {
      // The runtime gives each output a buffer of its own: it becomes the state, and the old one is let go.
      piece.data = source;
      piece.tensor = output;
      return;
    }
    for (let row = 0; row < this.batch; row++) {
      if (active[row] !== 1) continue;
      const start = row * piece.rowLength;
      piece.data.set(source.subarray(start, start + piece.rowLength), start);
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

/** Sizes of an output that is only the new rows of a ring; undefined for state that is none. */
function newRowSizes({ update, shape }: StateSpec, batch: number): number[] | undefined {
  if (update.kind !== "ring") return undefined;
  return [batch, ...shape.map((size, axis) => (axis === update.axis ? update.rowsPerTurn : size))];
}

/** @throws Fault `BACKEND_FAILED` if an output is neither the whole new value nor new rows */
function checkSizes({ spec, wholeSizes, newRowSizes }: Piece, { dims }: ort.Tensor): void {
  if (sameSizes(dims, wholeSizes) || (newRowSizes !== undefined && sameSizes(dims, newRowSizes))) return;
  const rows = newRowSizes === undefined ? "" : ` or new rows [${newRowSizes}]`;
  throw new Fault("BACKEND_FAILED", `run: state output "${spec.output}" is [${dims}], expected [${wholeSizes}]${rows}`);
}

function sameSizes(left: readonly number[], right: readonly number[]): boolean {
  if (left.length !== right.length) return false;
  for (let axis = 0; axis < left.length; axis++) if (left[axis] !== right[axis]) return false;
  return true;
}

function product(sizes: readonly number[], start: number, end: number): number {
  let total = 1;
  for (let axis = start; axis < end; axis++) total *= sizes[axis];
  return total;
}
