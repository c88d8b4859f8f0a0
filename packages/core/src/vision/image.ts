// Images as they come in: bytes of RGB or RGBA, and the check that they are what they say.

import { DuplexError } from "../errors.js";

/** An image in memory; an `ImageFrame` is one. */
export interface ImagePixels {
  /** RGBA (4 bytes a pixel, alpha is ignored) or RGB (3 bytes a pixel), row-major, top row first. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/**
 * Bytes per pixel of an image, 3 or 4.
 *
 * @param operation - named in the message
 * @throws TypeError if the data is not an array of bytes
 * @throws DuplexError `IMAGE_INVALID` if the size is not whole and positive, or the data has another length
 */
export function bytesPerPixel(operation: string, image: ImagePixels): 3 | 4 {
  const { data, width, height } = image;
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw new TypeError(`${operation}: image data must be a Uint8Array or Uint8ClampedArray of RGB or RGBA`);
  }
  const pixels = width * height;
  if (Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0) {
    if (data.length === 3 * pixels) return 3;
    if (data.length === 4 * pixels) return 4;
  }
  throw new DuplexError(
    "IMAGE_INVALID",
    `${operation}: expected width x height pixels of 3 or 4 bytes, got ${width} x ${height} with ${data.length} bytes`,
    { details: { width, height, bytes: data.length } },
  );
}
