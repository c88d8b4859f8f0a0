// What a caller and the runtime say to each other, between threads or on one: one answer per request, in order.

import { DuplexError, type DuplexErrorCode, type StateSpec, type TensorData, type TensorSpec } from "@microturn/core";

/** Prepares a graph under an id that the caller chose. */
export interface LoadRequest {
  readonly kind: "load";
  readonly executable: number;
  readonly onnx: Uint8Array;
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly state: readonly StateSpec[];
  /** Present when state stays on the device: the two small graphs that handle it there. */
  readonly device?: { readonly merge: Uint8Array; readonly read: Uint8Array };
}

/** Runs a graph once. Both memories are laid out by `packedLayout`, and are the runtime's until it has answered. */
export interface RunRequest {
  readonly kind: "run";
  readonly executable: number;
  readonly state: number;
  /** Every input. */
  readonly feeds: ArrayBufferLike;
  /** Receives every output. */
  readonly results: ArrayBufferLike;
  readonly active: Uint8Array | undefined;
}

/** Everything the runtime can be asked. Row data is in the order of the graph's state specs. */
export type Request =
  | LoadRequest
  | RunRequest
  | { readonly kind: "create-state"; readonly executable: number; readonly state: number; readonly batch: number }
  | { readonly kind: "clone-state"; readonly executable: number; readonly from: number; readonly state: number }
  | { readonly kind: "read-row"; readonly executable: number; readonly state: number; readonly row: number }
  | {
      readonly kind: "write-row";
      readonly executable: number;
      readonly state: number;
      readonly row: number;
      /** Absent: the row becomes fresh. */
      readonly data: readonly TensorData[] | undefined;
    }
  | { readonly kind: "dispose-state"; readonly executable: number; readonly state: number }
  | { readonly kind: "dispose-executable"; readonly executable: number }
  | { readonly kind: "close" };

/** What a run gives back besides its outputs. */
export interface RunAnswer {
  readonly runMs: number;
}

/** Answer values by request kind. */
export interface Answers {
  load: undefined;
  run: RunAnswer;
  "create-state": undefined;
  "clone-state": undefined;
  "read-row": readonly TensorData[];
  "write-row": undefined;
  "dispose-state": undefined;
  "dispose-executable": undefined;
  close: undefined;
}

/** A failure as it is told to the caller. */
export interface FaultMessage {
  readonly code: DuplexErrorCode;
  readonly message: string;
}

/** A failure of a request, which becomes a DuplexError on the caller's side. */
export class Fault extends Error {
  constructor(
    readonly code: DuplexErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** What was thrown while a request was answered, as it is told to the caller. */
export function faultOf(error: unknown): FaultMessage {
  if (error instanceof Fault) return { code: error.code, message: error.message };
  return { code: "BACKEND_FAILED", message: error instanceof Error ? error.message : String(error) };
}

/** The error that a caller gets. */
export function errorOf({ code, message }: FaultMessage): DuplexError {
  return new DuplexError(code, message);
}

/**
 * Whether something failed for want of memory, which has no code of its own: the runtime says "std::bad_alloc" of a run or a session and
 * "failed to allocate a buffer of size" of a model (onnxruntime-web 1.30), browsers say the others of memory and buffers.
 */
export function isOutOfMemory(error: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  return /bad_alloc|failed to allocate|could not allocate|allocation failed|unable to grow|out of memory/i.test(
    message,
  );
}

/** First line of what was thrown, without the place in the runtime's sources and the condition that it may begin with. */
export function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .split("\n")[0]
    .replace(/^\/onnxruntime_src\/.* was false\. /, "")
    .trim();
}
