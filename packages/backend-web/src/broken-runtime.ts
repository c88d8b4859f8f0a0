// What the runtime throws when nothing can be run in it any more: it has no codes for that, only words.

import { isOutOfMemory } from "@microturn/backend-ort";

/** What WebAssembly throws where the runtime ended itself, as it does for memory that a GPU refuses, or computed past its memory. */
const trap = /memory access out of bounds|unreachable|table index|Aborted\(|RuntimeError/i;

/** Whether an error of the runtime has left it in pieces: a trap. */
export function isTrap(error: unknown): boolean {
  return trap.test(error instanceof Error ? error.message : String(error));
}

/** Whether nothing can be run in this worker any more: its memory is full, or there was a trap. */
export function isBroken(error: unknown): boolean {
  return isOutOfMemory(error) || isTrap(error);
}
