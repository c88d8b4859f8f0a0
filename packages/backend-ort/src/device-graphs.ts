// The two graphs that handle state on the device: `merge` puts chosen rows of new tensors into old ones, `read` takes one
// row out. With them an inactive row, a reset or a clone never moves the rest of the state through host memory.

import type { StateSpec } from "@microturn/core";
import { experimental_writeModel as writeModel } from "@microturn/core/model";

/** ONNX bytes of both graphs for the pieces of a state that a run renews (all but counters). */
export function deviceGraphs(state: readonly StateSpec[]): { merge: Uint8Array; read: Uint8Array } {
  const pieces = state.filter((spec) => spec.update.kind !== "counter");
  const value = (prefix: string, { input, type, shape }: StateSpec, rows: number) => ({
    name: `${prefix}_${input}`,
    type,
    shape: [rows, ...shape],
  });
  const node = (op: string, inputs: string[], output: string, attributes: Record<string, number> = {}) => ({
    name: output,
    op,
    domain: "",
    inputs,
    outputs: [output],
    attributes,
  });
  const bytes = (data: BigInt64Array) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // One mask per rank: [batch, 1, 1, …] broadcasts over a row.
  const ranks = [...new Set(pieces.map((spec) => spec.shape.length + 1))];
  const maskShape = (rank: number) => BigInt64Array.from([-1n, ...Array<bigint>(rank - 1).fill(1n)]);
  const options = { opset: 21, producer: "microturn" };
  const old = pieces.map((spec) => value("old", spec, -1));
  return {
    merge: writeModel(
      {
        name: "merge-rows",
        nodes: [
          ...ranks.map((rank) => node("Reshape", ["mask", `mask_shape_${rank}`], `mask_${rank}`)),
          ...pieces.map((spec) =>
            node(
              "Where",
              [`mask_${spec.shape.length + 1}`, `new_${spec.input}`, `old_${spec.input}`],
              `out_${spec.input}`,
            ),
          ),
        ],
        constants: ranks.map((rank) => ({
          name: `mask_shape_${rank}`,
          type: "int64",
          shape: [rank],
          bytes: bytes(maskShape(rank)),
        })),
        // New tensors may have one row for all: their batch has a size of its own, left to the runtime.
        inputs: [
          { name: "mask", type: "bool", shape: [-1] },
          ...old,
          ...pieces.map(({ input, type }) => ({ name: `new_${input}`, type })),
        ],
        outputs: pieces.map(({ input, type }) => ({ name: `out_${input}`, type })),
      },
      options,
    ),
    read: writeModel(
      {
        name: "read-row",
        nodes: pieces.map(({ input }) => node("Gather", [`old_${input}`, "row"], `out_${input}`, { axis: 0 })),
        constants: [],
        inputs: [{ name: "row", type: "int32", shape: [1] }, ...old],
        outputs: pieces.map((spec) => value("out", spec, 1)),
      },
      options,
    ),
  };
}
