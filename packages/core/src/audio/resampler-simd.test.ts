import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import wabt from "wabt";
import { atOnce } from "./keep-recent.js";
import { defaultResamplerQuality, designPolyphase } from "./resampler-filter.js";
import { blockSamples, plainKernel, type ResamplerKernel } from "./resampler-kernel.js";
import { makeSimdKernel, simdBytes, simdKernel } from "./resampler-simd.js";

declare const WebAssembly: NonNullable<Parameters<typeof makeSimdKernel>[0]>;

const design = (...figures: Parameters<typeof designPolyphase>) => atOnce(designPolyphase(...figures));

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** All outputs of a stream that comes in blocks of random lengths, as bits. */
function bitsOf(kernel: ResamplerKernel, rates: [number, number], scale: number, quality = defaultResamplerQuality) {
  const filter = design(...rates, quality);
  const next = random(7);
  let history = new Float64Array(filter.taps - 1);
  let [skip, phase] = [0, 0];
  const bits: number[] = [];
  for (const length of [
    1,
    blockSamples,
    2,
    31,
    0,
    blockSamples - 1,
    ...Array.from({ length: 9 }, () => next() * 900),
  ]) {
    const input = Float32Array.from({ length }, () => scale * (2 * next() - 1));
    const reach = (input.length - skip) * filter.up - phase;
    const output = new Float32Array(Math.max(0, Math.ceil(reach / filter.down)));
    kernel.run(filter, { history, input, skip, phase }, output);
    bits.push(...new Uint32Array(output.buffer));
    const position = phase + output.length * filter.down;
    skip += Math.floor(position / filter.up) - input.length;
    phase = position % filter.up;
    history = Float64Array.from([...history, ...input]).slice(-history.length);
  }
  return bits;
}

describe("the bits are those of the plain kernel", () => {
  test.each<[number, number]>([
    [24_000, 16_000],
    [16_000, 24_000],
    [48_000, 16_000],
    [16_000, 48_000],
    [8000, 16_000],
    [32_000, 24_000],
    [12_000, 192_000],
    [192_000, 8000],
    [11_250, 12_000],
    [180_000, 12_000],
    [44_100, 16_000],
    [16_000, 44_100],
    [44_100, 24_000],
    [24_000, 44_100],
    [44_100, 48_000],
    [8000, 191_000],
  ])("%i to %i Hz", (...rates) => {
    const kernel = simdKernel(design(...rates, defaultResamplerQuality));
    expect(kernel).toBeDefined();
    for (const scale of [1, 3.4e38, 1e-44]) {
      const bits = bitsOf(kernel as ResamplerKernel, rates, scale);
      expect(bits.length).toBeGreaterThan(300);
      expect(bits).toEqual(bitsOf(plainKernel, rates, scale));
    }
  });

  test.each<[string, [number, number], number]>([
    ["the shortest filter", [48_000, 16_000], 1],
    ["a long one", [48_000, 16_000], 255],
    ["the widest step of many phases", [191_706, 8010], 5],
    ["the widest step of more phases", [192_000, 8040], 5],
  ])("with %s", (_, rates, zeroCrossings) => {
    const quality = { zeroCrossings, beta: 7, cutoff: 0.9 };
    const kernel = simdKernel(design(...rates, quality));
    expect(kernel).toBeDefined();
    expect(bitsOf(kernel as ResamplerKernel, rates, 1, quality)).toEqual(bitsOf(plainKernel, rates, 1, quality));
  });
});

test("one kernel takes turns between streams of different filters", () => {
  const filters = [
    design(44_100, 16_000, defaultResamplerQuality),
    design(16_000, 44_100, defaultResamplerQuality),
    design(16_000, 48_000, defaultResamplerQuality),
  ];
  const kernel = simdKernel(filters[0]) as ResamplerKernel;
  const next = random(3);
  const input = Float32Array.from({ length: blockSamples }, () => 2 * next() - 1);
  for (const filter of [...filters, ...filters]) {
    const block = { history: new Float64Array(filter.taps - 1), input, skip: 0, phase: 1 };
    const [output, expected] = [new Float32Array(700), new Float32Array(700)];
    kernel.run(filter, block, output);
    plainKernel.run(filter, block, expected);
    expect(output).toEqual(expected);
  }
});

test("the bytes are those of resampler-kernel.wat", async () => {
  const source = await readFile(new URL("resampler-kernel.wat", import.meta.url), "utf8");
  const { buffer } = (await wabt()).parseWat("resampler-kernel.wat", source, { simd: true }).toBinary({});
  expect(simdBytes).toBe(Buffer.from(buffer).toString("hex"));
});

test("interpolated phases, large tables and long filters are left to the plain kernel", () => {
  expect(simdKernel(design(44_100, 16_000, { ...defaultResamplerQuality, zeroCrossings: 64 }))).toBeUndefined();
  expect(simdKernel(design(12_345, 16_001, { zeroCrossings: 1, beta: 7, cutoff: 0.9 }))).toBeUndefined();
  expect(simdKernel(design(192_000, 8000, { ...defaultResamplerQuality, zeroCrossings: 256 }))).toBeUndefined();
});

test("a platform without WebAssembly, without SIMD, or that forbids to compile has none", () => {
  const refuses = class {
    constructor() {
      throw new Error("refused by Content Security Policy");
    }
  };
  expect(makeSimdKernel(undefined)).toBeUndefined();
  expect(makeSimdKernel({ ...{ Instance: WebAssembly.Instance }, Module: refuses })).toBeUndefined();
  expect(makeSimdKernel(WebAssembly)).toBeDefined();
});
