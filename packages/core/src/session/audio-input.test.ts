import { describe, expect, it } from "vitest";
import { resample } from "../audio/resampler.js";
import { AudioInput } from "./audio-input.js";
import { InputBuffer } from "./input-buffer.js";
import { SeededRandom } from "./random.js";

function noise(length: number, seed = 1): Float32Array {
  const random = new SeededRandom(seed);
  return Float32Array.from({ length }, () => random.next() - 0.5);
}

/** An input whose samples a test takes by hand. */
function inputOf({ capacity = 16_000, highWater = 6400 } = {}) {
  let received = 0;
  let taken = 0;
  const input = new AudioInput({
    sampleRate: 16_000,
    capacity,
    highWater,
    position: 0,
    onSamples: ({ length: count }) => {
      received += count;
    },
  });
  const take = (count: number) => {
    const samples = input.take(taken, count);
    taken += count;
    input.pump();
    return samples;
  };
  return { input, take, received: () => received, waiting: () => received - taken };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const marker = Symbol();
  await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(marker)])) === marker;
}

describe("InputBuffer", () => {
  it("gives back what went in, across its end, for any sizes (rule 1)", () => {
    const buffer = new InputBuffer(1000, 77);
    const samples = noise(20_000);
    const random = new SeededRandom(2);
    let written = 0;
    let read = 0;
    while (read < samples.length) {
      const in_ = Math.min(buffer.room, Math.floor(random.next() * 700), samples.length - written);
      buffer.write(samples.subarray(written, written + in_));
      written += in_;
      const out = Math.min(buffer.length, Math.floor(random.next() * 700));
      expect(buffer.take(77 + read, out)).toEqual(samples.slice(read, read + out));
      read += out;
    }
  });

  it("gives zeros for what has not come, and refuses what does not fit or is gone", () => {
    const buffer = new InputBuffer(10);
    buffer.write(Float32Array.of(1, 2, 3));
    expect(buffer.take(1, 4)).toEqual(Float32Array.of(2, 3, 0, 0));
    expect(() => buffer.take(0, 1)).toThrow(RangeError);
    expect(() => buffer.write(new Float32Array(11))).toThrow(RangeError);
  });
});

describe("AudioInput", () => {
  it("resolves a write once no more than the high-water mark waits (rule 3)", async () => {
    const { input, take } = inputOf();
    const first = input.write(noise(6400), 16_000);
    expect(await isPending(first)).toBe(false);
    const second = input.write(noise(3200), 16_000);
    expect(await isPending(second)).toBe(true);
    take(3200);
    expect(await isPending(second)).toBe(false);
  });

  it("copies what it cannot take at once, so that a microphone may reuse its buffer (rule 1)", async () => {
    const { input, take } = inputOf({ capacity: 4000 });
    const buffer = new Float32Array(1600).fill(1);
    for (let i = 0; i < 4; i++) {
      buffer.fill(i + 1);
      void input.write(buffer, 16_000);
    }
    buffer.fill(99);
    const all = [...take(4000), ...take(2400)];
    expect([all[0], all[1600], all[3200], all[4800], all[6399]]).toEqual([1, 2, 3, 4, 4]);
  });

  it("takes a write longer than it can hold piece by piece, at another rate too (rule 8)", async () => {
    const { input, take, waiting } = inputOf({ capacity: 8000 });
    const recording = noise(48_000 * 5);
    const write = input.write(recording, 48_000);
    const finished = input.finish();
    const out: number[] = [];
    for (let i = 0; i < 100 && out.length < 80_000; i++) {
      expect(waiting()).toBeLessThanOrEqual(8000);
      await Promise.resolve();
      out.push(...take(Math.min(waiting(), 3200)));
    }
    await write;
    await finished;
    out.push(...take(waiting()));
    const whole = resample(recording, { inputRate: 48_000, outputRate: 16_000 });
    const delay = out.length - whole.length;
    expect(delay).toBe(32);
    expect(Float32Array.from(out.slice(delay))).toEqual(whole);
  });

  it("takes another rate after the rest of the one before (rule 1)", async () => {
    const { input, received } = inputOf({ capacity: 100_000, highWater: 100_000 });
    await input.write(noise(44_100), 44_100);
    await input.write(noise(16_000), 16_000);
    await input.write(noise(48_000), 48_000);
    await input.finish();
    const tails = received() - 48_000;
    expect(tails).toBeGreaterThan(0);
    expect(tails).toBeLessThan(100);
  });

  it("keeps room for the rest of a resampler when the next rate fills the ring (rules 1 and 8)", async () => {
    const { input, take, received, waiting } = inputOf();
    await input.write(noise(4800), 48_000);
    const loud = input.write(noise(40_000), 16_000);
    while (waiting() > 6400) take(3200);
    await loud;
    await input.finish();
    expect(received()).toBe(1600 + 32 + 40_000);
  });

  it("refuses a write whole when too many wait, and takes it later (rule 8)", async () => {
    const { input, take } = inputOf({ capacity: 4000 });
    for (let i = 0; i < 4; i++) void input.write(noise(2000), 16_000);
    expect(() => input.write(noise(2000), 16_000)).toThrow(expect.objectContaining({ code: "INPUT_OVERFLOW" }));
    take(4000);
    expect(() => input.write(noise(2000), 16_000)).not.toThrow();
    expect(take(6000)).toHaveLength(6000);
  });
});
