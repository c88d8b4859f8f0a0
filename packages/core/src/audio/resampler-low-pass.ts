// The low-pass filter of the resampler as a curve: a sinc under a Kaiser window, symmetric about 0.
// Smith and Gossett 1984, "A flexible sampling-rate conversion method"; Kaiser 1974 for the window.

import { keepRecent, type Steps } from "./keep-recent.js";
import type { ResamplerQuality } from "./resampler-filter.js";

const halves = new Map<string, Float64Array>();

/**
 * The half from the middle on, in steps of `1 / steps` of a sample of the lower rate: `zeroCrossings * steps + 1` values; the next would be 0.
 * Both directions between two rates have the same, so the last ones made are kept: whoever opens microphone and speaker needs both.
 */
export function halfOfLowPass(steps: number, quality: ResamplerQuality): Steps<Float64Array> {
  const { zeroCrossings, beta, cutoff } = quality;
  return keepRecent(halves, `${steps} ${zeroCrossings} ${beta} ${cutoff}`, () =>
    sampleLowPass(zeroCrossings * steps + 1, 0, steps, quality),
  );
}

/** The curve at `(from + i) / steps` samples of the lower rate; 0 beyond its reach. */
export function* sampleLowPass(
  length: number,
  from: number,
  steps: number,
  quality: ResamplerQuality,
): Steps<Float64Array> {
  const reach = quality.zeroCrossings * steps;
  const radians = (Math.PI * quality.cutoff) / steps;
  const terms = kaiserTerms(quality.beta);
  const curve = new Float64Array(length);
  const end = Math.min(length, Math.floor(reach - from) + 1);
  for (let i = Math.max(0, Math.ceil(-reach - from)); i < end; i++) {
    const at = from + i;
    const angle = at * radians;
    curve[i] = kaiser(terms, at / reach) * (angle === 0 ? 1 : Math.sin(angle) / angle);
    if (i % 64 === 0) yield 64;
  }
  return curve;
}

/**
 * The Kaiser window as a polynomial in `1 - x²`: the power series of I0(beta √(1 - x²)), the modified Bessel function of order 0, divided
 * by I0(beta). Inside the window all of its terms are positive, so nothing cancels.
 */
function kaiserTerms(beta: number): readonly number[] {
  const terms = [1];
  let sum = 1;
  for (let k = 1; terms[k - 1] > sum * 1e-17; k++) {
    terms.push(terms[k - 1] * (beta / (2 * k)) ** 2);
    sum += terms[k];
  }
  return terms.map((term) => term / sum);
}

/** The window at -1 … 1 of its half width. */
function kaiser(terms: readonly number[], x: number): number {
  const square = 1 - x * x;
  let value = 0;
  for (let k = terms.length - 1; k >= 0; k--) value = value * square + terms[k];
  return value;
}
