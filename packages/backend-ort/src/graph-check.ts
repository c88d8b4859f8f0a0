// Does a loaded graph have the inputs and outputs that it was said to have? Found at load, not at the first run.

import type { StateSpec, TensorSpec } from "@microturn/core";
import type * as ort from "onnxruntime-common";
import { Fault } from "./messages.js";

/** What a graph was said to take and give. */
interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly state: readonly StateSpec[];
}

/** Compares a loaded session with what was said of it. @throws Fault `MODEL_INVALID` */
export function checkSignature(session: ort.InferenceSession, { inputs, outputs, state }: Signature): void {
  const stateInputs = state.map(({ input, type, shape }) => ({ name: input, type, shape: [-1, ...shape] }));
  const stateOutputs = state.flatMap(({ output, type }) => (output === undefined ? [] : [{ name: output, type }]));
  const names = new Set([...inputs, ...stateInputs].map((spec) => spec.name));
  for (const name of session.inputNames) {
    if (!names.has(name))
      throw new Fault("MODEL_INVALID", `load: the graph takes an input "${name}" that nobody gives`);
  }
  for (const spec of [...inputs, ...stateInputs]) {
    const meta = session.inputMetadata.find((value) => value.name === spec.name);
    const got = describe("input", meta, spec);
    const same =
      got.shape.length === spec.shape.length &&
      got.shape.every((size, axis) => typeof size === "string" || size === spec.shape[axis]);
    if (!same) {
      throw new Fault(
        "MODEL_INVALID",
        `load: input "${spec.name}" is [${got.shape}] in the graph, expected [${spec.shape}]`,
      );
    }
  }
  for (const spec of [...outputs, ...stateOutputs]) {
    describe(
      "output",
      session.outputMetadata.find((value) => value.name === spec.name),
      spec,
    );
  }
}

function describe(
  kind: "input" | "output",
  meta: ort.InferenceSession.ValueMetadata | undefined,
  spec: { readonly name: string; readonly type: string },
): ort.InferenceSession.TensorValueMetadata {
  if (meta === undefined) throw new Fault("MODEL_INVALID", `load: the graph has no ${kind} "${spec.name}"`);
  if (!meta.isTensor || meta.type !== spec.type) {
    const got = meta.isTensor ? meta.type : "no tensor";
    throw new Fault("MODEL_INVALID", `load: ${kind} "${spec.name}" is ${got} in the graph, expected ${spec.type}`);
  }
  return meta;
}
