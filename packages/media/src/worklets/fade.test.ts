import { describe, expect, it } from "vitest";
import { raisedCosine } from "./fade.js";

describe("raisedCosine", () => {
  it("goes from 0 to 1 without a corner, and with its mirror image adds up to 1", () => {
    const gains = raisedCosine(240);
    expect([gains[0], gains[240]]).toEqual([0, 1]);
    for (let i = 1; i <= 240; i++) {
      expect(gains[i]).toBeGreaterThan(gains[i - 1]);
      expect(gains[i] - gains[i - 1]).toBeLessThan(Math.PI / 2 / 240 + 1e-6);
      expect(gains[i] + gains[240 - i]).toBeCloseTo(1, 6);
    }
    expect(gains[1]).toBeLessThan(1e-4);
  });
});
