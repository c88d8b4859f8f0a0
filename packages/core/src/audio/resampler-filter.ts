// The low-pass filter of the resampler: a sinc under a Kaiser window, cut into one row of taps per phase.
// Smith and Gossett 1984, "A flexible sampling-rate conversion method"; Kaiser 1974 for the window.

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
  /** Rows of taps, one after the other; of more rows than phases the last row is for interpolation only. */
  readonly table: Float64Array;
  /** Rows per input sample: `up` when every phase has its row. */
  readonly rows: number;
  /** Outputs come this many output samples late. */
  readonly delaySamples: number;
}

/** @throws RangeError if a quality figure is out of range */
export function designPolyphase(inputRate: number, outputRate: number, quality: ResamplerQuality): PolyphaseFilter {
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
  const window = kaiserWindow(beta);
  const table = new Float64Array((up === rows ? rows : rows + 1) * taps);
  for (let row = 0; row * taps < table.length; row++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const distance = row / rows + (taps - 1 - tap) - delay;
      const weight = sinc((cutoff * distance) / stretch) * kaiser(window, distance / reach);
      table[row * taps + tap] = weight;
      sum += weight;
    }
    // Each phase passes a constant unchanged.
    for (let tap = 0; tap < taps; tap++) table[row * taps + tap] /= sum;
  }
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

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Kaiser window at -1 … 1 of its half width; 0 outside. */
function kaiser(window: Float64Array, x: number): number {
  const square = 1 - x * x;
  if (square < 0) return 0;
  let value = window[window.length - 1];
  for (let k = window.length - 2; k >= 0; k--) value = value * square + window[k];
  return value;
}

/**
 * The window as a polynomial in `1 - x²`: the power series of I0(beta √(1 - x²)), the modified Bessel function of order 0, divided by
 * I0(beta). All of its terms are positive, so nothing cancels. A page makes 10,000 taps at once, in code that is not compiled yet.
 */
function kaiserWindow(beta: number): Float64Array {
  const terms = [1];
  let sum = 1;
  for (let k = 1; terms[k - 1] > sum * 1e-17; k++) {
    terms.push(terms[k - 1] * (beta / (2 * k)) ** 2);
    sum += terms[k];
  }
  return Float64Array.from(terms, (term) => term / sum);
}
