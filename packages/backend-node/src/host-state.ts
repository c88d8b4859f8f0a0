// State in host memory: buffers that the worker owns, given to the runtime without a copy and renewed in place.
// Used for the CPU, and for CUDA, whose device memory cannot be held from Node.

import type { StateSpec, TensorData } from "@microturn/core";
import type * as ort from "onnxruntime-node";
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
      return { spec, rowLength: length, data, tensor: makeTensor(ort, spec.type, data, [batch, ...spec.shape]) };
    });
    this.#turns = this.#pieces.find((piece) => piece.spec.update.kind === "counter")?.data;
  }

  feed(feeds: Record<string, ort.Tensor>): void {
    for (const piece of this.#pieces) feeds[piece.spec.input] = piece.tensor;
  }

  async renew(outputs: Readonly<Record<string, ort.OnnxValue>>, active: Uint8Array | undefined): Promise<void> {
    const someActive = active?.includes(0) ? active : undefined;
    // All are looked at before the first is changed, so that a failure leaves the state as it was.
    const renewals = this.#pieces.flatMap((piece) => {
      if (piece.spec.output === undefined) return [];
      const output = outputs[piece.spec.output] as ort.Tensor;
      return [{ piece, output, ring: newRows(piece, output) }];
    });
    for (const { piece, output, ring } of renewals) {
      if (ring === undefined) this.#replace(piece, output, someActive);
      else this.#writeRows(piece, ring, output, someActive);
    }
    for (let row = 0; this.#turns !== undefined && row < this.batch; row++) {
      if (someActive === undefined || someActive[row] === 1) this.#turns[row] += 1;
    }
  }

  #writeRows(piece: Piece, ring: RingUpdate, output: ort.Tensor, active: Uint8Array | undefined): void {
    const source = output.data as TensorData;
    const shape = piece.spec.shape;
    const inner = product(shape.slice(ring.axis + 1));
    const outer = product(shape.slice(0, ring.axis));
    const block = ring.rowsPerTurn * inner;
    for (let row = 0; row < this.batch; row++) {
      if (active !== undefined && active[row] !== 1) continue;
      const position = ringPosition(ring, this.#turns?.[row] ?? 0) * inner;
      for (let index = 0; index < outer; index++) {
        const from = (row * outer + index) * block;
        const to = row * piece.rowLength + index * shape[ring.axis] * inner + position;
        piece.data.set(source.subarray(from, from + block), to);
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

/**
 * The ring that an output's rows go to, or undefined for an output that is the whole new value.
 *
 * @throws Fault `BACKEND_FAILED` if it is neither
 */
function newRows({ spec, tensor }: Piece, output: ort.Tensor): RingUpdate | undefined {
  const { update } = spec;
  const whole = tensor.dims;
  if (output.dims.length === whole.length && output.dims.every((size, axis) => size === whole[axis])) return undefined;
  const rows =
    update.kind === "ring" ? whole.map((size, axis) => (axis === update.axis + 1 ? update.rowsPerTurn : size)) : whole;
  if (
    update.kind === "ring" &&
    output.dims.length === rows.length &&
    output.dims.every((size, axis) => size === rows[axis])
  ) {
    return update;
  }
  throw new Fault(
    "BACKEND_FAILED",
    `run: state output "${spec.output}" is [${output.dims}], expected [${whole}]${rows === whole ? "" : ` or new rows [${rows}]`}`,
  );
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}
