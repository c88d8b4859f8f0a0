import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { tinyModel } from "../testing/tiny-model.js";
import { BuildContext } from "./build-context.js";
import { Emitter } from "./emitter.js";
import { dequantise, quantise } from "./quantise.js";

function wave(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * Math.exp(Math.sin(i * 0.37)));
}

describe("quantise", () => {
  it.each([
    [8, 1 / 128],
    [4, 1 / 8],
  ] as const)("stays within one step of the grid (%i bits)", (bits, step) => {
    const [rows, columns] = [5, 71];
    const matrix = wave(rows * columns);
    const restored = dequantise(quantise(matrix, rows, columns, bits));
    for (let row = 0; row < rows; row++) {
      for (let block = 0; block < columns; block += 32) {
        const start = row * columns + block;
        const part = matrix.subarray(start, Math.min(start + 32, (row + 1) * columns));
        const largest = part.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        for (const [i, value] of part.entries()) {
          // Half a step, or a whole one at the end of the range that has one number less.
          expect(Math.abs(restored[start + i] - value)).toBeLessThanOrEqual(largest * step * 1.001);
        }
      }
    }
  });

  it("keeps zeros and all-zero blocks exact", () => {
    const matrix = new Float32Array(64);
    matrix[40] = 3;
    const restored = dequantise(quantise(matrix, 1, 64, 8));
    // Adding 0 makes a negative zero positive.
    expect(restored.map((value) => value + 0)).toEqual(matrix);
  });

  it.each([
    ["int8", 8],
    ["int4", 4],
  ] as const)("has the layout that the runtime multiplies by (%s)", async (weightType, bits) => {
    const [rows, columns] = [24, 72];
    const matrix = wave(rows * columns);
    const { config, weights } = tinyModel();
    const g = new Emitter();
    const c = new BuildContext(g, config, weights, { experts: "if", weightType, accuracyLevel: 0 });
    g.output(
      "y",
      c.linear(g.input("x", "float32", [-1, columns]), { name: "m", rows, columns, data: () => matrix }),
      "float32",
      [-1, rows],
    );
    const session = await InferenceSession.create(g.finish("test").onnx);
    const x = wave(columns);
    const { y } = await session.run({ x: new Tensor("float32", x, [1, columns]) });
    const restored = dequantise(quantise(matrix, rows, columns, bits));
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let i = 0; i < columns; i++) sum += restored[row * columns + i] * x[i];
      expect((y.data as Float32Array)[row]).toBeCloseTo(sum, 4);
    }
    await session.release();
  });
});
