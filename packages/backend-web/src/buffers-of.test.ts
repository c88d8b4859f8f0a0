import { describe, expect, it } from "vitest";
import { buffersOf } from "./buffers-of.js";

describe("buffersOf", () => {
  it("finds what lies at any depth, each buffer once", () => {
    const [one, two] = [new Float32Array(3), new Uint8Array(5)];
    const value = { engine: "local", data: { state: { a: { data: one }, b: { data: one } }, lists: [[two], null, 4] } };
    expect(buffersOf(value)).toEqual([one.buffer, two.buffer]);
    const there = structuredClone(value, { transfer: buffersOf(value) });
    expect(there.data.lists[0]).toEqual([new Uint8Array(5)]);
    expect([one.length, two.length]).toEqual([0, 0]);
  });

  it("leaves alone what others may use: shared memory, and parts of larger memory", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const whole = new Float32Array(8);
    const value = {
      shared: new Int32Array(new SharedArrayBuffer(8)),
      part: whole.subarray(2, 4),
      runtime: new Uint8Array(memory.buffer, 16, 32),
      empty: new Float32Array(0),
    };
    expect(buffersOf(value)).toEqual([]);
    structuredClone(value, { transfer: buffersOf(value) });
    expect(whole.length).toBe(8);
  });
});
