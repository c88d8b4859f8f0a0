// What can go wrong in a correct program: one error class, many stable codes.
// A caller's mistake is the platform's TypeError or RangeError instead.

/** Stable codes of {@link DuplexError}; each is documented in `docs/errors.md`. */
export type DuplexErrorCode =
  /** A tensor, frame or buffer has another shape or length than the operation needs. */
  | "SHAPE_MISMATCH"
  /** Audio that cannot be used: broken or empty file, unsupported coding, NaN or infinite samples. */
  | "AUDIO_INVALID"
  /** An image or video frame that cannot be used. */
  | "IMAGE_INVALID"
  /** The execution provider asked for is missing on this machine, or failed to start. */
  | "BACKEND_UNAVAILABLE"
  /** The backend failed while running a graph. */
  | "BACKEND_FAILED"
  /** A model folder is incomplete, altered, or describes an impossible model. */
  | "MODEL_INVALID"
  /** A server cannot be reached, broke off or cannot answer now, and nothing of it is kept here. */
  | "NETWORK_FAILED"
  /** A peer does not keep to the protocol: a message that cannot be read, is too large, or comes in the wrong state. */
  | "PROTOCOL_VIOLATION"
  /** A key, token or origin is not accepted, or has expired. */
  | "ACCESS_DENIED"
  /** A server has no room now, or a limit of use is reached; `details.retryAfterMs` where it is known. */
  | "SERVER_BUSY"
  /** The browser cannot keep a model: no room, or no cache here. */
  | "STORAGE_UNAVAILABLE"
  /** The engine, model or backend in use does not offer what was asked for. */
  | "UNSUPPORTED"
  /** The session, engine or backend was closed before the call. */
  | "SESSION_CLOSED"
  /** `open` did not settle within its deadline. */
  | "OPEN_TIMEOUT"
  /** A micro-turn missed its deadline and the policy is `strict`. */
  | "TURN_LATE"
  /** Input came faster than it can be held; the message says how much was kept. */
  | "INPUT_OVERFLOW"
  /** The caller's AbortSignal fired. */
  | "ABORTED"
  /** A trace cannot be read or does not replay. */
  | "TRACE_INVALID"
  /** A microphone, camera or loudspeaker cannot be used: denied, absent, busy, or a page or browser that has none. */
  | "MEDIA_UNAVAILABLE"
  /** A function of the background failed, gave what cannot be used, or may not be called so. */
  | "TOOL_FAILED"
  /** The background cannot work: no model for the work, its model failed, or its jobs cannot be kept. */
  | "BACKGROUND_FAILED";

const brand = Symbol.for("microturn.DuplexError");

/**
 * An expected failure with a stable code, a cause, and data to act on.
 *
 * Its message names the operation, what was expected, what came, and the likely fix.
 */
export class DuplexError extends Error {
  override readonly name = "DuplexError";
  readonly code: DuplexErrorCode;
  /** Facts about the failure, by name; never needed to understand the message. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Marks instances across duplicate installs of this package. */
  readonly [brand] = true;

  constructor(
    code: DuplexErrorCode,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Whether a value is a DuplexError, also one of another copy of this package; with `code`, of that code only. */
  static is(value: unknown, code?: DuplexErrorCode): value is DuplexError {
    if (typeof value !== "object" || value === null || !(brand in value)) return false;
    return code === undefined || (value as DuplexError).code === code;
  }
}
