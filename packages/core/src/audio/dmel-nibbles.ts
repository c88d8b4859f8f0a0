// Levels on the wire: two to a byte, 160 bytes for a micro-turn of dmel-20.
// Frames one after the other, mel bin 0 first, the earlier level in the high nibble.

import { DuplexError } from "../errors.js";

/**
 * Packs levels below 16, two to a byte.
 *
 * @param levels - an even count, each 0 … 15
 * @param output - receives `levels.length / 2` bytes; made when left out
 * @throws RangeError if the count is odd or `output` is shorter
 * @throws DuplexError `AUDIO_INVALID` if a level is above 15
 */
export function packLevels(levels: Uint8Array, output = new Uint8Array(levels.length >> 1)): Uint8Array {
  if (levels.length % 2 !== 0) throw new RangeError(`packLevels: expected an even count, got ${levels.length}`);
  if (output.length < levels.length / 2) {
    throw new RangeError(`packLevels: expected room for ${levels.length / 2} bytes, got ${output.length}`);
  }
  for (let i = 0; i < levels.length; i += 2) {
    const high = levels[i];
    const low = levels[i + 1];
    if (high > 15 || low > 15) {
      throw new DuplexError(
        "AUDIO_INVALID",
        `packLevels: expected levels 0 to 15, got ${high > 15 ? high : low} at index ${high > 15 ? i : i + 1}`,
      );
    }
    output[i >> 1] = (high << 4) | low;
  }
  return output;
}

/**
 * Undoes {@link packLevels}.
 *
 * @param output - receives `2 * packed.length` levels; made when left out
 * @throws RangeError if `output` is shorter
 */
export function unpackLevels(packed: Uint8Array, output: Uint8Array = new Uint8Array(packed.length * 2)): Uint8Array {
  if (output.length < packed.length * 2) {
    throw new RangeError(`unpackLevels: expected room for ${packed.length * 2} levels, got ${output.length}`);
  }
  for (let i = 0; i < packed.length; i++) {
    output[2 * i] = packed[i] >> 4;
    output[2 * i + 1] = packed[i] & 15;
  }
  return output;
}
