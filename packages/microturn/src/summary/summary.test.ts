import { describe, expect, it } from "vitest";
import { LevelMeter, speechSegments } from "./speech-activity.js";
import { percentile, summarise } from "./summary.js";

/** Levels per 10 ms with 0.1 in the given stretches (ms) and 0.0005 of noise elsewhere. */
function voice(totalMs: number, ...stretches: readonly [startMs: number, endMs: number][]): Float32Array {
  const levels = new Float32Array(totalMs / 10).fill(0.0005);
  for (const [start, end] of stretches) levels.fill(0.1, start / 10, end / 10);
  return levels;
}

describe("LevelMeter", () => {
  it("gives the same levels however the samples are cut", () => {
    const samples = Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i / 7) * (i / 16_000));
    const whole = new LevelMeter(16_000);
    whole.push(samples);
    const cut = new LevelMeter(16_000);
    for (let at = 0; at < samples.length; at += 333) cut.push(samples.subarray(at, at + 333));
    expect(whole.levels.length).toBe(100);
    expect(cut.levels).toEqual(whole.levels);
    expect(whole.levels[99]).toBeCloseTo(Math.SQRT1_2, 1);
  });
});

describe("speechSegments", () => {
  it("joins short gaps, drops clicks, and hears nothing in silence", () => {
    const levels = voice(3_000, [500, 800], [900, 1_200], [2_000, 2_030]);
    expect(speechSegments(levels)).toEqual([{ startMs: 500, endMs: 1_200 }]);
    expect(speechSegments(new Float32Array(100))).toEqual([]);
    expect(speechSegments(new Float32Array(0))).toEqual([]);
  });
});

describe("summarise", () => {
  it("measures take-over from the end of the user's speech to the first sound of the reply", () => {
    const summary = summarise({
      userLevels: voice(10_000, [500, 1_500], [6_000, 7_000]),
      assistantLevels: voice(10_000, [2_100, 3_000], [3_500, 4_000], [7_400, 8_000]),
      stepMs: [5, 6, 7, 100],
      late: 1,
    });
    expect(summary).toEqual({
      userTurns: 2,
      replies: 2,
      takeOverMs: [600, 400],
      overlaps: 0,
      stepP50Ms: 6,
      stepP99Ms: 100,
      late: 1,
    });
  });

  it("counts a reply that begins while the user speaks as an overlap, not as a fast take-over", () => {
    const summary = summarise({
      userLevels: voice(5_000, [500, 3_000]),
      assistantLevels: voice(5_000, [2_000, 2_500]),
      stepMs: [],
      late: 0,
    });
    expect(summary.overlaps).toBe(1);
    expect(summary.takeOverMs).toEqual([]);
    expect(summary.stepP50Ms).toBeNaN();
  });
});

describe("percentile", () => {
  it("takes the nearest rank", () => {
    expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
    expect(percentile([4, 1, 3, 2], 0.99)).toBe(4);
    expect(percentile([7], 0)).toBe(7);
  });
});
