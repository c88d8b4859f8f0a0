// The low-pass filter of the resampler as a curve: a sinc under a Kaiser window, symmetric about 0.
// Smith and Gossett 1984, "A flexible sampling-rate conversion method"; Kaiser 1974 for the window.

import { keepRecent } from "./keep-recent.js";
import type { ResamplerQuality } from "./resampler-filter.js";

const halves = new Map<string, Float64Array>();

/**
 * The half from the middle on, in steps of `1 / steps` of a sample of the lower rate: `zeroCrossings * steps + 1` values; the next would be 0.
 * Both directions between two rates have the same, so the last ones made are kept: whoever opens microphone and speaker needs both.
 */
export function halfOfLowPass(steps: number, quality: ResamplerQuality): Float64Array {
  const { zeroCrossings, beta, cutoff } = quality;
  return keepRecent(halves, `${steps} ${zeroCrossings} ${beta} ${cutoff}`, () =>
    sampleLowPass(zeroCrossings * steps + 1, 0, steps, quality),
  );
}

/** Exact values of the window on each side; between two of them a cubic errs by less than 1e-8 of the window's height. */
const exactValues = 256;

/**
 * The curve at `(from + i) / steps` samples of the lower rate. A page makes 14,000 values once, in code that is not compiled yet: most of
 * them by one sine and a cubic, in short functions, which a compiler has soon.
 */
export function sampleLowPass(length: number, from: number, steps: number, quality: ResamplerQuality): Float64Array {
  const reach = quality.zeroCrossings * steps;
  const stride = Math.max(1, Math.floor(reach / exactValues));
  const terms = kaiserTerms(quality.beta);
  const window = new Float64Array(Math.ceil(length / stride) + 3);
  for (let i = 0; i < window.length; i++) window[i] = kaiser(terms, (from + (i - 1) * stride) / reach);
  const curve = new Float64Array(length);
  for (let i = 0; i * stride < length; i++) {
    const piece = curve.subarray(i * stride, (i + 1) * stride);
    fill(piece, window.subarray(i, i + 4), 1 / stride, from + i * stride, (Math.PI * quality.cutoff) / steps);
  }
  // Beyond its reach the window is 0.
  curve.fill(0, 0, Math.max(0, Math.ceil(-reach - from)));
  curve.fill(0, Math.max(0, Math.floor(reach - from) + 1));
  return curve;
}

/** A piece of the curve from sample `at` on; the window is the cubic through four values at -1, 0, 1 and 2, in steps of `step` from 0. */
function fill(piece: Float64Array, window: Float64Array, step: number, at: number, radians: number): void {
  const a = (window[3] - window[0]) / 6 + (window[1] - window[2]) / 2;
  const b = (window[0] + window[2]) / 2 - window[1];
  const c = (window[2] - window[0]) / 2 - a;
  // By its differences: uncompiled code makes an object of every product and every sum.
  let value = window[1];
  let first = ((a * step + b) * step + c) * step;
  let second = (6 * a * step + 2 * b) * step * step;
  const third = 6 * a * step * step * step;
  let angle = at * radians;
  for (let i = 0; i < piece.length; i++) {
    piece[i] = angle === 0 ? value : (value * Math.sin(angle)) / angle;
    value += first;
    first += second;
    second += third;
    angle += radians;
  }
}

/**
 * The Kaiser window as a polynomial in `1 - x²`: the power series of I0(beta √(1 - x²)), the modified Bessel function of order 0, divided
 * by I0(beta). Inside the window all of its terms are positive, so nothing cancels.
 */
function kaiserTerms(beta: number): Float64Array {
  const terms = [1];
  let sum = 1;
  for (let k = 1; terms[k - 1] > sum * 1e-17; k++) {
    terms.push(terms[k - 1] * (beta / (2 * k)) ** 2);
    sum += terms[k];
  }
  return Float64Array.from(terms, (term) => term / sum);
}

/** The window at `x` of its half width; goes on beyond 1 as the polynomial does. */
function kaiser(terms: Float64Array, x: number): number {
  const square = 1 - x * x;
  let value = 0;
  for (let k = terms.length - 1; k >= 0; k--) value = value * square + terms[k];
  return value;
}
