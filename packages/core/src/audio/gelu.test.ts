import { describe, expect, it } from "vitest";
import { erf, gelu } from "./gelu.js";

/** Series (Abramowitz and Stegun 7.1.6) inside, continued fraction (7.1.14) outside: about 1e-15. */
function erfPlain(x: number): number {
  const size = Math.abs(x);
  if (size < 2.5) {
    let term = size;
    let sum = size;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * size * size) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * sum;
  }
  let fraction = size;
  for (let n = 100; n >= 1; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * fraction));
}

describe("erf", () => {
  it("is that of the series and the continued fraction", () => {
    let most = 0;
    for (let x = -7; x <= 7; x += 0.001) most = Math.max(most, Math.abs(erf(x) - erfPlain(x)));
    expect(most).toBeLessThan(1e-9);
    let inside = 0;
    for (let x = -4; x <= 4; x += 0.001) inside = Math.max(inside, Math.abs(erf(x) - erfPlain(x)));
    expect(inside).toBeLessThan(2e-15);
    expect(erf(0)).toBe(0);
  });
});

describe("gelu", () => {
  it("has the values of its definition", () => {
    // Phi(1) = 0.8413447460685429, Phi(-2) = 0.02275013194817921 (tables of the normal distribution).
    expect(gelu(1)).toBeCloseTo(0.8413447460685429, 14);
    expect(gelu(-2)).toBeCloseTo(-0.04550026389635842, 14);
    expect(gelu(40)).toBe(40);
    expect(gelu(-40)).toBeCloseTo(0, 14);
  });
});
