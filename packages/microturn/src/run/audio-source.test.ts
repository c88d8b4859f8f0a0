import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { WavWriter } from "@microturn/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { paced, rawPcmStream, wavFile } from "./audio-source.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "source-"));
});
afterEach(() => rm(folder, { recursive: true }));

const never = new AbortController().signal;

describe("wavFile", () => {
  it("reads three hours in the memory of seconds", async () => {
    const path = join(folder, "long.wav");
    const [sampleRate, seconds] = [8_000, 3 * 3600];
    const file = await open(path, "w");
    // A sparse file: three hours of zeros that take no place on the disk.
    await file.write(new WavWriter({ sampleRate }).openHeader());
    await file.truncate(44 + 2 * sampleRate * seconds);
    await file.close();
    let samples = 0;
    let largest = 0;
    for await (const piece of wavFile(path, () => {})) {
      samples += piece.samples.length;
      largest = Math.max(largest, piece.samples.length);
    }
    expect(samples).toBe(sampleRate * seconds);
    expect(largest).toBeLessThan(sampleRate * 15);
  });

  it("notes an empty file", async () => {
    const path = join(folder, "empty.wav");
    const file = await open(path, "w");
    await file.write(new WavWriter({ sampleRate: 16_000 }).closedHeader());
    await file.close();
    const notes: string[] = [];
    for await (const piece of wavFile(path, (note) => notes.push(note))) expect(piece.samples.length).toBe(0);
    expect(notes).toEqual(["the file holds no samples"]);
  });
});

describe("rawPcmStream", () => {
  it("joins samples that were cut between two chunks, and drops half a sample at the end", async () => {
    const bytes = Uint8Array.of(0x00, 0x80, 0xff, 0x7f, 0x00, 0x40, 0x01);
    const chunks = [bytes.subarray(0, 1), bytes.subarray(1, 2), bytes.subarray(2, 5), bytes.subarray(5)].map((part) =>
      Buffer.from(part),
    );
    const got: number[] = [];
    const options = { sampleRate: 16_000, stop: never };
    for await (const { samples } of rawPcmStream(Readable.from(chunks), options)) got.push(...samples);
    expect(got).toEqual([-1, 32_767 / 32_768, 0.5]);
  });

  it("ends without an error when it is stopped", async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    for await (const piece of rawPcmStream(new PassThrough(), { sampleRate: 16_000, stop: stop.signal })) {
      throw new Error(`gave ${piece.samples.length} samples`);
    }
  });
});

describe("paced", () => {
  it("gives no piece before its last sample would have been recorded", async () => {
    async function* source() {
      yield { samples: new Float32Array(1_600), sampleRate: 16_000 };
    }
    const started = performance.now();
    let givenMs = 0;
    for await (const { samples } of paced(source(), { stop: never })) {
      givenMs += samples.length / 16;
      // Timers count whole milliseconds.
      expect(performance.now() - started).toBeGreaterThanOrEqual(givenMs - 2);
    }
    expect(givenMs).toBe(100);
  });
});
