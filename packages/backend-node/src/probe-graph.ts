// The smallest graph that every provider has a kernel for: c = a x b. Its right answer from the right provider is the
// proof that a provider works.

import { experimental_writeModel as writeModel } from "@microturn/core";

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
