// The filter of the resampler: its low-pass curve (resampler-low-pass.ts), cut into one row of taps per phase.
// Smith and Gossett 1984, "A flexible sampling-rate conversion method".

import { keepRecent, type Steps } from "./keep-recent.js";
import { halfOfLowPass, sampleLowPass } from "./resampler-low-pass.js";

/** How sharp a resampler is, and what that costs. */
export interface ResamplerQuality {
  /** Zero crossings of the sinc on each side, 1 to 256; work and delay grow with it. Default 32. */
  readonly zeroCrossings: number;
  /** Kaiser's beta, 0 to 20; higher is less leakage and a wider transition. Default 9. */
  readonly beta: number;
  /** Cut-off as a part of half the lower rate, above 0, at most 1. Default 0.95. */
  readonly cutoff: number;
}

/**
 * Flat to 0.02 dB at 7 kHz for 48 to 16 kHz, aliases 95 dB down from 1.1 times half the lower rate on, 2 ms of delay.
 */
export const defaultResamplerQuality: ResamplerQuality = Object.freeze({ zeroCrossings: 32, beta: 9, cutoff: 0.95 });

/** Rows of the table when a ratio has more phases than this; phases in between are interpolated, 105 dB exact. */
const mostExactPhases = 1024;

/** Taps of every phase, and how outputs lie on inputs. */
export interface PolyphaseFilter {
  /** Output n belongs to input position `n * down / up`: `up` phases, `down` the step. No common factor. */
  readonly up: number;
  readonly down: number;
  /** Taps of one row, a multiple of 4; the last meets the newest input. */
  readonly taps: number;
  /** Rows of taps, one after the other; of fewer rows than phases one more is there, for interpolation only. Shared: read it only. */
  readonly table: Float64Array;
  /** Rows per input sample: `up` when every phase has its row. */
  readonly rows: number;
  /** Outputs come this many output samples late. */
  readonly delaySamples: number;
}

const tables = new Map<string, Float64Array>();

/** @throws RangeError at the first step, if a quality figure is out of range */
export function* designPolyphase(
  inputRate: number,
  outputRate: number,
  quality: ResamplerQuality,
): Steps<PolyphaseFilter> {
  checkResamplerQuality(quality);
  const { zeroCrossings, beta, cutoff } = quality;
  const divisor = greatestCommonDivisor(inputRate, outputRate);
  const up = outputRate / divisor;
  const down = inputRate / divisor;
  // All lengths from here on are in input samples. The sinc is as wide as the lower of the two rates asks for.
  const stretch = Math.max(1, down / up);
  const reach = zeroCrossings * stretch;
  const delaySamples = Math.ceil((reach * up) / down - 1e-9);
  const delay = (delaySamples * down) / up;
  const rows = Math.min(up, mostExactPhases);
  const taps = 4 * Math.ceil((Math.floor(delay + reach) + 1) / 4);
  const table = yield* keepRecent(tables, `${up} ${down} ${zeroCrossings} ${beta} ${cutoff}`, function* () {
    // Every tap of an exact phase lies a whole number of places from the middle, so the half of the curve is enough.
    const exact = rows === up;
    const curve = exact
      ? yield* halfOfLowPass(Math.max(up, down), quality)
      : yield* sampleLowPass(rows * taps + 1, -delay * rows, rows * stretch, quality);
    const middle = exact ? delaySamples * down : 0;
    const table = new Float64Array((exact ? rows : rows + 1) * taps);
    // Rows begin one place of the curve after the other. Each has every `rows`-th value, the last tap first, and passes a constant unchanged.
    for (let row = 0, start = 0; start < table.length; row++, start += taps) {
      let sum = 0;
      for (let tap = start + taps, at = row - middle; tap-- > start; at += rows) {
        // Beyond its reach it is 0.
        table[tap] = curve[Math.abs(at)] ?? 0;
        sum += table[tap];
      }
      for (let tap = start; tap < start + taps; tap++) table[tap] /= sum;
      yield taps;
    }
    return table;
  });
  return { up, down, taps, table, rows, delaySamples };
}

/** @throws RangeError if a figure is out of range */
export function checkResamplerQuality({ zeroCrossings, beta, cutoff }: ResamplerQuality): void {
  if (!(Number.isInteger(zeroCrossings) && zeroCrossings >= 1 && zeroCrossings <= 256)) {
    throw new RangeError(`resampler: expected 1 to 256 zero crossings, got ${zeroCrossings}`);
  }
  if (!(beta >= 0 && beta <= 20)) throw new RangeError(`resampler: expected a beta of 0 to 20, got ${beta}`);
  if (!(cutoff > 0 && cutoff <= 1)) throw new RangeError(`resampler: expected a cutoff above 0 up to 1, got ${cutoff}`);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
