// Fourier transforms of the sizes that speech front ends use: any 2^a 3^b 5^c, such as 1600 = 2^6 5^2; float64.

import { type Pass, planPasses, radix2, radix3, radix4, radix5, radix8 } from "./fft-passes.js";

/**
 * Complex Fourier transform of one size. Making one plans the transform; transforming allocates nothing.
 *
 * A plan holds scratch space, so one plan serves one caller at a time.
 */
export class ComplexFft {
  readonly size: number;
  readonly #passes: readonly Pass[];
  readonly #scratchRe: Float64Array;
  readonly #scratchIm: Float64Array;

  /**
   * @param size - points, a product of powers of 2, 3 and 5
   * @throws RangeError for any other size
   */
  constructor(size: number) {
    this.size = size;
    this.#passes = planPasses(size);
    this.#scratchRe = new Float64Array(size);
    this.#scratchIm = new Float64Array(size);
  }

  /**
   * Transforms in place: `X[k] = sum over n of x[n] exp(-2πi kn/size)`, not scaled.
   *
   * @param re - real parts, `[size]`
   * @param im - imaginary parts, `[size]`
   * @throws RangeError if a length is not `size`
   */
  forward(re: Float64Array, im: Float64Array): void {
    this.#check(re, im);
    this.#run(re, im);
  }

  /**
   * Undoes {@link forward} in place: `x[n] = 1/size sum over k of X[k] exp(2πi kn/size)`.
   *
   * @throws RangeError if a length is not `size`
   */
  inverse(re: Float64Array, im: Float64Array): void {
    this.#check(re, im);
    // The inverse is the forward transform with real and imaginary parts exchanged on both sides.
    this.#run(im, re);
    const scale = 1 / this.size;
    for (let i = 0; i < this.size; i++) {
      re[i] *= scale;
      im[i] *= scale;
    }
  }

  #check(re: Float64Array, im: Float64Array): void {
    if (re.length !== this.size || im.length !== this.size) {
      throw new RangeError(`fft: expected re and im of length ${this.size}, got ${re.length} and ${im.length}`);
    }
  }

  #run(re: Float64Array, im: Float64Array): void {
    let fromRe = re;
    let fromIm = im;
    let toRe = this.#scratchRe;
    let toIm = this.#scratchIm;
    for (let i = 0; i < this.#passes.length; i++) {
      const pass = this.#passes[i];
      if (pass.radix === 8) radix8(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 5) radix5(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 4) radix4(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 2) radix2(pass, fromRe, fromIm, toRe, toIm);
      else radix3(pass, fromRe, fromIm, toRe, toIm);
      const oldRe = fromRe;
      const oldIm = fromIm;
      fromRe = toRe;
      fromIm = toIm;
      toRe = oldRe;
      toIm = oldIm;
    }
    if (fromRe !== re) {
      re.set(fromRe);
      im.set(fromIm);
    }
  }
}

/**
 * Fourier transform of real samples, of one even size. Making one plans the transform; transforming allocates nothing.
 *
 * A plan holds scratch space, so one plan serves one caller at a time.
 */
export class RealFft {
  readonly size: number;
  /** Frequencies in a spectrum: `size / 2 + 1`, from 0 to half the sample rate. */
  readonly bins: number;
  readonly #half: ComplexFft;
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  /** cos and -sin of 2πk/size: the turn between the spectra of even and of odd samples. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  /**
   * @param size - samples, even, a product of powers of 2, 3 and 5
   * @throws RangeError for any other size
   */
  constructor(size: number) {
    if (size % 2 !== 0) throw new RangeError(`real fft: expected an even size, got ${size}; use ComplexFft`);
    const half = size / 2;
    this.size = size;
    this.bins = half + 1;
    this.#half = new ComplexFft(half);
    this.#re = new Float64Array(half);
    this.#im = new Float64Array(half);
    this.#cos = new Float64Array(half + 1);
    this.#sin = new Float64Array(half + 1);
    for (let k = 0; k <= half; k++) {
      this.#cos[k] = Math.cos((2 * Math.PI * k) / size);
      this.#sin[k] = -Math.sin((2 * Math.PI * k) / size);
    }
  }

  /**
   * Spectrum of `samples`, not scaled.
   *
   * @param samples - `[size]`; left as they are
   * @param re - receives real parts, `[bins]`
   * @param im - receives imaginary parts, `[bins]`
   * @throws RangeError if a length differs
   */
  forward(samples: Float64Array, re: Float64Array, im: Float64Array): void {
    this.#check(samples, re, im);
    // Even samples as real parts and odd ones as imaginary parts of a transform of half the size, then taken apart.
    const half = this.size / 2;
    const zRe = this.#re;
    const zIm = this.#im;
    for (let i = 0; i < half; i++) {
      zRe[i] = samples[2 * i];
      zIm[i] = samples[2 * i + 1];
    }
    this.#half.forward(zRe, zIm);
    re[0] = zRe[0] + zIm[0];
    im[0] = 0;
    re[half] = zRe[0] - zIm[0];
    im[half] = 0;
    const cos = this.#cos;
    const sin = this.#sin;
    for (let k = 1, mirror = half - 1; k <= mirror; k++, mirror--) {
      const evenRe = 0.5 * (zRe[k] + zRe[mirror]);
      const evenIm = 0.5 * (zIm[k] - zIm[mirror]);
      const oddRe = 0.5 * (zIm[k] + zIm[mirror]);
      const oddIm = 0.5 * (zRe[mirror] - zRe[k]);
      const turnedRe = oddRe * cos[k] - oddIm * sin[k];
      const turnedIm = oddRe * sin[k] + oddIm * cos[k];
      re[k] = evenRe + turnedRe;
      im[k] = evenIm + turnedIm;
      re[mirror] = evenRe - turnedRe;
      im[mirror] = turnedIm - evenIm;
    }
  }

  /**
   * Power of a windowed frame, `|X[k]|²` of {@link forward}, not scaled: the usual first half of a spectrogram, in fewer
   * trips through memory.
   *
   * @param samples - `[n]`, at most `size`; zeros follow
   * @param window - weight of each sample, `[n]`
   * @param power - receives `[bins]`
   * @throws RangeError if a length differs
   */
  power(samples: Float32Array, window: Float64Array, power: Float64Array): void {
    const count = window.length;
    if (samples.length !== count || count > this.size || power.length !== this.bins) {
      throw new RangeError(
        `real fft: expected as many samples as weights, at most ${this.size}, and ${this.bins} bins; got ${samples.length} samples, ${count} weights and ${power.length} bins`,
      );
    }
    const half = this.size / 2;
    const zRe = this.#re;
    const zIm = this.#im;
    const pairs = count >> 1;
    for (let i = 0; i < pairs; i++) {
      zRe[i] = samples[2 * i] * window[2 * i];
      zIm[i] = samples[2 * i + 1] * window[2 * i + 1];
    }
    zRe.fill(0, pairs);
    zIm.fill(0, pairs);
    if (count % 2 === 1) zRe[pairs] = samples[count - 1] * window[count - 1];
    this.#half.forward(zRe, zIm);
    power[0] = (zRe[0] + zIm[0]) ** 2;
    power[half] = (zRe[0] - zIm[0]) ** 2;
    const cos = this.#cos;
    const sin = this.#sin;
    for (let k = 1, mirror = half - 1; k <= mirror; k++, mirror--) {
      // As in forward, all doubled.
      const evenRe = zRe[k] + zRe[mirror];
      const evenIm = zIm[k] - zIm[mirror];
      const oddRe = zIm[k] + zIm[mirror];
      const oddIm = zRe[mirror] - zRe[k];
      const turnedRe = oddRe * cos[k] - oddIm * sin[k];
      const turnedIm = oddRe * sin[k] + oddIm * cos[k];
      const sumRe = evenRe + turnedRe;
      const sumIm = evenIm + turnedIm;
      const difRe = evenRe - turnedRe;
      const difIm = evenIm - turnedIm;
      power[k] = 0.25 * (sumRe * sumRe + sumIm * sumIm);
      power[mirror] = 0.25 * (difRe * difRe + difIm * difIm);
    }
  }

  /**
   * Undoes {@link forward}. Imaginary parts of the first and the last bin count as 0.
   *
   * @param re - real parts, `[bins]`; left as they are
   * @param im - imaginary parts, `[bins]`; left as they are
   * @param samples - receives `[size]`
   * @throws RangeError if a length differs
   */
  inverse(re: Float64Array, im: Float64Array, samples: Float64Array): void {
    this.#check(samples, re, im);
    const half = this.size / 2;
    const zRe = this.#re;
    const zIm = this.#im;
    const cos = this.#cos;
    const sin = this.#sin;
    zRe[0] = 0.5 * (re[0] + re[half]);
    zIm[0] = 0.5 * (re[0] - re[half]);
    for (let k = 1, mirror = half - 1; k <= mirror; k++, mirror--) {
      const evenRe = 0.5 * (re[k] + re[mirror]);
      const evenIm = 0.5 * (im[k] - im[mirror]);
      const turnedRe = 0.5 * (re[k] - re[mirror]);
      const turnedIm = 0.5 * (im[k] + im[mirror]);
      const oddRe = turnedRe * cos[k] + turnedIm * sin[k];
      const oddIm = turnedIm * cos[k] - turnedRe * sin[k];
      zRe[k] = evenRe - oddIm;
      zIm[k] = evenIm + oddRe;
      zRe[mirror] = evenRe + oddIm;
      zIm[mirror] = oddRe - evenIm;
    }
    this.#half.inverse(zRe, zIm);
    for (let i = 0; i < half; i++) {
      samples[2 * i] = zRe[i];
      samples[2 * i + 1] = zIm[i];
    }
  }

  #check(samples: Float64Array, re: Float64Array, im: Float64Array): void {
    if (samples.length !== this.size || re.length !== this.bins || im.length !== this.bins) {
      throw new RangeError(
        `real fft: expected ${this.size} samples and ${this.bins} bins, got ${samples.length} samples and ${re.length}, ${im.length} bins`,
      );
    }
  }
}
