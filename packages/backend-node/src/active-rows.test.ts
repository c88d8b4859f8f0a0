// A run computes only the rows that are active, rounded up. What each gets must be what a run of all rows gives it, to the bit.

import { createHash } from "node:crypto";
import { allocate, elementCount, type Tensor, type WeightType } from "@microturn/core";
import { buildDuplexGraph } from "@microturn/core/model";
import { tinyModel } from "@microturn/core/testing";
import { expect, test } from "vitest";
import { nodeBackend } from "./node-backend.js";

test.each<[WeightType, number]>([
  ["float32", 1],
  ["float16", 1],
  ["int8", 2],
])(
  "active rows get the bits of a run of all rows, for every count of them (%s, threads: %i)",
  async (weightType, threads) => {
    const batch = 12;
    const backend = await nodeBackend({ threads });
    const { config, weights } = tinyModel({ seed: 5 });
    const graph = buildDuplexGraph(config, weights, { target: backend.capabilities.target, weightType });
    const executable = await backend.load(graph);
    const some = await executable.createState(batch);
    for (let count = 1; count <= batch; count++) {
      const feeds: Record<string, Tensor> = {};
      for (const { name, type, shape: batched } of graph.inputs) {
        const shape = batched.map((size) => (size === -1 ? batch : size));
        const data = allocate(type, elementCount(shape)).map((_, i) => input(name, i + 1013 * count));
        feeds[name] = { type, shape, data } as Tensor;
      }
      // 7 has no divisor in common with 12: `count` different rows, spread over all.
      const rows = Array.from({ length: count }, (_, i) => (7 * i + count) % batch);
      const active = Uint8Array.from({ length: batch }, (_, row) => (rows.includes(row) ? 1 : 0));
      const all = await some.clone();
      const whole = (await executable.run(feeds, all)).outputs;
      const expected = rows.map((row) => hashOf(whole, row));
      const { outputs } = await executable.run(feeds, some, { active });
      for (const [i, row] of rows.entries()) {
        expect(hashOf(outputs, row), `row ${row} of ${count}`).toBe(expected[i]);
        const kept = hashOf((await some.read(row)).tensors);
        expect(kept, `state of row ${row} of ${count}`).toBe(hashOf((await all.read(row)).tensors));
      }
      await all.dispose();
    }
    await backend.close();
  },
);

/** Levels of dMel are 0 … 15, random numbers and pixels below 1; greedy, and nothing forced. */
function input(name: string, seed: number): number {
  const random = (Math.imul(seed, 2654435761) >>> 8) / 2 ** 24;
  if (name === "dmel") return Math.floor(16 * random);
  return name === "random" || name.startsWith("patch") ? random : 0;
}

/** Of everything in some tensors, or in one row of them. */
function hashOf(tensors: Readonly<Record<string, Tensor>>, row?: number): string {
  const hash = createHash("sha256");
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    const size = row === undefined ? data.length : data.length / shape[0];
    const part = data.subarray((row ?? 0) * size, ((row ?? 0) + 1) * size);
    hash.update(name).update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  }
  return hash.digest("hex");
}
