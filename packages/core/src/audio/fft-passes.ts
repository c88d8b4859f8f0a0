// The passes of a Fourier transform: Stockham autosort, radix 8, 5, 4, 3 and 2
// (Cochran et al. 1967, "What is the fast Fourier transform?").
//
// Inner loops read constants and turns from local variables: read from the module or from an array there, they cost a third
// of the time.

// A pass takes `stride` interleaved transforms of length `radix * groups` apart into `radix` times as many of length
// `groups`. With p a group, q < stride, r the radix:
//   y[q + stride (r p + j)] = w^(p j) sum over i of x[q + stride (p + i groups)] exp(-2πi ij/r),  w = exp(-2πi/(r groups))
export interface Pass {
  readonly radix: 2 | 3 | 4 | 5 | 8;
  readonly groups: number;
  readonly stride: number;
  /** w^(p j) for j = 1 … radix - 1, one group after the other. */
  readonly turnRe: Float64Array;
  readonly turnIm: Float64Array;
}

/** @throws RangeError for a size that is no product of 2, 3 and 5 */
export function planPasses(size: number): readonly Pass[] {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`fft: expected a positive whole size, got ${size}`);
  const passes: Pass[] = [];
  let length = size;
  while (length > 1) {
    const radix = nextRadix(length);
    if (radix === null) throw new RangeError(`fft: expected a size that is a product of 2, 3 and 5, got ${size}`);
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

// Eights before fours, and fours rather than a two; few and large passes go through memory least.
function nextRadix(length: number): Pass["radix"] | null {
  const twos = length & -length;
  if (twos === 4 || twos === 16) return 4;
  if (twos >= 8) return 8;
  if (twos === 2) return 2;
  return length % 3 === 0 ? 3 : length % 5 === 0 ? 5 : null;
}

export function radix2(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
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

export function radix3(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  const sin60 = 0.8660254037844386;
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

export function radix4(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  const step2 = 2 * step;
  const step3 = 3 * step;
  const stride2 = 2 * stride;
  const stride3 = 3 * stride;
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
      const cRe = xRe[from + step2];
      const cIm = xIm[from + step2];
      const dRe = xRe[from + step3];
      const dIm = xIm[from + step3];
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
      yRe[to + stride2] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + stride2] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + stride3] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + stride3] = y3Re * w3Im + y3Im * w3Re;
    }
  }
}

export function radix5(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  const step2 = 2 * step;
  const step3 = 3 * step;
  const step4 = 4 * step;
  const stride2 = 2 * stride;
  const stride3 = 3 * stride;
  const stride4 = 4 * stride;
  const cos72 = 0.30901699437494745;
  const sin72 = 0.9510565162951535;
  const cos144 = -0.8090169943749473;
  const sin144 = 0.5877852522924732;
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
      const s1Re = xRe[from + step] + xRe[from + step4];
      const s1Im = xIm[from + step] + xIm[from + step4];
      const d1Re = xRe[from + step] - xRe[from + step4];
      const d1Im = xIm[from + step] - xIm[from + step4];
      const s2Re = xRe[from + step2] + xRe[from + step3];
      const s2Im = xIm[from + step2] + xIm[from + step3];
      const d2Re = xRe[from + step2] - xRe[from + step3];
      const d2Im = xIm[from + step2] - xIm[from + step3];
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
      yRe[to + stride2] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + stride2] = y2Re * w2Im + y2Im * w2Re;
      yRe[to + stride3] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + stride3] = y3Re * w3Im + y3Im * w3Re;
      yRe[to + stride4] = y4Re * w4Re - y4Im * w4Im;
      yIm[to + stride4] = y4Re * w4Im + y4Im * w4Re;
    }
  }
}

// Two transforms of four points, of the even and of the odd inputs, joined with turns of 45 degrees.
export function radix8(pass: Pass, xRe: Float64Array, xIm: Float64Array, yRe: Float64Array, yIm: Float64Array): void {
  const { groups, stride, turnRe, turnIm } = pass;
  const step = stride * groups;
  const sin45 = Math.SQRT1_2;
  for (let p = 0; p < groups; p++) {
    const w1Re = turnRe[7 * p];
    const w1Im = turnIm[7 * p];
    const w2Re = turnRe[7 * p + 1];
    const w2Im = turnIm[7 * p + 1];
    const w3Re = turnRe[7 * p + 2];
    const w3Im = turnIm[7 * p + 2];
    const w4Re = turnRe[7 * p + 3];
    const w4Im = turnIm[7 * p + 3];
    const w5Re = turnRe[7 * p + 4];
    const w5Im = turnIm[7 * p + 4];
    const w6Re = turnRe[7 * p + 5];
    const w6Im = turnIm[7 * p + 5];
    const w7Re = turnRe[7 * p + 6];
    const w7Im = turnIm[7 * p + 6];
    let to = 8 * stride * p;
    for (let from = stride * p, end = from + stride; from < end; from++, to++) {
      const s04Re = xRe[from] + xRe[from + 4 * step];
      const s04Im = xIm[from] + xIm[from + 4 * step];
      const d04Re = xRe[from] - xRe[from + 4 * step];
      const d04Im = xIm[from] - xIm[from + 4 * step];
      const s26Re = xRe[from + 2 * step] + xRe[from + 6 * step];
      const s26Im = xIm[from + 2 * step] + xIm[from + 6 * step];
      const d26Re = xRe[from + 2 * step] - xRe[from + 6 * step];
      const d26Im = xIm[from + 2 * step] - xIm[from + 6 * step];
      const s15Re = xRe[from + step] + xRe[from + 5 * step];
      const s15Im = xIm[from + step] + xIm[from + 5 * step];
      const d15Re = xRe[from + step] - xRe[from + 5 * step];
      const d15Im = xIm[from + step] - xIm[from + 5 * step];
      const s37Re = xRe[from + 3 * step] + xRe[from + 7 * step];
      const s37Im = xIm[from + 3 * step] + xIm[from + 7 * step];
      const d37Re = xRe[from + 3 * step] - xRe[from + 7 * step];
      const d37Im = xIm[from + 3 * step] - xIm[from + 7 * step];
      // Even inputs, then odd ones, the latter turned by 0, 45, 90 and 135 degrees.
      const e0Re = s04Re + s26Re;
      const e0Im = s04Im + s26Im;
      const e1Re = d04Re + d26Im;
      const e1Im = d04Im - d26Re;
      const e2Re = s04Re - s26Re;
      const e2Im = s04Im - s26Im;
      const e3Re = d04Re - d26Im;
      const e3Im = d04Im + d26Re;
      const o0Re = s15Re + s37Re;
      const o0Im = s15Im + s37Im;
      const o1Re = sin45 * (d15Re + d37Im + d15Im - d37Re);
      const o1Im = sin45 * (d15Im - d37Re - d15Re - d37Im);
      const o2Re = s15Im - s37Im;
      const o2Im = s37Re - s15Re;
      const o3Re = sin45 * (d15Im + d37Re - d15Re + d37Im);
      const o3Im = sin45 * (d37Im - d15Re - d15Im - d37Re);
      yRe[to] = e0Re + o0Re;
      yIm[to] = e0Im + o0Im;
      const y1Re = e1Re + o1Re;
      const y1Im = e1Im + o1Im;
      yRe[to + stride] = y1Re * w1Re - y1Im * w1Im;
      yIm[to + stride] = y1Re * w1Im + y1Im * w1Re;
      const y2Re = e2Re + o2Re;
      const y2Im = e2Im + o2Im;
      yRe[to + 2 * stride] = y2Re * w2Re - y2Im * w2Im;
      yIm[to + 2 * stride] = y2Re * w2Im + y2Im * w2Re;
      const y3Re = e3Re + o3Re;
      const y3Im = e3Im + o3Im;
      yRe[to + 3 * stride] = y3Re * w3Re - y3Im * w3Im;
      yIm[to + 3 * stride] = y3Re * w3Im + y3Im * w3Re;
      const y4Re = e0Re - o0Re;
      const y4Im = e0Im - o0Im;
      yRe[to + 4 * stride] = y4Re * w4Re - y4Im * w4Im;
      yIm[to + 4 * stride] = y4Re * w4Im + y4Im * w4Re;
      const y5Re = e1Re - o1Re;
      const y5Im = e1Im - o1Im;
      yRe[to + 5 * stride] = y5Re * w5Re - y5Im * w5Im;
      yIm[to + 5 * stride] = y5Re * w5Im + y5Im * w5Re;
      const y6Re = e2Re - o2Re;
      const y6Im = e2Im - o2Im;
      yRe[to + 6 * stride] = y6Re * w6Re - y6Im * w6Im;
      yIm[to + 6 * stride] = y6Re * w6Im + y6Im * w6Re;
      const y7Re = e3Re - o3Re;
      const y7Im = e3Im - o3Im;
      yRe[to + 7 * stride] = y7Re * w7Re - y7Im * w7Im;
      yIm[to + 7 * stride] = y7Re * w7Im + y7Im * w7Re;
    }
  }
}
