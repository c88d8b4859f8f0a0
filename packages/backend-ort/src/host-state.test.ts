import type { StateSpec } from "@microturn/core";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { HostState } from "./host-state.js";
import { everyRow, rowsToRun } from "./run-rows.js";
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
    await state.renew({ ring_new: floats([1, 2, 1], 1, 2), sum_new: floats([1, 1], 5) }, everyRow(1));
    expect(await state.read(0)).toEqual([Int32Array.of(1), Float32Array.of(1, 2, 0, 0), Float32Array.of(5)]);
    await state.renew({ ring_new: floats([1, 4, 1], 9, 8, 7, 6), sum_new: floats([1, 1], 6) }, everyRow(1));
    expect(await state.read(0)).toEqual([Int32Array.of(2), Float32Array.of(9, 8, 7, 6), Float32Array.of(6)]);
  });

  test("refuses an output of another shape and changes nothing", async () => {
    const state = new HostState(ort, [counter, ring, sum], 1);
    const wrong = { ring_new: floats([1, 2, 1], 1, 2), sum_new: floats([1, 2], 5, 6) };
    await expect(state.renew(wrong, everyRow(1))).rejects.toMatchObject({ code: "BACKEND_FAILED" });
    const three = { ring_new: floats([1, 3, 1], 1, 2, 3), sum_new: floats([1, 1], 5) };
    await expect(state.renew(three, everyRow(1))).rejects.toThrow("expected [1,4,1] or new rows [1,2,1]");
    expect(await state.read(0)).toEqual([Int32Array.of(0), new Float32Array(4), Float32Array.of(0)]);
  });

  test("gives a run copies of its rows, and writes only those that take what it gave", async () => {
    const state = new HostState(ort, [counter, ring, sum], 8);
    for (const row of [1, 5, 6]) {
      await state.write(row, [Int32Array.of(row % 2), Float32Array.of(row, 0, 0, 0), Float32Array.of(10 * row)]);
    }
    const before = await Promise.all([0, 2, 3, 4, 6, 7].map((row) => state.read(row)));
    for (let again = 0; again < 2; again++) {
      const run = rowsToRun(8, Uint8Array.of(0, 1, 0, 0, 0, 1, 0, 0), 4);
      const feeds: Record<string, ort.Tensor> = {};
      state.feed(feeds, run);
      expect(feeds.sum.dims).toEqual([4, 1]);
      expect([...(feeds.sum.data as Float32Array)]).toEqual(again === 0 ? [10, 50, 50, 50] : [1, 2, 2, 2]);
      const outputs = { ring_new: floats([4, 2, 1], 7, 7, 8, 8, 9, 9, 9, 9), sum_new: floats([4, 1], 1, 2, 3, 4) };
      await state.renew(outputs, run);
    }
    expect(await state.read(1)).toEqual([Int32Array.of(3), Float32Array.of(7, 7, 7, 7), Float32Array.of(1)]);
    expect(await state.read(5)).toEqual([Int32Array.of(3), Float32Array.of(8, 8, 8, 8), Float32Array.of(2)]);
    expect(await Promise.all([0, 2, 3, 4, 6, 7].map((row) => state.read(row)))).toEqual(before);
    // A whole buffer where all rows are run becomes the state: later runs of some must read that one.
    await state.renew(
      { ring_new: floats([8, 4, 1], ...new Array(32).fill(3)), sum_new: floats([8, 1], ...new Array(8).fill(4)) },
      everyRow(8),
    );
    const feeds: Record<string, ort.Tensor> = {};
    state.feed(feeds, rowsToRun(8, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0), 4));
    expect([...(feeds.sum.data as Float32Array)]).toEqual([4, 4, 4, 4]);
  });
});
