import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { ringMemory, SampleRing } from "./sample-ring.js";

const ramp = (length: number, from = 0) => Float32Array.from({ length }, (_, i) => from + i);

describe("SampleRing", () => {
  it("gives samples in the order in which they came, for any sizes", () => {
    const memory = ringMemory(100, false);
    const [writer, reader] = [new SampleRing(memory), new SampleRing(memory)];
    const piece = new Float32Array(37);
    let next = 0;
    let expected = 0;
    for (let round = 0; round < 2000; round++) {
      const count = (round * 7) % 61;
      writer.write(ramp(count, next));
      next += count;
      for (let got = 1; got > 0; ) {
        got = reader.read(piece);
        for (let i = 0; i < got; i++) if (piece[i] !== expected++) expect.fail(`sample ${expected - 1}`);
      }
    }
    expect(expected).toBe(next);
    expect(reader.lost).toBe(0);
  });

  it("keeps what is in it when it is full, and counts what was lost", () => {
    const memory = ringMemory(128, false);
    const ring = new SampleRing(memory);
    ring.write(ramp(100));
    ring.write(ramp(100, 100));
    expect(ring.length).toBe(128);
    expect(ring.lost).toBe(72);
    const all = new Float32Array(200);
    expect(ring.read(all)).toBe(128);
    expect(all.subarray(0, 128)).toEqual(ramp(128));
  });

  it("goes on when its counters wrap, after 12 hours", () => {
    const memory = ringMemory(64, false);
    memory.counters.fill(0x7fffffff - 20, 0, 2);
    const ring = new SampleRing(memory);
    const output = new Float32Array(40);
    for (let round = 0; round < 10; round++) {
      ring.write(ramp(40, round));
      expect(ring.length).toBe(40);
      expect(ring.read(output)).toBe(40);
      expect(output).toEqual(ramp(40, round));
    }
    expect(memory.counters[0]).toBeLessThan(0);
  });

  it("wakes the reader once, until it has looked", () => {
    const ring = new SampleRing(ringMemory(64, false));
    expect([ring.wake(), ring.wake()]).toEqual([true, false]);
    ring.awake();
    expect(ring.wake()).toBe(true);
  });

  it("crosses threads whole", { timeout: 20_000 }, async () => {
    const memory = ringMemory(4096, true);
    const ring = new SampleRing(memory);
    // The writer's end, in another thread, in plain words: a source cannot be loaded there without its compiler.
    const code = `
      const { workerData: { samples, counters } } = require("node:worker_threads");
      for (let sent = 0; sent < 200000; ) {
        const start = Atomics.load(counters, 0);
        if (((start - Atomics.load(counters, 1)) | 0) + 128 > samples.length) continue;
        for (let i = 0; i < 128; i++) samples[(start + i) & (samples.length - 1)] = (sent + i) % 65536;
        Atomics.store(counters, 0, start + 128);
        sent += 128;
      }`;
    const worker = new Worker(code, { eval: true, workerData: memory });
    const piece = new Float32Array(480);
    let count = 0;
    while (count < 200_000) {
      const got = ring.read(piece);
      for (let i = 0; i < got; i++) if (piece[i] !== (count + i) % 65536) expect.fail(`sample ${count + i}`);
      count += got;
      if (got === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await worker.terminate();
    expect(count).toBeGreaterThanOrEqual(200_000);
  });
});
