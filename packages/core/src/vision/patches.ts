// Images as 40x40 patches, two moments to a patch: what the patch tower of the Inkling family takes in.
// Rule and numbers: Hugging Face transformers, `InklingImageProcessor`.

import { DuplexError } from "../errors.js";
import { bytesPerPixel, type ImagePixels } from "./image.js";
import { ImageScaler } from "./scale-image.js";

/** Width and height of a patch, pixels. */
export const patchSize = 40;

/** Mean of red, green and blue (0 … 1) that images are normalised by; that of CLIP. */
export const clipMean: readonly number[] = Object.freeze([0.48145466, 0.4578275, 0.40821073]);
/** Standard deviation to {@link clipMean}. */
export const clipStd: readonly number[] = Object.freeze([0.26862954, 0.26130258, 0.27577711]);

/** Values of one patch: two moments of 40 x 40 x 3. */
const momentValues = patchSize * patchSize * 3;

/** More patches than this need a budget: their values alone would take 2.5 GB. */
const mostTokens = 65_536;

/** What happens to an image before it is cut. Without options it is cut as it is. */
export interface PatchOptions {
  /** Scale every image to exactly this size, by area. For models with a fixed picture, such as `mini` (39 x 40). */
  readonly size?: { readonly width: number; readonly height: number };
  /** Scale the longer side by this factor, above 0, by Lanczos; published value 2 where it is used at all. */
  readonly longEdgeScale?: number;
  /** Scaling up stops at this long side, pixels; default 2048. Images that are larger already are not affected. */
  readonly longEdgeCap?: number;
  /**
   * Patches an image may become, 1 or more. A larger image is scaled down, keeping the ratio of its sides, to the
   * largest size that fits: by area, or by Lanczos together with `longEdgeScale`. Default: no limit below 65,536.
   */
  readonly maxPatchTokens?: number;
}

/** How an image of some size will be cut. */
export interface PatchPlan {
  /** Size after scaling, pixels. */
  readonly width: number;
  readonly height: number;
  readonly rows: number;
  readonly cols: number;
  /** `rows * cols`. */
  readonly tokens: number;
}

/** A cut image. */
export interface Patches extends PatchPlan {
  /** Normalised values, `[tokens, 2, 40, 40, 3]`: row of patches by row, earlier moment first. */
  readonly values: Float32Array;
}

/**
 * Rows and columns of patches: `ceil(height / 40)` and `floor(width / 40) + 1`.
 *
 * So there is always padding at the right, a whole column of it when the width is a multiple of 40: it ends the row.
 */
export function patchGrid(width: number, height: number): { rows: number; cols: number } {
  return { rows: Math.ceil(height / patchSize), cols: Math.floor(width / patchSize) + 1 };
}

/**
 * Turns images into patches. Keeps its buffers: for images of one size, encoding allocates nothing but a small record.
 *
 * @example
 * const encoder = new PatchEncoder({ maxPatchTokens: 66 });
 * const { values, tokens } = encoder.encode(frame); // [tokens, 2, 40, 40, 3]
 */
export class PatchEncoder {
  readonly #options: PatchOptions;
  #scaler: ImageScaler | undefined;
  #values = new Float32Array(0);
  #plan: PatchPlan | undefined;
  #planned = { width: 0, height: 0 };

  /** @throws RangeError if an option is out of range, or `size` alone is beyond `maxPatchTokens` */
  constructor(options: PatchOptions = {}) {
    const { size, longEdgeScale, longEdgeCap, maxPatchTokens } = options;
    if (longEdgeScale !== undefined && !(longEdgeScale > 0 && longEdgeScale <= 64)) {
      throw new RangeError(`patches: expected a longEdgeScale above 0 up to 64, got ${longEdgeScale}`);
    }
    checkWhole("longEdgeCap", longEdgeCap);
    checkWhole("maxPatchTokens", maxPatchTokens);
    checkWhole("size.width", size?.width);
    checkWhole("size.height", size?.height);
    if (size !== undefined && longEdgeScale !== undefined) {
      throw new TypeError("patches: expected size or longEdgeScale, got both");
    }
    if (size !== undefined) {
      const { rows, cols } = patchGrid(size.width, size.height);
      if (rows * cols > (maxPatchTokens ?? mostTokens)) {
        throw new RangeError(
          `patches: expected a size of at most ${maxPatchTokens ?? mostTokens} patches, got ${size.width} x ${size.height}, which has ${rows * cols}`,
        );
      }
    }
    this.#options = options;
  }

  /**
   * What an image of this size becomes.
   *
   * @throws RangeError if a size is not a positive whole number
   * @throws DuplexError `IMAGE_INVALID` if it becomes more than 65,536 patches and no budget is set
   */
  plan(width: number, height: number): PatchPlan {
    if (this.#plan !== undefined && this.#planned.width === width && this.#planned.height === height) return this.#plan;
    checkWhole("width", width);
    checkWhole("height", height);
    const plan = planPatches(width, height, this.#options);
    this.#plan = plan;
    this.#planned = { width, height };
    return plan;
  }

  /** Whether two images have the same size after scaling, and can be two moments of one patch. */
  pairs(first: ImagePixels, second: ImagePixels): boolean {
    const [a, b] = [first, second].map(({ width, height }) => planPatches(width, height, this.#options));
    return a.width === b.width && a.height === b.height;
  }

  /**
   * Cuts an image, or two moments of a video.
   *
   * @param first - the image, or the earlier moment
   * @param second - the later moment; left out, a still image fills both
   * @returns patches; `values` is valid until the next call
   * @throws DuplexError `IMAGE_INVALID` if the data of an image does not fit its size, the moments differ in size after
   *   scaling, or there are too many patches
   */
  encode(first: ImagePixels, second?: ImagePixels): Patches {
    bytesPerPixel("patches", first);
    const plan = this.plan(first.width, first.height);
    if (second !== undefined) {
      bytesPerPixel("patches", second);
      if (!this.pairs(first, second)) {
        const other = planPatches(second.width, second.height, this.#options);
        throw new DuplexError(
          "IMAGE_INVALID",
          `patches: expected two moments of one size, got ${plan.width} x ${plan.height} and ${other.width} x ${other.height} after scaling; pair frames of one camera setting`,
        );
      }
    }
    const length = plan.tokens * 2 * momentValues;
    if (this.#values.length !== length) this.#values = new Float32Array(length);
    cutImage(this.#fit(first, plan), 0, plan, this.#values);
    if (second !== undefined) cutImage(this.#fit(second, plan), 1, plan, this.#values);
    else repeatMoment(plan.tokens, this.#values);
    return { ...plan, values: this.#values };
  }

  #fit(image: ImagePixels, plan: PatchPlan): ImagePixels {
    if (image.width === plan.width && image.height === plan.height) return image;
    const filter = this.#options.longEdgeScale === undefined ? "area" : "lanczos";
    if (this.#scaler?.fromWidth !== image.width || this.#scaler.fromHeight !== image.height) {
      this.#scaler = new ImageScaler(image, plan, filter);
    }
    return this.#scaler.scale(image);
  }
}

/**
 * Cuts one image, or two moments of a video, into patches of their own.
 *
 * @see PatchEncoder for streams of images
 * @throws as {@link PatchEncoder}
 */
export function encodePatches(first: ImagePixels, second?: ImagePixels, options: PatchOptions = {}): Patches {
  return new PatchEncoder(options).encode(first, second);
}

function planPatches(width: number, height: number, options: PatchOptions): PatchPlan {
  const { size, longEdgeScale, longEdgeCap = 2048, maxPatchTokens } = options;
  if (size !== undefined) return planOf(size.width, size.height);
  const longEdge = Math.max(width, height);
  let ratio = 1;
  if (longEdgeScale !== undefined) {
    ratio = Math.min(longEdge * longEdgeScale, Math.max(longEdgeCap, longEdge)) / longEdge;
  }
  const wished = planOf(scaled(width, ratio), scaled(height, ratio));
  if (maxPatchTokens !== undefined && wished.tokens > maxPatchTokens) {
    return fitBudget(width, height, Math.max(wished.width, wished.height), maxPatchTokens);
  }
  if (wished.tokens > mostTokens) {
    throw new DuplexError(
      "IMAGE_INVALID",
      `patches: expected an image of at most ${mostTokens} patches, got ${width} x ${height}, which has ${wished.tokens}; set maxPatchTokens`,
    );
  }
  return wished;
}

/** The plan with the longest side, in whole pixels, that keeps within the budget. */
function fitBudget(width: number, height: number, tooLong: number, budget: number): PatchPlan {
  const longEdge = Math.max(width, height);
  const at = (side: number) => planOf(scaled(width, side / longEdge), scaled(height, side / longEdge));
  // Patches only grow with the side, and one pixel is one patch.
  let fits = 1;
  let above = tooLong;
  while (above - fits > 1) {
    const middle = (fits + above) >> 1;
    if (at(middle).tokens <= budget) fits = middle;
    else above = middle;
  }
  return at(fits);
}

/** Halves are rounded up, and no side vanishes. */
function scaled(side: number, ratio: number): number {
  return Math.max(1, Math.floor(side * ratio + 0.5));
}

function planOf(width: number, height: number): PatchPlan {
  const { rows, cols } = patchGrid(width, height);
  return { width, height, rows, cols, tokens: rows * cols };
}

/**
 * Normalised values of bytes: place `3 (byte + 1) + colour`. Padding is the byte -1, so that no real pixel equals it.
 */
const normalised = Float32Array.from({ length: 257 * 3 }, (_, i) => {
  const byte = Math.floor(i / 3) - 1;
  return (byte / 255 - clipMean[i % 3]) / clipStd[i % 3];
});

function cutImage(image: ImagePixels, moment: 0 | 1, plan: PatchPlan, values: Float32Array): void {
  const { data, width, height } = image;
  const step = bytesPerPixel("patches", image);
  const table = normalised;
  for (let row = 0; row < plan.rows; row++) {
    for (let col = 0; col < plan.cols; col++) {
      const left = col * patchSize;
      const inside = Math.min(patchSize, width - left);
      let to = (2 * (row * plan.cols + col) + moment) * momentValues;
      for (let y = row * patchSize; y < (row + 1) * patchSize; y++) {
        const pixels = y < height ? inside : 0;
        let from = (y * width + left) * step;
        for (let x = 0; x < pixels; x++) {
          values[to] = table[3 * data[from] + 3];
          values[to + 1] = table[3 * data[from + 1] + 4];
          values[to + 2] = table[3 * data[from + 2] + 5];
          to += 3;
          from += step;
        }
        for (let x = pixels; x < patchSize; x++) {
          values[to] = table[0];
          values[to + 1] = table[1];
          values[to + 2] = table[2];
          to += 3;
        }
      }
    }
  }
}

function repeatMoment(tokens: number, values: Float32Array): void {
  for (let token = 0; token < tokens; token++) {
    const first = 2 * token * momentValues;
    values.copyWithin(first + momentValues, first, first + momentValues);
  }
}

function checkWhole(name: string, value: number | undefined): void {
  if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
    throw new RangeError(`patches: expected ${name} to be a whole number of 1 or more, got ${value}`);
  }
}
