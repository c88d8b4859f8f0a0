// What executables and states need of the thread that owns the runtime, wherever that is.

import { DuplexError } from "@microturn/core";
import type { Answers, Request } from "./messages.js";

/** Takes requests to a `Runtime` and brings its answers. Requests are answered one at a time, in order. */
export interface Connection {
  /**
   * Sends a request. What it holds must not change until it is answered.
   *
   * @param signal - once it is aborted nobody waits for the answer, and a request whose turn has not come may be left out
   * @throws DuplexError with the code of what failed; `BACKEND_FAILED` if the runtime's thread ends first; `SESSION_CLOSED`
   *   after `close`
   */
  request<R extends Request>(request: R, signal?: AbortSignal): Promise<Answers[R["kind"]]>;
  /** Sends a request whose outcome nobody waits for, such as freeing something. */
  tell(request: Request): void;
  /** Rejects what is open with `SESSION_CLOSED` and frees the runtime's sessions. Always resolves. */
  close(): Promise<void>;
}

/** The error that open and later requests of a closed connection get. */
export function closedError(): DuplexError {
  return new DuplexError("SESSION_CLOSED", "the backend was closed");
}
