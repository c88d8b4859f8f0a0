import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import { route } from "./router.js";

const options = { experts: 4, expertsPerToken: 2, sharedExperts: 1, selectionBias: [0, 0, 0, 0] };

describe("route", () => {
  it("chooses the experts with the largest scores, best first", () => {
    expect(route([0.1, 2, -1, 1, 0], options).chosen).toEqual([1, 3]);
  });

  it("weighs chosen and shared experts by their sigmoid, normalised together", () => {
    const { shares, sharedShares } = route([0.1, 2, -1, 1, 0.5], options);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const sum = sigmoid(2) + sigmoid(1) + sigmoid(0.5);
    expect(shares[0]).toBeCloseTo(sigmoid(2) / sum, 12);
    expect(shares[1]).toBeCloseTo(sigmoid(1) / sum, 12);
    expect(sharedShares[0]).toBeCloseTo(sigmoid(0.5) / sum, 12);
  });

  it("uses the bias to choose and not to weigh", () => {
    const biased = route([0.1, 2, -1, 1, 0], { ...options, selectionBias: [0, 0, 5, 0] });
    expect(biased.chosen).toEqual([2, 1]);
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    expect(biased.shares[0] / biased.shares[1]).toBeCloseTo(sigmoid(-1) / sigmoid(2), 12);
  });

  it("chooses the lower index of equal scores", () => {
    expect(route([1, 1, 1, 1, 0], options).chosen).toEqual([0, 1]);
  });

  it("stays finite for very negative logits", () => {
    const { shares, sharedShares } = route([-900, -901, -902, -903, -900], options);
    expect([...shares, ...sharedShares].reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
    expect(shares[0]).toBeCloseTo(sharedShares[0], 12);
  });

  it("refuses logits of another length, naming both", () => {
    const wrong = () => route([1, 2, 3], options);
    expect(wrong).toThrow(DuplexError);
    expect(wrong).toThrow(/expected logits \[5\].*got \[3\]/);
    expect(() => route([1, 2, 3, 4, 5], { ...options, expertsPerToken: 5 })).toThrow(RangeError);
  });
});
