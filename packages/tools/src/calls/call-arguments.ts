// The arguments as a model gave them, made into plain JSON. Models also send them as text, and that text may be broken.

import { describe, readJson } from "../schema/json-value.js";
import type { Validation } from "../schema/read-schema.js";

/** Longest arguments, in bytes of JSON. */
const maxBytes = 1024 * 1024;

/** @returns the arguments, `{}` for none; or what is wrong with them */
export function readArguments(given: unknown): Validation {
  let value = given ?? {};
  if (typeof value === "string") {
    if (value.length > maxBytes) return { ok: false, problem: `it is longer than ${maxBytes} bytes of JSON` };
    try {
      value = value.trim() === "" ? {} : JSON.parse(value);
    } catch (error) {
      return { ok: false, problem: `they are not JSON: ${describe(error, 200)}` };
    }
  }
  return readJson(value, { maxBytes });
}
