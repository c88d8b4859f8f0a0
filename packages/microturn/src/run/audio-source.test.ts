import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { WavWriter, writeWav } from "@microturn/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { paced, soundStream, wavFile } from "./audio-source.js";

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

  it("refuses a file without samples", async () => {
    const path = join(folder, "empty.wav");
    const file = await open(path, "w");
    await file.write(new WavWriter({ sampleRate: 16_000 }).closedHeader());
    await file.close();
    const notes: string[] = [];
    const reading = (async () => {
      for await (const piece of wavFile(path, (note) => notes.push(note))) expect(piece.samples.length).toBe(0);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "AUDIO_INVALID",
      message: expect.stringContaining("without samples"),
    });
    expect(notes).toEqual([]);
  });
});

describe("soundStream", () => {
  it("joins samples that were cut between two chunks, and drops half a sample at the end", async () => {
    const bytes = Uint8Array.of(0x00, 0x80, 0xff, 0x7f, 0x00, 0x40, 0x01);
    const chunks = [bytes.subarray(0, 1), bytes.subarray(1, 2), bytes.subarray(2, 5), bytes.subarray(5)].map((part) =>
      Buffer.from(part),
    );
    const got: number[] = [];
    const options = { sampleRate: 16_000, stop: never };
    for await (const { samples } of soundStream(Readable.from(chunks), options)) got.push(...samples);
    expect(got).toEqual([-1, 32_767 / 32_768, 0.5]);
  });

  it("reads a WAV file by its own header, however its bytes are cut, also without a length", async () => {
    const wav = Buffer.from(
      writeWav(
        Float32Array.from({ length: 300 }, (_, i) => i / 300),
        { sampleRate: 8_000 },
      ),
    );
    wav.writeUInt32LE(0xffffffff, 40);
    for (const size of [1, 3, 44, 1_000]) {
      const cut = Array.from({ length: Math.ceil(wav.length / size) }, (_, i) =>
        wav.subarray(i * size, (i + 1) * size),
      );
      const got: number[] = [];
      for await (const { samples, sampleRate } of soundStream(Readable.from(cut), {
        sampleRate: 16_000,
        stop: never,
      })) {
        expect(sampleRate).toBe(8_000);
        got.push(...samples);
      }
      expect(got).toHaveLength(300);
      expect(got[150]).toBeCloseTo(0.5, 3);
    }
  });

  it("knows every kind of WAV file, and refuses what is damaged instead of playing it as raw sound", async () => {
    const wav = Buffer.from(writeWav(new Float32Array(300).fill(0.5), { sampleRate: 8_000 }));
    const marked = (mark: string) => Buffer.concat([Buffer.from(mark), wav.subarray(4)]);
    const read = async (bytes: Buffer) => {
      let samples = 0;
      for await (const piece of soundStream(Readable.from([bytes]), { sampleRate: 16_000, stop: never })) {
        expect(piece.sampleRate).toBe(8_000);
        samples += piece.samples.length;
      }
      return samples;
    };
    expect(await read(marked("BW64"))).toBe(300);
    const refused = [
      { bytes: marked("RIFX"), message: "big-endian" },
      { bytes: wav.subarray(0, 20), message: "ends after 20 bytes" },
      { bytes: wav.subarray(0, 44), message: "without samples" },
    ];
    for (const { bytes, message } of refused) {
      await expect(read(bytes)).rejects.toMatchObject({
        code: "AUDIO_INVALID",
        message: expect.stringContaining(message),
      });
    }
    expect(await read(wav.subarray(0, 44 + 100))).toBe(50);
  });

  it("ends without an error when it is stopped", async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    for await (const piece of soundStream(new PassThrough(), { sampleRate: 16_000, stop: stop.signal })) {
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
