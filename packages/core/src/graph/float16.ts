// float32 numbers to IEEE 754 binary16, rounded to nearest, ties to even. `model/weights.ts` goes the other way.
// After F. Giesen, float_to_half_fast3_rtne (public domain).

/**
 * Rounds to float16.
 *
 * @returns bits of each number; infinity for 65,520 and above in magnitude, and for what is no number
 */
export function toFloat16(values: Float32Array): Uint16Array {
  const result = new Uint16Array(values.length);
  const bitsOf = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const one = new Float32Array(1);
  const oneBits = new Uint32Array(one.buffer);
  for (let i = 0; i < values.length; i++) {
    const sign = (bitsOf[i] >>> 16) & 0x8000;
    const magnitude = bitsOf[i] & 0x7fffffff;
    if (magnitude >= 0x477ff000) {
      result[i] = sign | 0x7c00;
    } else if (magnitude < 0x38800000) {
      // Below 2^-14: the last bit of a float32 near 0.5 is worth what that of such a float16 is, so that adding rounds.
      one[0] = Math.abs(values[i]) + 0.5;
      result[i] = sign | (oneBits[0] - 0x3f000000);
    } else {
      // Another exponent bias (127 to 15), half of the last kept bit, and one less where that bit is even.
      result[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    }
  }
  return result;
}
