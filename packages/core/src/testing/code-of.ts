// How a promise of this project fails, for assertions.

import { DuplexError } from "../errors.js";

/** The code of the DuplexError that a promise rejects with; "none" if it resolves, else what was thrown. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return DuplexError.is(error) ? error.code : String(error);
  }
}
