// A command line that cannot be followed: the caller's mistake, told in one line with the fix.

/** Thrown while reading the command line; ends the program with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
