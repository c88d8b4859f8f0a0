import { describe, expect, it } from "vitest";
import { Emitter } from "./emitter.js";
import { GraphRunner } from "./test-runner.js";

describe("Emitter", () => {
  it.each([1, 7, 8, 18, 60])("cuts into %i parts in stages, in their order", async (count) => {
    const sizes = Array.from({ length: count }, (_, i) => 1 + (i % 3));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const g = new Emitter();
    const parts = g.splitInStages(g.input("x", "float32", [-1, total]), 1, sizes);
    expect(parts).toHaveLength(count);
    // Each times its number, in the opposite order.
    const numbered = parts.map((part, i) => g.mul(part, g.float(i + 1)));
    g.output("y", g.concat(numbered.reverse(), 1), "float32", [-1, total]);
    const graph = g.finish("stages");
    const runner = await GraphRunner.create(graph);
    const data = Float32Array.from({ length: total }, (_, i) => i);
    const { y } = await runner.run({ x: { type: "float32", shape: [1, total], data } });
    await runner.close();
    let at = 0;
    const expected = sizes.map((size, i) => Array.from({ length: size }, () => (i + 1) * at++));
    expect([...y.data]).toEqual(expected.reverse().flat());
  });

  it("makes what constants alone give once, at the beginning, for branches too", async () => {
    const g = new Emitter();
    let made = 0;
    const table = (from: Emitter) =>
      from.early("table", (early) => {
        made++;
        const halves = { type: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0x4400) } as const; // 1 and 4
        return early.cast(
          early.weight("halves", () => halves),
          "float32",
        );
      });
    const x = g.input("x", "float32", [-1, 2]);
    const large = g.less(g.float(10), g.op("ReduceMax", [x], { keepdims: 0 }));
    const chosen = g.if(
      large,
      "float32",
      (body) => body.mul(x, table(body)),
      () => x,
    );
    g.output("y", g.add(chosen, table(g)), "float32", [-1, 2]);
    const runner = await GraphRunner.create(g.finish("early"));
    const run = async (...data: number[]) =>
      Array.from((await runner.run({ x: { type: "float32", shape: [1, 2], data: Float32Array.from(data) } })).y.data);
    expect(await run(2, 3)).toEqual([3, 7]);
    expect(await run(20, 30)).toEqual([21, 124]);
    expect(made).toBe(1);
    await runner.close();
  });
});
