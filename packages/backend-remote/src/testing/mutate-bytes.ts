// Broken messages out of right ones, for tests of binary wires: the same seed gives the same messages.

/** Bytes at the start of a message, where most of its fields are: half of what breaks, breaks there. */
const headBytes = 64;
/** Pieces that are put together make no longer messages. */
const maxBytes = 256 * 1024;

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
    const at = below(random() < 0.5 ? Math.min(headBytes, bytes.length) : bytes.length);
    const other = corpus[below(corpus.length)];
    const change = below(7);
    if (change === 0) bytes[at] ^= 1 << below(8);
    else if (change === 1) bytes[at] = [0, 1, 127, 128, 254, 255][below(6)];
    else if (change === 2) bytes[at] = below(256);
    else if (change === 3) bytes = bytes.slice(0, at);
    else if (change === 4) bytes = joined(bytes.subarray(0, at), bytes.subarray(at + 1 + below(9)));
    else if (change === 5) bytes = joined(bytes.subarray(0, at), other.subarray(below(other.length)));
    else if (bytes.length < maxBytes) bytes = joined(bytes, bytes.subarray(at));
  }
  return bytes;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
