// How fast the codecs are on one core, and how good the resampler is: the figures, each measured where it is printed.
// Every time is the best of many short runs, and what is compared takes turns, so a busy machine does not tilt it.

import { Resampler, resample } from "@microturn/core";
import {
  DmelEncoder,
  type DmelPreset,
  dmel20,
  dmel40,
  dmel80,
  type ImagePixels,
  PatchEncoder,
  type PatchOptions,
} from "@microturn/core/codecs";
import { encodeDmelPlain } from "@microturn/core/testing";
import type { BenchRow } from "./report.js";

const turnMs = 200;

/** A row, and how many times faster than real time what it tells of is. */
export interface CodecRow extends BenchRow {
  readonly realTime?: number;
}

/** Speed of dMel, resampler and patches, and the quality of the resampler. */
export async function codecBench(): Promise<CodecRow[]> {
  const rows: CodecRow[] = [];
  for (const preset of [dmel20, dmel40, dmel80]) rows.push(dmelRow(preset));
  await breathe();
  rows.push(resamplerRow(48_000, 16_000), resamplerRow(44_100, 16_000), resamplerRow(16_000, 48_000));
  await breathe();
  rows.push(resamplerQualityRow());
  rows.push(
    patchRow("patches, 640 x 360 as it is", 640, 360, {}),
    patchRow("patches, 1280 x 720 in a budget of 66", 1280, 720, { maxPatchTokens: 66 }),
    patchRow("patches, 640 x 480 as mini sees it", 640, 480, { size: { width: 39, height: 40 } }),
  );
  return rows;
}

function dmelRow(preset: DmelPreset): CodecRow {
  const seconds = 1;
  const samples = noisyTone(16_000 * seconds, 16_000);
  const encoder = new DmelEncoder(preset);
  const turnSamples = (preset.sampleRate * turnMs) / 1000;
  const levels = new Uint8Array((turnSamples / preset.hopSamples + 1) * preset.melBins);
  const turns = cut(samples, turnSamples);
  const plainSeconds = 0.2;
  const plainSamples = samples.subarray(0, 16_000 * plainSeconds);
  const [fastMs, plainMs] = best(60, [
    () => {
      for (let i = 0; i < turns.length; i++) encoder.push(turns[i], levels);
    },
    () => encodeDmelPlain(plainSamples, preset),
  ]);
  const fast = (1000 * seconds) / fastMs;
  const plain = (1000 * plainSeconds) / plainMs;
  return {
    realTime: fast,
    name: preset.name,
    value: `${times(fast)} real time`,
    note: `${((1000 * fastMs) / turns.length).toFixed(0)} us a micro-turn; ${times(fast / plain)} the plain textbook transform`,
  };
}

function resamplerRow(inputRate: number, outputRate: number): CodecRow {
  const seconds = 0.6;
  const resampler = new Resampler({ inputRate, outputRate });
  const turns = cut(noisyTone(inputRate * seconds, inputRate), (inputRate * turnMs) / 1000);
  const output = new Float32Array((outputRate * turnMs) / 1000);
  const [ms] = best(100, [
    () => {
      for (let i = 0; i < turns.length; i++) resampler.push(turns[i], output);
    },
  ]);
  return {
    realTime: (1000 * seconds) / ms,
    name: `resampler, ${inputRate / 1000} to ${outputRate / 1000} kHz`,
    value: `${times((1000 * seconds) / ms)} real time`,
    note: `${((1000 * ms) / turns.length).toFixed(0)} us a micro-turn, ${((1000 * resampler.delaySamples) / outputRate).toFixed(1)} ms late`,
  };
}

function resamplerQualityRow(): BenchRow {
  const decibels = (hz: number) => {
    const tone = Float32Array.from({ length: 48_000 }, (_, i) => Math.sin((2 * Math.PI * hz * i) / 48_000));
    const output = resample(tone, { inputRate: 48_000, outputRate: 16_000 }).subarray(2000, 14_000);
    let power = 0;
    for (const value of output) power += value * value;
    return 10 * Math.log10((2 * power) / output.length);
  };
  return {
    name: "resampler, quality of 48 to 16 kHz",
    value: `${decibels(7000).toFixed(2)} dB at 7 kHz`,
    note: `aliases ${(-decibels(8800)).toFixed(0)} dB down at 8.8 kHz, ${(-decibels(10_000)).toFixed(0)} dB at 10 kHz`,
  };
}

function patchRow(name: string, width: number, height: number, options: PatchOptions): BenchRow {
  const encoder = new PatchEncoder(options);
  const [first, second] = [picture(width, height, 1), picture(width, height, 2)];
  const { tokens } = encoder.plan(width, height);
  const [ms] = best(40, [() => encoder.encode(first, second)]);
  return {
    name,
    value: `${ms.toFixed(2)} ms`,
    note: `a pair of moments, ${tokens === 1 ? "1 patch" : `${tokens} patches`}`,
  };
}

/** Shortest time of each action in ms, the actions taking turns. Half a second of each comes first and is not counted: so long
 * it takes until the engine has compiled everything for good. */
function best(rounds: number, actions: readonly (() => unknown)[]): number[] {
  for (const action of actions) {
    const start = performance.now();
    while (performance.now() - start < 500) action();
  }
  const shortest = actions.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    actions.forEach((action, i) => {
      const start = performance.now();
      action();
      shortest[i] = Math.min(shortest[i], performance.now() - start);
    });
  }
  return shortest;
}

function times(ratio: number): string {
  return `${Math.round(ratio).toLocaleString("en")}x`;
}

function cut(samples: Float32Array, length: number): Float32Array[] {
  return Array.from({ length: Math.floor(samples.length / length) }, (_, i) =>
    samples.subarray(i * length, (i + 1) * length),
  );
}

function noisyTone(length: number, sampleRate: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, (_, i) => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return 0.3 * Math.sin((2 * Math.PI * 220 * i) / sampleRate) + 0.1 * (state / 2 ** 31 - 1);
  });
}

function picture(width: number, height: number, seed: number): ImagePixels {
  const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * 31 + seed * 17) % 256);
  return { data, width, height };
}

/** Lets timers and signals through between long stretches. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
