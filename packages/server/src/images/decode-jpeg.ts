// Images that come as JPEG, by jpeg-js, in this thread: only those that are small enough to be decoded between two micro-turns.

import { DuplexError } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import jpeg from "jpeg-js";

const maxMegapixels = 0.5;
const maxMegabytes = 64;

/** @throws DuplexError `IMAGE_INVALID` if it is no JPEG, or larger than half a megapixel */
export const decodeJpeg: DecodeImage = ({ jpeg: bytes }) => {
  try {
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
