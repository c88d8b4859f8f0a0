// Images to another size, by filters that can be told apart along rows and columns.
// `area` averages what a pixel covers; `lanczos` is the windowed sinc of three lobes that published processors use.

import { bytesPerPixel, type ImagePixels } from "./image.js";

/**
 * How pixels are weighed.
 *
 * `area`: the mean of the area that a new pixel covers; fast, never rings.
 * `lanczos`: sharper; stretched when scaling down. Weights of 16 bits and bytes between the two passes, as in torchvision,
 * so that the published processor's pixels come out exactly.
 */
export type ScaleFilter = "area" | "lanczos";

/** Scales images of one size to another; keeps its tables and buffers, so that scaling allocates nothing. */
export class ImageScaler {
  readonly fromWidth: number;
  readonly fromHeight: number;
  readonly filter: ScaleFilter;
  /** The last result, RGB, valid until the next call. */
  readonly #result: { readonly data: Uint8Array; readonly width: number; readonly height: number };
  readonly #columns: Weights;
  readonly #rows: Weights;
  /** Rows of the source at the new width. */
  readonly #between: Float32Array;
  /** One row of sums. */
  readonly #sums: Float64Array;

  /** @throws RangeError if a size is not a positive whole number */
  constructor(from: { width: number; height: number }, to: { width: number; height: number }, filter: ScaleFilter) {
    for (const size of [from.width, from.height, to.width, to.height]) {
      if (!Number.isInteger(size) || size < 1) {
        throw new RangeError(`scale: expected whole sizes of 1 or more, got ${size}`);
      }
    }
    this.fromWidth = from.width;
    this.fromHeight = from.height;
    this.filter = filter;
    this.#columns = weigh(from.width, to.width, filter);
    this.#rows = weigh(from.height, to.height, filter);
    this.#between = new Float32Array(from.height * to.width * 3);
    this.#sums = new Float64Array(to.width * 3);
    this.#result = { data: new Uint8Array(to.width * to.height * 3), width: to.width, height: to.height };
  }

  /**
   * Scales one image.
   *
   * @returns RGB pixels, valid until the next call
   * @throws RangeError if the image is not of the size this scaler is for
   * @throws DuplexError `IMAGE_INVALID` if its data does not fit its size
   */
  scale(image: ImagePixels): ImagePixels {
    const step = bytesPerPixel("scale", image);
    if (image.width !== this.fromWidth || image.height !== this.fromHeight) {
      throw new RangeError(
        `scale: expected an image of ${this.fromWidth} x ${this.fromHeight}, got ${image.width} x ${image.height}`,
      );
    }
    this.#scaleRows(image.data, step);
    this.#scaleColumns();
    return this.#result;
  }

  #scaleRows(data: Uint8Array | Uint8ClampedArray, step: number): void {
    const { first, count, weights, most } = this.#columns;
    const toWidth = this.#result.width;
    const between = this.#between;
    const rounded = this.filter === "lanczos";
    let to = 0;
    for (let y = 0; y < this.fromHeight; y++) {
      const row = y * this.fromWidth * step;
      for (let x = 0; x < toWidth; x++) {
        let red = 0;
        let green = 0;
        let blue = 0;
        let from = row + first[x] * step;
        const end = x * most + count[x];
        for (let k = x * most; k < end; k++, from += step) {
          const weight = weights[k];
          red += weight * data[from];
          green += weight * data[from + 1];
          blue += weight * data[from + 2];
        }
        between[to] = rounded ? toByte(red) : red;
        between[to + 1] = rounded ? toByte(green) : green;
        between[to + 2] = rounded ? toByte(blue) : blue;
        to += 3;
      }
    }
  }

  #scaleColumns(): void {
    const { first, count, weights, most } = this.#rows;
    const { data, height } = this.#result;
    const between = this.#between;
    const sums = this.#sums;
    const length = sums.length;
    for (let y = 0; y < height; y++) {
      sums.fill(0);
      for (let k = 0; k < count[y]; k++) {
        const weight = weights[y * most + k];
        const from = (first[y] + k) * length;
        for (let i = 0; i < length; i++) sums[i] += weight * between[from + i];
      }
      for (let i = 0; i < length; i++) data[y * length + i] = toByte(sums[i]);
    }
  }
}

/**
 * An image at another size; the ratio of its sides is the caller's business.
 *
 * @param size.width - pixels, 1 or more
 * @param size.height - pixels, 1 or more
 * @param filter - default `area`
 * @returns RGB pixels that belong to the caller
 * @throws RangeError if the size is not whole and positive
 * @throws DuplexError `IMAGE_INVALID` if the image's data does not fit its size
 */
export function scaleImage(
  image: ImagePixels,
  size: { width: number; height: number },
  filter: ScaleFilter = "area",
): ImagePixels {
  bytesPerPixel("scale", image);
  return new ImageScaler(image, size, filter).scale(image);
}

function toByte(value: number): number {
  return Math.max(0, Math.min(255, Math.floor(value + 0.5)));
}

/** For each new position: the first old one it draws from, how many, and their weights, `most` places each. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly most: number;
  readonly weights: Float64Array;
}

function weigh(from: number, to: number, filter: ScaleFilter): Weights {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = filter === "area" ? scale / 2 : 3 * stretch;
  const most = Math.ceil(2 * reach) + 2;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Float64Array(to * most);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    // A tiny slack keeps rounding errors from drawing in a neighbour that is only touched.
    const begin = Math.max(0, filter === "area" ? Math.floor(centre - reach + 1e-9) : Math.floor(centre - reach + 0.5));
    const end = Math.min(from, filter === "area" ? Math.ceil(centre + reach - 1e-9) : Math.floor(centre + reach + 0.5));
    let sum = 0;
    for (let j = begin; j < end; j++) {
      const weight =
        filter === "area"
          ? Math.min(j + 1, centre + reach) - Math.max(j, centre - reach)
          : lanczos3((j + 0.5 - centre) / stretch);
      weights[i * most + j - begin] = weight;
      sum += weight;
    }
    for (let k = 0; k < end - begin; k++) weights[i * most + k] /= sum;
    first[i] = begin;
    count[i] = end - begin;
  }
  if (filter === "lanczos") roundTo16Bits(weights);
  return { first, count, most, weights };
}

/** Weights as the fast scalers of bytes hold them: whole numbers of 16 bits, with as many binary places as the largest allows. */
function roundTo16Bits(weights: Float64Array): void {
  let largest = 0;
  for (const weight of weights) largest = Math.max(largest, weight);
  let places = 0;
  while (places < 22 && Math.floor(0.5 + largest * 2 ** (places + 1)) < 2 ** 15) places++;
  const unit = 2 ** places;
  for (let i = 0; i < weights.length; i++) weights[i] = Math.floor(weights[i] * unit + 0.5) / unit;
}

function lanczos3(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
}
