import { describe, expect, it } from "vitest";
import { growthOf, isNoGrowth, slopeOf } from "./memory.js";
import { goalsSection, inWords, percentiles, table } from "./report.js";

describe("percentiles", () => {
  it("takes the nearest rank", () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(percentiles(values)).toEqual({ count: 200, p50: 100, p95: 190, p99: 198, max: 200 });
    expect(inWords(percentiles([1.234]))).toBe("p50 1.2, p95 1.2, p99 1.2 ms");
    expect(() => percentiles([])).toThrow(RangeError);
  });
});

describe("slopeOf", () => {
  it("finds the slope of a line and no error in it", () => {
    const { slope, error } = slopeOf([0, 1, 2, 3], [5, 7, 9, 11]);
    expect(slope).toBeCloseTo(2, 12);
    expect(error).toBeCloseTo(0, 12);
  });

  it("tells noise from growth by its standard error", () => {
    const x = Array.from({ length: 400 }, (_, i) => i / 400);
    const noise = x.map((_, i) => ((i * 7919) % 101) / 101);
    const flat = slopeOf(x, noise);
    expect(Math.abs(flat.slope)).toBeLessThan(3 * flat.error);
    const growing = slopeOf(
      x,
      noise.map((value, i) => value + 2 * x[i]),
    );
    expect(growing.slope).toBeGreaterThan(10 * growing.error);
  });

  /** Whether nine readings of this shape around 271 MiB, with the noise that is usual, count as no growth. */
  const held = (shape: (i: number) => number) => {
    const hours = Array.from({ length: 9 }, (_, i) => i / 9);
    const noise = [0.02, -0.04, 0.03, 0, -0.02, 0.04, -0.03, 0.01, 0];
    return isNoGrowth(
      slopeOf(
        hours,
        noise.map((value, i) => 271 + value + shape(i)),
      ),
      271,
    );
  };

  it("does not take noise for a leak", () => {
    expect(held(() => 0)).toBe(true);
  });

  it("finds a leak of 200 bytes per micro-turn", () => {
    const leak = (200 * 18_000) / 2 ** 20;
    expect(held((i) => (leak * i) / 9)).toBe(false);
  });

  it("finds one large step, whatever its error", () => {
    expect(held((i) => (i < 6 ? 0 : 5))).toBe(false);
    expect(isNoGrowth({ slope: 3, error: 5 }, 271)).toBe(false);
  });
});

describe("growthOf", () => {
  /** Four hours of readings around 318 MiB that go in steps up and down, as V8 takes pages and gives them back. */
  const hours = Array.from({ length: 960 }, (_, i) => i / 240);
  const steps = (at: number) => [0, 0.5, 0.5, 0.25, 0.5, 0.25, 0, 0.5, 0.25][Math.floor(2 * at)] ?? 0;
  const held = (leak: number) =>
    isNoGrowth(
      growthOf(
        hours,
        hours.map((at) => 318 + steps(at) + leak * at),
        9,
      ),
      318,
    );

  it("is the mean of what it rises or falls by from stretch to stretch, and its error", () => {
    const { slope, error, means } = growthOf([0, 1, 2, 3, 4, 5], [0, 2, 3, 5, 2, 4], 3);
    expect(means).toEqual([1, 4, 3]);
    expect(slope).toBeCloseTo(0.5, 12); // +3 and -1 in two hours each
    expect(error).toBeCloseTo(1, 12);
    expect(growthOf([0, 1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 2, 3, 3], 3).means).toEqual([1, 1.5, 8 / 3]);
    expect(() => growthOf([0, 1], [0, 1], 3)).toThrow(RangeError);
  });

  it("is none where memory rises slowly and is given back at once, again and again", () => {
    const saw = hours.map((at) => 315 + 2 * (at % 1));
    expect(isNoGrowth(growthOf(hours, saw, 9), 315)).toBe(true);
  });

  it("takes steps up and down for noise, and finds a leak of 64 bytes per micro-turn beside them", () => {
    expect(held(0)).toBe(true);
    expect(held((64 * 18_000) / 2 ** 20)).toBe(false);
    expect(held((200 * 18_000) / 2 ** 20)).toBe(false);
  });
});

it("aligns the columns of a table", () => {
  const text = table({
    title: "T",
    rows: [
      { name: "a", value: "1", note: "n" },
      { name: "long", value: "22" },
    ],
  });
  expect(text).toBe("T\n  a     1   n\n  long  22");
});

it("tells which goals were held, of all sections that have some", () => {
  const goal = (name: string, held: boolean) => ({ name, value: "1 ms", goal: "at most 2 ms", held });
  const section = (...goals: ReturnType<typeof goal>[]) => ({ title: "", rows: [], goals });
  const goals = goalsSection([section(goal("a", true)), { title: "", rows: [] }, section(goal("b", false))]);
  expect(table(goals).split("\n")).toEqual([
    "Goals (1 of 2 held on this machine)",
    "  a  1 ms  held    at most 2 ms",
    "  b  1 ms  MISSED  at most 2 ms",
  ]);
});
