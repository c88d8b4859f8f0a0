// Images as JPEG, for wires that carry stills; by jpeg-js, in the caller's thread.

import type { ImageFrame } from "@microturn/core";
import { scaleImage } from "@microturn/core/codecs";
import jpeg from "jpeg-js";
import { encodeBase64 } from "./base64.js";

/** Options of {@link encodeJpeg}. */
export interface JpegOptions {
  /** 1 … 100; default 75. */
  readonly quality?: number;
  /** A longer side is scaled down to this, pixels; default 768. Bounds the time that it takes, too. */
  readonly maxSide?: number;
}

/**
 * An image as a baseline JPEG.
 *
 * @param image - RGB or RGBA; alpha is left out
 * @throws DuplexError `IMAGE_INVALID` if its data does not fit its size
 */
export function encodeJpeg(
  image: Pick<ImageFrame, "data" | "width" | "height">,
  options: JpegOptions = {},
): Uint8Array {
  const { quality = 75, maxSide = 768 } = options;
  const scale = Math.min(1, maxSide / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const pixels = scale === 1 ? image : scaleImage(image, { width, height });
  const { data } = withBuffer(() => jpeg.encode({ data: toRgba(pixels), width, height }, quality));
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

/** An image as a data URI of a JPEG. */
export function jpegDataUri(image: Pick<ImageFrame, "data" | "width" | "height">, options?: JpegOptions): string {
  return `data:image/jpeg;base64,${encodeBase64(encodeJpeg(image, options))}`;
}

function toRgba({ data, width, height }: Pick<ImageFrame, "data" | "width" | "height">): Uint8Array {
  const pixels = width * height;
  if (data.length === 4 * pixels) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const rgba = new Uint8Array(4 * pixels);
  for (let i = 0; i < pixels; i++) {
    rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    rgba[4 * i + 3] = 255;
  }
  return rgba;
}

/**
 * jpeg-js ends with `Buffer.from(bytes)`, which a page has not. While it runs, and only then, there is one: no other code
 * runs meanwhile.
 */
function withBuffer<T>(action: () => T): T {
  const scope = globalThis as { Buffer?: unknown };
  if (scope.Buffer !== undefined) return action();
  scope.Buffer = { from: (bytes: number[]) => Uint8Array.from(bytes) };
  try {
    return action();
  } finally {
    delete scope.Buffer;
  }
}
