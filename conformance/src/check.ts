// A suite is a list of named checks, so that it can be registered with vitest and also be turned on itself:
// a check that a broken implementation passes is worth nothing.

import { type Backend, DuplexError, type DuplexErrorCode } from "@microturn/core";
import { expect } from "vitest";

/** One rule of a contract. */
export interface Check<Context> {
  /** A sentence: what a right implementation does. */
  readonly name: string;
  run(context: Context): Promise<void>;
}

/** What a check of a backend works with. */
export interface BackendContext {
  /** Shared by the checks of a suite; a check leaves it open and without executables. */
  readonly backend: Backend;
  /** A new backend of the same kind, for checks that close one. */
  fresh(): Promise<Backend>;
}

/** Waits for something that must settle. @throws Error if it takes longer than `limitMs` */
export async function settles<Value>(what: string, promise: Promise<Value>, limitMs = 50_000): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not settle within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Expects a rejection with a DuplexError of a code, or a platform error, and gives it back. */
export async function rejects(
  what: string,
  promise: Promise<unknown>,
  expected: DuplexErrorCode | typeof RangeError | typeof TypeError,
): Promise<void> {
  let error: unknown;
  try {
    await settles(what, promise);
  } catch (caught) {
    error = caught;
  }
  if (error === undefined) throw new Error(`${what} must be rejected, but it succeeded`);
  if (typeof expected !== "string") {
    expect(error, what).toBeInstanceOf(expected);
    return;
  }
  if (!DuplexError.is(error)) throw new Error(`${what} must be rejected with a DuplexError ${expected}, got ${error}`);
  expect(error.code, `${what}: ${error.message}`).toBe(expected);
}
