import type { StateSpec } from "@microturn/core";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { HostState } from "./host-state.js";
import { makeTensor } from "./state-store.js";

const counter: StateSpec = { input: "turn", type: "int32", shape: [], update: { kind: "counter" } };
const ring: StateSpec = {
  input: "ring",
  output: "ring_new",
  type: "float32",
  shape: [4, 1],
  update: { kind: "ring", axis: 0, rowsPerTurn: 2, sinkTurns: 0, ringTurns: 2 },
};
const sum: StateSpec = { input: "sum", output: "sum_new", type: "float32", shape: [1], update: { kind: "replace" } };
const floats = (dims: number[], ...values: number[]) => makeTensor(ort, "float32", Float32Array.from(values), dims);

describe("HostState", () => {
  test("takes new rows and whole buffers", async () => {
    const state = new HostState(ort, [counter, ring, sum], 1);
    await state.renew({ ring_new: floats([1, 2, 1], 1, 2), sum_new: floats([1, 1], 5) }, undefined);
    expect(await state.read(0)).toEqual([Int32Array.of(1), Float32Array.of(1, 2, 0, 0), Float32Array.of(5)]);
    await state.renew({ ring_new: floats([1, 4, 1], 9, 8, 7, 6), sum_new: floats([1, 1], 6) }, undefined);
    expect(await state.read(0)).toEqual([Int32Array.of(2), Float32Array.of(9, 8, 7, 6), Float32Array.of(6)]);
  });

  test("refuses an output of another shape and changes nothing", async () => {
    const state = new HostState(ort, [counter, ring, sum], 1);
    const wrong = { ring_new: floats([1, 2, 1], 1, 2), sum_new: floats([1, 2], 5, 6) };
    await expect(state.renew(wrong, undefined)).rejects.toMatchObject({ code: "BACKEND_FAILED" });
    const three = { ring_new: floats([1, 3, 1], 1, 2, 3), sum_new: floats([1, 1], 5) };
    await expect(state.renew(three, undefined)).rejects.toThrow("expected [1,4,1] or new rows [1,2,1]");
    expect(await state.read(0)).toEqual([Int32Array.of(0), new Float32Array(4), Float32Array.of(0)]);
  });
});
