// Results of costly designs, of which a program needs the same few again and again: one per stream, and every session has streams.
// The oldest goes first, and large ones are not kept, so the memory is bounded.
// They are made step by step, so that a page can do other work in between (resampler-preparation.ts).

/** Kept at most. */
const mostKept = 8;
/** 64-bit floats of one result: half a megabyte. */
const mostFloats = 65_536;

/** What makes a result; gives the number of values it has worked on since its last stop. */
export type Steps<Result> = Generator<number, Result>;

/** What was made for the key before, or is made now; nobody may change it. */
export function* keepRecent(
  kept: Map<string, Float64Array>,
  key: string,
  make: () => Steps<Float64Array>,
): Steps<Float64Array> {
  const own = kept.get(key) ?? (yield* make());
  // Whoever could not wait may have made it between two steps: the one that others use counts.
  const made = kept.get(key) ?? own;
  kept.delete(key);
  if (made.length <= mostFloats) kept.set(key, made);
  if (kept.size > mostKept) kept.delete([...kept.keys()][0]);
  return made;
}

/** All steps, one after the other. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
