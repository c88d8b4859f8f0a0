import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import type { ImagePixels } from "./image.js";
import { clipMean, clipStd, encodePatches, PatchEncoder, patchGrid } from "./patches.js";
import { scaleImage } from "./scale-image.js";

// Made by scripts/fixtures/codecs.py from the published processor; origin and tolerance are in the file.
const fixture = JSON.parse(
  readFileSync(new URL("../../../../fixtures/vision-inkling.json", import.meta.url), "utf8"),
) as {
  exact: {
    width: number;
    height: number;
    seed: number;
    shape: number[];
    bytesSha256: string;
    picked: number[];
    values: number[];
  }[];
  scaled: {
    width: number;
    height: number;
    seed: number;
    factor: number;
    shape: number[];
    bytes: string;
    padding: number;
  }[];
  sizes: { width: number; height: number; factor: number | null; tokens: number }[];
};

// Slopes, a circle with a hard edge, and noise, in integers, as the fixture's script makes it.
function picture(width: number, height: number, seed: number, bytes: 3 | 4 = 3): ImagePixels {
  const data = new Uint8Array(width * height * bytes).fill(77);
  let state = seed;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      const noise = (state >>> 24) % 32;
      const inside = (2 * x - width) ** 2 + (2 * y - height) ** 2 < Math.floor((height * height) / 2);
      const at = (y * width + x) * bytes;
      data[at] = Math.floor(Math.floor((x * 255) / width) / 2) + noise;
      data[at + 1] = inside ? 220 : Math.floor((y * 200) / height);
      data[at + 2] = (x * 7 + y * 13 + noise) % 256;
    }
  }
  return { data, width, height };
}

/** Normalised values back to bytes, padding being -1. */
function wholeBytes(values: Float32Array): Int16Array {
  return Int16Array.from(values, (value, i) => Math.round((value * clipStd[i % 3] + clipMean[i % 3]) * 255));
}

describe("equal to the published processor", () => {
  test.each(fixture.exact)("an image of $width x $height", ({ width, height, seed, shape, ...expected }) => {
    for (const bytes of [3, 4] as const) {
      const { values, tokens } = encodePatches(picture(width, height, seed, bytes));
      expect([tokens, 2, 40, 40, 3]).toEqual(shape);
      expect(
        createHash("sha256")
          .update(new Uint8Array(wholeBytes(values).buffer))
          .digest("hex"),
      ).toBe(expected.bytesSha256);
      expected.picked.forEach((position, i) => {
        expect(Math.abs(values[position] - expected.values[i])).toBeLessThan(1e-5);
      });
    }
  });

  test.each(fixture.scaled)("an image of $width x $height scaled by $factor", (expected) => {
    const { width, height, seed, factor, shape } = expected;
    const { values, tokens } = encodePatches(picture(width, height, seed), undefined, { longEdgeScale: factor });
    expect([tokens, 2, 40, 40, 3]).toEqual(shape);
    const published = Buffer.from(expected.bytes, "base64");
    const ours = wholeBytes(values);
    let [padding, different, momentsDiffer] = [0, 0, 0];
    for (let token = 0; token < tokens; token++) {
      for (let i = 0; i < 4800; i++) {
        const value = ours[token * 9600 + i];
        if (ours[token * 9600 + 4800 + i] !== value) momentsDiffer++;
        if (value === -1) padding++;
        else if (value !== published[token * 4800 + i]) different++;
      }
    }
    expect(padding).toBe(expected.padding);
    expect(different).toBe(0);
    expect(momentsDiffer).toBe(0);
  });

  test.each(fixture.sizes)("the count of patches of $width x $height scaled by $factor", (expected) => {
    const { width, height, factor, tokens } = expected;
    expect(new PatchEncoder(factor === null ? {} : { longEdgeScale: factor }).plan(width, height).tokens).toBe(tokens);
  });
});

describe("grid", () => {
  test.each([
    [320, 240, 6, 9],
    [400, 240, 6, 11],
    [480, 270, 7, 13],
    [640, 360, 9, 17],
    [639, 360, 9, 16],
    [640, 480, 12, 17],
    [1280, 720, 18, 33],
    [39, 40, 1, 1],
    [40, 40, 1, 2],
    [1, 1, 1, 1],
  ])("%i x %i has %i rows and %i columns", (width, height, rows, cols) => {
    expect(patchGrid(width, height)).toEqual({ rows, cols });
  });

  test("a width of whole patches ends in a column of padding alone", () => {
    const { values } = encodePatches(picture(40, 40, 1));
    const bytes = wholeBytes(values);
    expect(bytes.subarray(0, 9600).includes(-1)).toBe(false);
    expect(bytes.subarray(9600).every((value) => value === -1)).toBe(true);
  });

  test("padding is below black", () => {
    const { values } = encodePatches({ data: new Uint8Array(3), width: 1, height: 1 });
    for (let c = 0; c < 3; c++) {
      expect(values[c]).toBeCloseTo((0 - clipMean[c]) / clipStd[c], 6);
      expect(values[3 + c]).toBeCloseTo((-1 / 255 - clipMean[c]) / clipStd[c], 6);
    }
  });
});

describe("temporal pairs", () => {
  test("two moments fill one slot each, the earlier first; a still image fills both", () => {
    const [early, late] = [picture(83, 50, 1), picture(83, 50, 2)];
    const pair = encodePatches(early, late).values;
    const still = [encodePatches(early).values, encodePatches(late).values];
    for (let token = 0; token < 6; token++) {
      for (const moment of [0, 1]) {
        const from = token * 9600 + moment * 4800;
        expect(Buffer.compare(bytesOf(pair, from), bytesOf(still[moment], from))).toBe(0);
        expect(Buffer.compare(bytesOf(still[moment], token * 9600), bytesOf(still[moment], from))).toBe(0);
      }
    }
  });

  test("two moments of different size are refused, but not when both are scaled to one", () => {
    expect(() => encodePatches(picture(50, 40, 1), picture(51, 40, 1))).toThrow(/50 x 40 and 51 x 40 after scaling/);
    const size = { width: 39, height: 40 };
    const [a, b] = [picture(78, 80, 1), picture(117, 120, 2)];
    const { values, tokens } = encodePatches(a, b, { size });
    expect(tokens).toBe(1);
    const expected = encodePatches(scaleImage(a, size), scaleImage(b, size)).values;
    expect(Buffer.compare(bytesOf(values), bytesOf(expected))).toBe(0);
  });

  function bytesOf(values: Float32Array, from = 0): Buffer {
    return Buffer.from(
      values.buffer,
      values.byteOffset + 4 * from,
      from === 0 && values.length < 9600 ? undefined : 4 * 4800,
    );
  }
});

describe("token budget", () => {
  test.each([
    [640, 480, 66],
    [640, 480, 1],
    [480, 640, 66],
    [1920, 1080, 100],
    [4000, 3, 5],
    [3, 4000, 5],
    [1279, 720, 594],
  ])("%i x %i within %i patches is the largest size that fits", (width, height, maxPatchTokens) => {
    const encoder = new PatchEncoder({ maxPatchTokens });
    const plan = encoder.plan(width, height);
    expect(plan.tokens).toBeLessThanOrEqual(maxPatchTokens);
    expect(plan.tokens).toBe(plan.rows * plan.cols);
    // One pixel more on the long side would be too much.
    const side = (length: number) => Math.max(1, Math.floor(length + 0.5));
    const longEdge = Math.max(width, height);
    const ratio = (Math.max(plan.width, plan.height) + 1) / longEdge;
    if (ratio <= 1) {
      const { rows, cols } = patchGrid(side(width * ratio), side(height * ratio));
      expect(rows * cols).toBeGreaterThan(maxPatchTokens);
    } else expect([plan.width, plan.height]).toEqual([width, height]);
    if (Math.min(plan.width, plan.height) > 20) {
      expect(plan.width / plan.height).toBeCloseTo(width / height, 1);
    }
  });

  test("an image within the budget stays as it is", () => {
    const image = picture(83, 50, 1);
    const { values } = encodePatches(image, undefined, { maxPatchTokens: 6 });
    expect(wholeBytes(values)).toEqual(wholeBytes(encodePatches(image).values));
    expect(encodePatches(image, undefined, { maxPatchTokens: 5 }).tokens).toBeLessThanOrEqual(5);
  });

  test("limits scaling up as well", () => {
    const plan = new PatchEncoder({ longEdgeScale: 2, maxPatchTokens: 70 }).plan(400, 240);
    expect(plan.tokens).toBeLessThanOrEqual(70);
    expect(plan.width).toBeGreaterThanOrEqual(400);
  });
});

describe("an encoder", () => {
  test("gives the same for the same image, whatever came before, and reuses its buffer", () => {
    const encoder = new PatchEncoder({ maxPatchTokens: 4 });
    const expected = wholeBytes(encoder.encode(picture(120, 90, 1)).values);
    encoder.encode(picture(64, 64, 9));
    encoder.encode(picture(120, 90, 2), picture(120, 90, 3));
    const first = encoder.encode(picture(120, 90, 1)).values;
    expect(wholeBytes(first)).toEqual(expected);
    expect(encoder.encode(picture(120, 90, 4)).values).toBe(first);
  });
});

describe("bad input", () => {
  test.each([
    [0, 0, 0],
    [2, 2, 11],
    [2, 2, 20],
    [-1, -1, 3],
    [1.5, 2, 9],
    [Number.NaN, 1, 3],
  ])("%d x %d with %i bytes is refused", (width, height, length) => {
    let thrown: unknown;
    try {
      encodePatches({ data: new Uint8Array(length), width, height });
    } catch (error) {
      thrown = error;
    }
    expect(DuplexError.is(thrown, "IMAGE_INVALID")).toBe(true);
    expect((thrown as Error).message).toMatch(`got ${width} x ${height} with ${length} bytes`);
  });

  test("an image of too many patches is refused when there is no budget", () => {
    expect(() => new PatchEncoder().plan(20_000, 20_000)).toThrow(/set maxPatchTokens/);
    expect(new PatchEncoder({ maxPatchTokens: 100 }).plan(20_000, 20_000).tokens).toBeLessThanOrEqual(100);
  });

  test("options out of range are refused", () => {
    expect(() => new PatchEncoder({ maxPatchTokens: 0 })).toThrow(RangeError);
    expect(() => new PatchEncoder({ longEdgeScale: 0 })).toThrow(RangeError);
    expect(() => new PatchEncoder({ longEdgeCap: 1.5 })).toThrow(RangeError);
    expect(() => new PatchEncoder({ size: { width: 0, height: 40 } })).toThrow(RangeError);
    expect(() => new PatchEncoder({ size: { width: 40, height: 40 }, maxPatchTokens: 1 })).toThrow(/which has 2/);
    expect(() => new PatchEncoder({ size: { width: 39, height: 40 }, longEdgeScale: 2 })).toThrow(TypeError);
  });
});
