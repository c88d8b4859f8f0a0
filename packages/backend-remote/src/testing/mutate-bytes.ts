// Broken messages out of right ones, for tests of binary wires: the same seed gives the same messages.

/**
 * A right message, broken in one to four places, joined with another, or both.
 *
 * @param corpus - right messages
 * @param random - numbers in [0, 1)
 */
export function mutateBytes(corpus: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (count: number) => Math.floor(random() * count);
  let bytes = Uint8Array.from(corpus[below(corpus.length)]);
  for (let places = 1 + below(4); places > 0; places--) {
    const at = below(bytes.length);
    const other = corpus[below(corpus.length)];
    const change = below(6);
    if (change === 0) bytes[at] ^= 1 << below(8);
    else if (change === 1) bytes[at] = [0, 1, 127, 128, 254, 255][below(6)];
    else if (change === 2) bytes = bytes.slice(0, at);
    else if (change === 3) bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + below(9))]);
    else if (change === 4) bytes = Uint8Array.from([...bytes.subarray(0, at), ...other.subarray(below(other.length))]);
    else bytes = Uint8Array.from([...bytes, ...bytes.subarray(at)]);
  }
  return bytes;
}
