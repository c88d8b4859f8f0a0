// The smallest graph that every provider has a kernel for: c = a x b. Its right answer from the right provider is the
// proof that a provider works.

import { experimental_writeModel as writeModel } from "@microturn/core/model";
import type { InferenceSession } from "onnxruntime-common";
import type { Ort } from "./state-store.js";

/** ONNX bytes of `c = a x b` over `[2, 2]`. */
export function probeGraph(): Uint8Array {
  const value = (name: string) => ({ name, type: "float32", shape: [2, 2] }) as const;
  return writeModel(
    {
      name: "probe",
      nodes: [{ name: "product", op: "MatMul", domain: "", inputs: ["a", "b"], outputs: ["c"], attributes: {} }],
      constants: [],
      inputs: [value("a"), value("b")],
      outputs: [value("c")],
    },
    { opset: 21, producer: "microturn" },
  );
}

/** Runs the graph of {@link probeGraph}. @returns what is wrong with its answer; undefined if nothing */
export async function runProbe(ort: Ort, session: InferenceSession): Promise<string | undefined> {
  const result = await session.run({
    a: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]),
    b: new ort.Tensor("float32", Float32Array.of(5, 6, 7, 8), [2, 2]),
  });
  const product = Array.from(result.c.data as Float32Array);
  return product.join() === "19,22,43,50" ? undefined : `it computes [${product}] where [19,22,43,50] is right`;
}
