// Fourier transforms of the sizes that speech front ends use: any 2^a 3^b 5^c, such as 1600 = 2^6 5^2.
// Stockham autosort passes of radix 5, 4, 3 and 2 (Cochran et al. 1967, "What is the fast Fourier transform?"), float64.

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
      if (pass.radix === 4) radix4(pass, fromRe, fromIm, toRe, toIm);
      else if (pass.radix === 5) radix5(pass, fromRe, fromIm, toRe, toIm);
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
    for (let k = 1; k < half; k++) {
      const mirror = half - k;
      const evenRe = 0.5 * (zRe[k] + zRe[mirror]);
      const evenIm = 0.5 * (zIm[k] - zIm[mirror]);
      const oddRe = 0.5 * (zIm[k] + zIm[mirror]);
      const oddIm = 0.5 * (zRe[mirror] - zRe[k]);
      re[k] = evenRe + oddRe * cos[k] - oddIm * sin[k];
      im[k] = evenIm + oddRe * sin[k] + oddIm * cos[k];
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
    for (let k = 1; k < half; k++) {
      const mirror = half - k;
      const evenRe = 0.5 * (re[k] + re[mirror]);
      const evenIm = 0.5 * (im[k] - im[mirror]);
      const turnedRe = 0.5 * (re[k] - re[mirror]);
      const turnedIm = 0.5 * (im[k] + im[mirror]);
      const oddRe = turnedRe * cos[k] + turnedIm * sin[k];
      const oddIm = turnedIm * cos[k] - turnedRe * sin[k];
      zRe[k] = evenRe - oddIm;
      zIm[k] = evenIm + oddRe;
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

// A pass takes `stride` interleaved transforms of length `radix * groups` apart into `radix` times as many of length
// `groups`. With p a group, q < stride, r the radix:
//   y[q + stride (r p + j)] = w^(p j) sum over i of x[q + stride (p + i groups)] exp(-2πi ij/r),  w = exp(-2πi/(r groups))
interface Pass {
  readonly radix: 2 | 3 | 4 | 5;
  readonly groups: number;
  readonly stride: number;
  /** w^(p j) for j = 1 … radix - 1, one group after the other. */
  readonly turnRe: Float64Array;
  readonly turnIm: Float64Array;
}

function planPasses(size: number): readonly Pass[] {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`fft: expected a positive whole size, got ${size}`);
  const passes: Pass[] = [];
  let length = size;
  while (length > 1) {
    const radix = length % 5 === 0 ? 5 : length % 4 === 0 ? 4 : length % 3 === 0 ? 3 : 2;
    if (length % radix !== 0) {
      throw new RangeError(`fft: expected a size that is a product of 2, 3 and 5, got ${size}`);
    }
    const groups = length / radix;
    const turnRe = new Float64Array(groups * (radix - 1));
    const turnIm = new Float64Array(groups * (radix - 1));
    for (let p = 0; p < groups; p++) {
      for (let j = 1; j < radix; j++) {
        const angle = (-2 * Math.PI * ((p * j) % length)) / length;
        turnRe[p * (radix - 1) + j - 1] = Math.cos(angle);
        turnIm[p * (radix - 1) + j - 1] = Math.sin(angle);
      }
    }
    passes.push({ radix, groups, stride: size / length, turnRe, turnIm });
    length = groups;
  }
  return passes;
}

function radix2(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const wRe = turnRe[p];
    const wIm = turnIm[p];
    let to = 2 * stride * p;
    for (let from = stride * p, end = from + stride; from < end; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const bRe = xRe[from + step];
      const bIm = xIm[from + step];
      yRe[to] = aRe + bRe;
      yIm[to] = aIm + bIm;
      const dRe = aRe - bRe;
      const dIm = aIm - bIm;
      yRe[to + stride] = dRe * wRe - dIm * wIm;
      yIm[to + stride] = dRe * wIm + dIm * wRe;
    }
  }
}

const sin60 = Math.sqrt(3) / 2;

function radix3(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[2 * p];
    const w1Im = turnIm[2 * p];
    const w2Re = turnRe[2 * p + 1];
    const w2Im = turnIm[2 * p + 1];
    let to = 3 * stride * p;
    for (let from = stride * p, end = from + stride; from < end; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const sumRe = xRe[from + step] + xRe[from + 2 * step];
      const sumIm = xIm[from + step] + xIm[from + 2 * step];
      const difRe = sin60 * (xRe[from + step] - xRe[from + 2 * step]);
      const difIm = sin60 * (xIm[from + step] - xIm[from + 2 * step]);
      const midRe = aRe - 0.5 * sumRe;
      const midIm = aIm - 0.5 * sumIm;
      yRe[to] = aRe + sumRe;
      yIm[to] = aIm + sumIm;
      const bRe = midRe + difIm;
      const bIm = midIm - difRe;
      const cRe = midRe - difIm;
      const cIm = midIm + difRe;
      yRe[to + stride] = bRe * w1Re - bIm * w1Im;
      yIm[to + stride] = bRe * w1Im + bIm * w1Re;
      yRe[to + 2 * stride] = cRe * w2Re - cIm * w2Im;
      yIm[to + 2 * stride] = cRe * w2Im + cIm * w2Re;
    }
  }
}

function radix4(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[3 * p];
    const w1Im = turnIm[3 * p];
    const w2Re = turnRe[3 * p + 1];
    const w2Im = turnIm[3 * p + 1];
    const w3Re = turnRe[3 * p + 2];
    const w3Im = turnIm[3 * p + 2];
    let to = 4 * stride * p;
    for (let from = stride * p, end = from + stride; from < end; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      const bRe = xRe[from + step];
      const bIm = xIm[from + step];
      const cRe = xRe[from + 2 * step];
      const cIm = xIm[from + 2 * step];
      const dRe = xRe[from + 3 * step];
      const dIm = xIm[from + 3 * step];
      const acRe = aRe + cRe;
      const acIm = aIm + cIm;
      const amcRe = aRe - cRe;
      const amcIm = aIm - cIm;
      const bdRe = bRe + dRe;
      const bdIm = bIm + dIm;
      const bmdRe = bRe - dRe;
      const bmdIm = bIm - dIm;
      yRe[to] = acRe + bdRe;
      yIm[to] = acIm + bdIm;
      const y1Re = amcRe + bmdIm;
      const y1Im = amcIm - bmdRe;
      const y2Re = acRe - bdRe;
      const y2Im = acIm - bdIm;
      const y3Re = amcRe - bmdIm;
      const y3Im = amcIm + bmdRe;
      yRe[to + stride] = y1Re * w1Re - y1Im * w1Im;
      yIm[to + stride] = y1Re * w1Im + y1Im * w1Re;
      yRe[to + 2 * stride] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + 2 * stride] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + 3 * stride] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + 3 * stride] = y3Re * w3Im + y3Im * w3Re;
    }
  }
}

const cos72 = Math.cos((2 * Math.PI) / 5);
const sin72 = Math.sin((2 * Math.PI) / 5);
const cos144 = Math.cos((4 * Math.PI) / 5);
const sin144 = Math.sin((4 * Math.PI) / 5);

function radix5(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[4 * p];
    const w1Im = turnIm[4 * p];
    const w2Re = turnRe[4 * p + 1];
    const w2Im = turnIm[4 * p + 1];
    const w3Re = turnRe[4 * p + 2];
    const w3Im = turnIm[4 * p + 2];
    const w4Re = turnRe[4 * p + 3];
    const w4Im = turnIm[4 * p + 3];
    let to = 5 * stride * p;
    for (let from = stride * p, end = from + stride; from < end; from++, to++) {
      const aRe = xRe[from];
      const aIm = xIm[from];
      // Inputs 1 and 4, 2 and 3 are conjugate partners: their sums meet the cosines, their differences the sines.
      const s1Re = xRe[from + step] + xRe[from + 4 * step];
      const s1Im = xIm[from + step] + xIm[from + 4 * step];
      const d1Re = xRe[from + step] - xRe[from + 4 * step];
      const d1Im = xIm[from + step] - xIm[from + 4 * step];
      const s2Re = xRe[from + 2 * step] + xRe[from + 3 * step];
      const s2Im = xIm[from + 2 * step] + xIm[from + 3 * step];
      const d2Re = xRe[from + 2 * step] - xRe[from + 3 * step];
      const d2Im = xIm[from + 2 * step] - xIm[from + 3 * step];
      yRe[to] = aRe + s1Re + s2Re;
      yIm[to] = aIm + s1Im + s2Im;
      const c1Re = aRe + cos72 * s1Re + cos144 * s2Re;
      const c1Im = aIm + cos72 * s1Im + cos144 * s2Im;
      const c2Re = aRe + cos144 * s1Re + cos72 * s2Re;
      const c2Im = aIm + cos144 * s1Im + cos72 * s2Im;
      const t1Re = sin72 * d1Re + sin144 * d2Re;
      const t1Im = sin72 * d1Im + sin144 * d2Im;
      const t2Re = sin144 * d1Re - sin72 * d2Re;
      const t2Im = sin144 * d1Im - sin72 * d2Im;
      const y1Re = c1Re + t1Im;
      const y1Im = c1Im - t1Re;
      const y2Re = c2Re + t2Im;
      const y2Im = c2Im - t2Re;
      const y3Re = c2Re - t2Im;
      const y3Im = c2Im + t2Re;
      const y4Re = c1Re - t1Im;
      const y4Im = c1Im + t1Re;
      yRe[to + stride] = y1Re * w1Re - y1Im * w1Im;
      yIm[to + stride] = y1Re * w1Im + y1Im * w1Re;
      yRe[to + 2 * stride] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + 2 * stride] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + 3 * stride] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + 3 * stride] = y3Re * w3Im + y3Im * w3Re;
      yRe[to + 4 * stride] = y4Re * w4Re - y4Im * w4Im;
      yIm[to + 4 * stride] = y4Re * w4Im + y4Im * w4Re;
    }
  }
}
