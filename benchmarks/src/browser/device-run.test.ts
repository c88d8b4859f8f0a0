import { describe, expect, it } from "vitest";
import { type DeviceTurn, differenceOf } from "./device-run.js";

const turn = (change: Partial<DeviceTurn> = {}): DeviceTurn => ({
  words: "speak|one|",
  levels: Int32Array.of(1, 2, 3),
  experts: Float32Array.of(0.5, 0.5, 0.2, 0.8),
  expertsPerLayer: 2,
  speech: Float32Array.of(0.5, 0),
  stepMs: 1,
  ...change,
});

describe("differenceOf", () => {
  it("finds none between equal runs, and takes rounding for none", () => {
    const rounded = turn({ experts: Float32Array.of(0.500_000_1, 0.499_999_9, 0.2, 0.8) });
    const difference = differenceOf([turn(), turn()], [turn(), rounded]);
    expect(difference).toMatchObject({ turns: 2, otherWords: 0, otherLevels: 0, levels: 6, routerFlips: 0, layers: 4 });
    expect(difference.mostShare).toBeGreaterThan(0);
    expect(difference.mostShare).toBeLessThan(1e-6);
    expect(difference).not.toHaveProperty("firstDifference");
  });

  it("counts words, levels and layers that differ, and names the first micro-turn of them", () => {
    const difference = differenceOf(
      [turn(), turn(), turn({ words: "listen||", speech: new Float32Array(2) })],
      [
        turn(),
        turn({ levels: Int32Array.of(1, 3, 4), experts: Float32Array.of(0.5, 0.5, 0.25, 0.75) }),
        turn({ speech: Float32Array.of(0.25, 0) }),
      ],
    );
    expect(difference).toMatchObject({
      otherWords: 1,
      otherLevels: 2,
      routerFlips: 1,
      speaking: 2,
      firstDifference: 1,
    });
    expect(difference.mostSample).toBe(0.25);
    expect(difference.mostShare).toBeCloseTo(0.05);
  });

  it("refuses runs of different length", () => {
    expect(() => differenceOf([turn()], [])).toThrow(RangeError);
  });
});
