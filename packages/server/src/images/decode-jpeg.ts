// Images that come as JPEG, by jpeg-js, in this thread: only those that are small enough to be decoded between two micro-turns.

import { DuplexError } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import jpeg from "jpeg-js";

const maxMegapixels = 0.5;
const maxMegabytes = 64;
/** Progressive images of cameras and browsers have some ten; each goes over all pixels, and may have no more than 12 bytes. */
const maxScans = 32;

/**
 * Pixels of a JPEG, by the first frame header in it; undefined if there is none. What it costs to decode goes by them.
 *
 * @see ITU-T T.81, annex B
 */
export function jpegPixels(bytes: Uint8Array): number | undefined {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    // Fill bytes.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return ((bytes[at + 5] << 8) | bytes[at + 6]) * ((bytes[at + 7] << 8) | bytes[at + 8]);
    at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
  }
  return undefined;
}

/** Starts of a scan; the coded data itself has none, and the small picture within a picture has few. */
function scansOf(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at !== -1; at = bytes.indexOf(0xff, at + 1)) if (bytes[at + 1] === 0xda) scans++;
  return scans;
}

/** @throws DuplexError `IMAGE_INVALID` if it is no JPEG, larger than half a megapixel, or of more than 32 scans */
export const decodeJpeg: DecodeImage = ({ jpeg: bytes }) => {
  try {
    if (scansOf(bytes) > maxScans) throw new RangeError("too many scans");
    const { data, width, height } = jpeg.decode(bytes, {
      ...{ useTArray: true, formatAsRGBA: true, tolerantDecoding: false },
      ...{ maxResolutionInMP: maxMegapixels, maxMemoryUsageInMB: maxMegabytes },
    });
    return { data, width, height };
  } catch {
    // What the decoder says of broken bytes is of no use to anybody.
    throw new DuplexError(
      "IMAGE_INVALID",
      `decoding an image: expected a whole JPEG of at most ${maxMegapixels} megapixels, got ${bytes.length} bytes; scale it before sending`,
    );
  }
};
