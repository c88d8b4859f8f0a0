// Results of costly designs, of which a program needs the same few again and again: one per stream, and every session has streams.
// The oldest goes first, and large ones are not kept, so the memory is bounded.

/** Kept at most. */
const mostKept = 8;
/** 64-bit floats of one result: half a megabyte. */
const mostFloats = 65_536;

/** What was made for the key before, or is made now; nobody may change it. */
export function keepRecent(kept: Map<string, Float64Array>, key: string, make: () => Float64Array): Float64Array {
  const made = kept.get(key) ?? make();
  kept.delete(key);
  if (made.length <= mostFloats) kept.set(key, made);
  if (kept.size > mostKept) kept.delete([...kept.keys()][0]);
  return made;
}
