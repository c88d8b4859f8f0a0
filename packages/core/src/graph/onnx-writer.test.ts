import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { Emitter } from "./emitter.js";
import { writeModel } from "./onnx-writer.js";

describe("onnx writer", () => {
  it("writes the bytes that the protobuf encoding gives", () => {
    const bytes = writeModel(
      { name: "g", nodes: [], constants: [], inputs: [], outputs: [] },
      { opset: 300, producer: "p" },
    );
    // ir_version 10; producer_name "p"; graph { name "g" }; opset_import { "" 300 }; opset_import { "com.microsoft" 1 }
    expect([...bytes]).toEqual([
      ...[0x08, 10, 0x12, 1, 0x70, 0x3a, 3, 0x12, 1, 0x67],
      ...[0x42, 5, 0x0a, 0, 0x10, 0xac, 0x02],
      ...[0x42, 17, 0x0a, 13, ...new TextEncoder().encode("com.microsoft"), 0x10, 1],
    ]);
  });

  it("writes attributes of every kind so that the runtime reads them, negative numbers and branches too", async () => {
    const g = new Emitter();
    const x = g.input("x", "float32", [-1, 4]);
    const positive = g.less(g.float(0), g.reshape(g.sum(x, [0, 1]), [1]));
    const y = g.if(
      positive,
      "float32",
      (body) => body.softmax(body.transpose(x, [1, 0])),
      (body) => body.op("Elu", [body.transpose(x, [1, 0])], { alpha: { float: 0.5 } }),
    );
    g.output("y", y, "float32", [4, -1]);
    g.output("z", g.op("Gelu", [x], { approximate: "none" }), "float32", [-1, 4]);
    const session = await InferenceSession.create(g.finish("test").onnx);
    const run = async (values: number[]) => (await session.run({ x: new Tensor("float32", values, [1, 4]) })).y.data;
    expect(Array.from((await run([1, 2, 3, 4])) as Float32Array)).toEqual([1, 1, 1, 1]);
    expect((await run([-1, -2, -3, -4]))[0]).toBeCloseTo(0.5 * (Math.exp(-1) - 1), 6);
    await session.release();
  });

  it("stores equal constants once, and keeps different ones apart", () => {
    const g = new Emitter();
    expect(g.float(1)).toBe(g.float(1));
    expect(g.float(1)).not.toBe(g.int(1));
    expect(g.floats([1], [1])).not.toBe(g.float(1));
    expect(g.floats(new Float32Array(2000), [2000])).not.toBe(g.floats(new Float32Array(2000).fill(1), [2000]));
  });
});
