// State in host memory: buffers that the worker owns, given to the runtime without a copy and renewed in place.
// Used for the CPU, and for CUDA, whose device memory cannot be held from Node.

import type { StateSpec, TensorData } from "@microturn/core";
import type * as ort from "onnxruntime-node";
import { Fault } from "./messages.js";
import { freshData, makeTensor, type Ort, ringPosition, rowLength, type StateStore } from "./state-store.js";

interface Piece {
  readonly spec: StateSpec;
  readonly rowLength: number;
  readonly data: TensorData;
  readonly tensor: ort.Tensor;
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
    for (const piece of this.#pieces) {
      if (piece.spec.output === undefined) continue;
      const output = outputs[piece.spec.output] as ort.Tensor;
      const source = output.data as TensorData;
      const update = piece.spec.update;
      if (update.kind === "ring" && output.dims[update.axis + 1] === update.rowsPerTurn) {
        this.#writeRings(piece, update, source, active);
      } else if (source.length === piece.data.length) {
        this.#replace(piece, source, active);
      } else {
        throw new Fault(
          "BACKEND_FAILED",
          `run: state output "${piece.spec.output}" is [${output.dims}], expected whole rows [${[this.batch, ...piece.spec.shape]}]${update.kind === "ring" ? ` or ${update.rowsPerTurn} new rows on axis ${update.axis + 1}` : ""}`,
        );
      }
    }
    for (let row = 0; this.#turns !== undefined && row < this.batch; row++) {
      if (active === undefined || active[row] === 1) this.#turns[row] += 1;
    }
  }

  #writeRings(
    piece: Piece,
    update: Extract<StateSpec["update"], { kind: "ring" }>,
    source: TensorData,
    active: Uint8Array | undefined,
  ): void {
    const shape = piece.spec.shape;
    const inner = shape.slice(update.axis + 1).reduce((product, size) => product * size, 1);
    const outer = shape.slice(0, update.axis).reduce((product, size) => product * size, 1);
    const block = update.rowsPerTurn * inner;
    for (let row = 0; row < this.batch; row++) {
      if (active !== undefined && active[row] !== 1) continue;
      const position = ringPosition(update, this.#turns?.[row] ?? 0) * inner;
      for (let index = 0; index < outer; index++) {
        const from = (row * outer + index) * block;
        piece.data.set(
          source.subarray(from, from + block),
          row * piece.rowLength + index * shape[update.axis] * inner + position,
        );
      }
    }
  }

  #replace(piece: Piece, source: TensorData, active: Uint8Array | undefined): void {
    if (active === undefined) {
      piece.data.set(source);
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
