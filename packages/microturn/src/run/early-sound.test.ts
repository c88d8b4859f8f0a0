import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { SoundPiece } from "./audio-source.js";
import { EarlySound } from "./early-sound.js";

const piece = (value: number): SoundPiece => ({ samples: new Float32Array(1_600).fill(value), sampleRate: 16_000 });

/** A source that gives a piece of 100 ms whenever it is told to. */
function hand() {
  type Result = IteratorResult<SoundPiece> | Promise<never>;
  const waiting: ((result: Result) => void)[] = [];
  const ready: Result[] = [];
  const put = (result: Result) => {
    const take = waiting.shift();
    if (take === undefined) ready.push(result);
    else take(result);
  };
  const source: AsyncIterable<SoundPiece> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const there = ready.shift();
        return there === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(there);
      },
    }),
  };
  return {
    source,
    give: (value: number) => put({ done: false, value: piece(value) }),
    end: () => put({ done: true, value: undefined }),
    fail: (error: Error) => put(Promise.reject(error)),
  };
}

async function values(rest: AsyncIterable<SoundPiece>): Promise<number[]> {
  const got: number[] = [];
  for await (const { samples } of rest) got.push(samples[0]);
  return got;
}

describe("EarlySound", () => {
  it("leaves out what a microphone gave before the model was ready, and says how much", async () => {
    const { source, give, end } = hand();
    const early = new EarlySound(source, () => 3_000);
    for (let i = 1; i <= 30; i++) give(i);
    await sleep(1);
    const dropped: number[] = [];
    const rest = values(early.rest((ms) => dropped.push(ms)));
    for (let i = 31; i <= 33; i++) give(i);
    end();
    expect(await rest).toEqual([31, 32, 33]);
    expect(dropped).toEqual([expect.closeTo(3_000, 6)]);
  });

  it("keeps all of what comes faster than a microphone, and stops reading it for a while", async () => {
    const { source, give, end } = hand();
    const early = new EarlySound(source, () => 100);
    for (let i = 1; i <= 30; i++) give(i);
    end();
    await sleep(1);
    expect(await values(early.rest(() => expect.unreachable()))).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });

  it("keeps all of what has ended by then", async () => {
    const { source, give, end } = hand();
    const early = new EarlySound(source, () => 3_000);
    give(1);
    end();
    await sleep(1);
    expect(await values(early.rest(() => expect.unreachable()))).toEqual([1]);
  });

  it("keeps what came before the source failed", async () => {
    const { source, give, fail } = hand();
    const early = new EarlySound(source, () => 3_000);
    give(1);
    give(2);
    await sleep(1);
    fail(new Error("damaged"));
    await sleep(1);
    const got: number[] = [];
    const reading = (async () => {
      for await (const { samples } of early.rest(() => expect.unreachable())) got.push(samples[0]);
    })();
    await expect(reading).rejects.toThrow("damaged");
    expect(got).toEqual([1, 2]);
  });

  it("fails when the rest is asked for, not before", async () => {
    const source: AsyncIterable<SoundPiece> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("no such device")) }),
    };
    const early = new EarlySound(source);
    await sleep(1);
    await expect(values(early.rest(() => {}))).rejects.toThrow("no such device");
  });
});
