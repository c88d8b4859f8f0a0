import { describe, expect, it } from "vitest";
import { BlockPool } from "./block-pool.js";

describe("BlockPool", () => {
  const quantum = (value: number) => new Float32Array(128).fill(value);

  it("sends full blocks, and uses only those that it made", () => {
    const sent: number[] = [];
    const blocks = new Set<Float32Array>();
    const pool: BlockPool = new BlockPool({ blockSamples: 480, blocks: 3 }, (block) => {
      blocks.add(block);
      sent.push(...block);
      pool.give(block);
    });
    for (let i = 0; i < 1000; i++) pool.write(quantum(i));
    expect(sent.length).toBe(Math.floor((1000 * 128) / 480) * 480);
    expect(sent.every((value, i) => value === Math.floor(i / 128))).toBe(true);
    expect(blocks.size).toBeLessThanOrEqual(3);
    expect(pool.lost).toBe(0);
  });

  it("loses what comes while the page holds every block, counts it, and goes on", () => {
    const held: Float32Array<ArrayBuffer>[] = [];
    const pool = new BlockPool({ blockSamples: 128, blocks: 2 }, (block) => held.push(block));
    for (let i = 0; i < 5; i++) pool.write(quantum(i));
    expect(held.map((block) => block[0])).toEqual([0, 1]);
    expect(pool.lost).toBe(3 * 128);
    pool.give(held[0]);
    pool.write(quantum(9));
    expect(held.at(-1)?.[0]).toBe(9);
  });

  it("keeps the block that is being filled when another comes back", () => {
    const held: Float32Array<ArrayBuffer>[] = [];
    const pool = new BlockPool({ blockSamples: 256, blocks: 2 }, (block) => held.push(block));
    pool.write(quantum(1));
    pool.write(quantum(2));
    pool.write(quantum(3));
    pool.give(held[0]);
    pool.write(quantum(4));
    expect([held[1][0], held[1][255]]).toEqual([3, 4]);
  });
});
