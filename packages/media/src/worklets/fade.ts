// Raised-cosine fades: the shortest way to start and stop sound without a click.

/**
 * Gains of a fade in, `length + 1` of them from 0 to 1; read backwards it is a fade out, and both add up to 1.
 *
 * @param length - samples, 1 or more
 */
export function raisedCosine(length: number): Float32Array {
  return Float32Array.from({ length: length + 1 }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * i) / length));
}
