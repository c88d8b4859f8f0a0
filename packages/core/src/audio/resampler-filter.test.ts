import { describe, expect, test } from "vitest";
import { atOnce, keepRecent } from "./keep-recent.js";
import { defaultResamplerQuality, designPolyphase, type ResamplerQuality } from "./resampler-filter.js";
import { halfOfLowPass } from "./resampler-low-pass.js";

const design = (...figures: Parameters<typeof designPolyphase>) => atOnce(designPolyphase(...figures));

/** The modified Bessel function of order 0, by its power series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-18; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** The plain reference: the formula at every tap. The window is 0 beyond `reach`, which is meant to be a hair wider than it is. */
function plainTable(inputRate: number, outputRate: number, { zeroCrossings, beta, cutoff }: ResamplerQuality) {
  const { up, down, taps, rows, table, delaySamples } = design(inputRate, outputRate, {
    zeroCrossings,
    beta,
    cutoff,
  });
  const stretch = Math.max(1, down / up);
  const reach = zeroCrossings * stretch;
  const weights = Float64Array.from(table, (_, i) => {
    const distance = Math.floor(i / taps) / rows + (taps - 1 - (i % taps)) - (delaySamples * down) / up;
    if (Math.abs(distance) > reach * (1 + 1e-9)) return 0;
    const angle = (Math.PI * cutoff * distance) / stretch;
    const window = bessel(beta * Math.sqrt(Math.max(0, 1 - (distance / reach) ** 2))) / bessel(beta);
    return angle === 0 ? window : (window * Math.sin(angle)) / angle;
  });
  return weights.map((weight, i) => {
    const start = i - (i % taps);
    return weight / weights.subarray(start, start + taps).reduce((a, b) => a + b);
  });
}

describe("the taps are those of the formula", () => {
  test.each<[number, number, Partial<ResamplerQuality>, number]>([
    [48_000, 16_000, {}, 1e-14],
    [16_000, 48_000, {}, 1e-14],
    [16_000, 48_000, { zeroCrossings: 1, beta: 0 }, 1e-14],
    [44_100, 16_000, {}, 1e-14],
    [16_000, 44_100, {}, 1e-14],
    [16_000, 44_100, { beta: 0, cutoff: 1 }, 1e-14],
    [44_100, 24_000, { beta: 20 }, 1e-14],
    [12_345, 16_001, { zeroCrossings: 2, beta: 20 }, 1e-14],
    [47_999, 16_000, { zeroCrossings: 3, beta: 14 }, 1e-14],
  ])("%i to %i Hz, %o, within %d", (inputRate, outputRate, figures, tolerance) => {
    const quality = { ...defaultResamplerQuality, ...figures };
    const { table } = design(inputRate, outputRate, quality);
    const expected = plainTable(inputRate, outputRate, quality);
    let largest = 0;
    for (let i = 0; i < table.length; i++) largest = Math.max(largest, Math.abs(table[i] - expected[i]));
    expect(largest).toBeLessThan(tolerance);
  });
});

describe("what was made before is used again", () => {
  test("two streams of one ratio and quality share a table, those of another quality do not", () => {
    const { table } = design(44_100, 16_000, defaultResamplerQuality);
    expect(design(44_100, 16_000, { ...defaultResamplerQuality }).table).toBe(table);
    expect(design(44_100, 16_000, { ...defaultResamplerQuality, beta: 8 }).table).not.toBe(table);
    expect(design(48_000, 16_000, defaultResamplerQuality).table).toBe(
      design(24_000, 8000, defaultResamplerQuality).table,
    );
  });

  test("both directions share a curve: its values, up to a row's sum, are the taps of either", () => {
    const half = atOnce(halfOfLowPass(441, defaultResamplerQuality));
    expect(atOnce(halfOfLowPass(441, defaultResamplerQuality))).toBe(half);
    for (const [inputRate, outputRate] of [
      [44_100, 16_000],
      [16_000, 44_100],
    ]) {
      const { table, taps, up, down, delaySamples } = design(inputRate, outputRate, defaultResamplerQuality);
      for (const row of [0, 1, up - 1]) {
        const weights = Array.from({ length: taps }, (_, tap) => {
          return half[Math.abs(row + (taps - 1 - tap) * up - delaySamples * down)] ?? 0;
        });
        const sum = weights.reduceRight((a, b) => a + b);
        expect([...table.subarray(row * taps, (row + 1) * taps)]).toEqual(weights.map((weight) => weight / sum));
      }
    }
  });

  test("eight results are kept, the oldest goes first, and one of more than half a megabyte is not kept", () => {
    const kept = new Map<string, Float64Array>();
    const get = (key: string, length = 1) => {
      const make = function* () {
        yield length;
        return new Float64Array(length);
      };
      return atOnce(keepRecent(kept, key, make));
    };
    const first = get("first");
    const second = get("second");
    for (let i = 0; i < 6; i++) get(`${i}`);
    expect(get("first")).toBe(first);
    get("another");
    expect(kept.size).toBe(8);
    expect(get("first")).toBe(first);
    expect(get("second")).not.toBe(second);
    const large = get("large", 65_537);
    expect(large.length).toBe(65_537);
    expect(kept.has("large")).toBe(false);
  });
});
