// What is wrong with an event of a client, in OpenAI's envelope: type, code, message, param, and the client's own event_id.

import { DuplexError } from "@microturn/core";

export type RealtimeErrorType = "invalid_request_error" | "rate_limit_error" | "server_error";

/** What an error of the wire says besides its message. */
export interface RealtimeErrorFacts {
  /** Default `invalid_request_error`. */
  readonly type?: RealtimeErrorType;
  /** The field that is wrong. */
  readonly param?: string;
  /** When to try again, ms. */
  readonly retryAfterMs?: number;
}

/** Refuses one event; the session goes on. */
export class RealtimeError extends Error {
  readonly code: string;
  readonly facts: RealtimeErrorFacts;

  constructor(code: string, message: string, facts: RealtimeErrorFacts = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/** The error as the client is told of it; nothing of what the client sent but its `event_id`. */
export function errorEnvelope({ code, message, facts }: RealtimeError, eventId: string | null): object {
  const { type = "invalid_request_error", param, retryAfterMs } = facts;
  return {
    ...{ type, code, message: message.slice(0, 1000), param: param ?? null, event_id: eventId },
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  };
}

/** What an error of the session means on the wire; undefined if it is none that a client may know of. */
export function asRealtimeError(error: unknown): RealtimeError | undefined {
  if (error instanceof RealtimeError) return error;
  if (!DuplexError.is(error)) return undefined;
  const { code, message, details } = error;
  switch (code) {
    case "INPUT_OVERFLOW":
      return new RealtimeError("input_backpressure", message, { type: "rate_limit_error" });
    case "SERVER_BUSY": {
      const { retryAfterMs } = details;
      const busy = details.reason === "limit" ? "resource_exhausted" : "duplex_session_busy";
      return new RealtimeError(busy, message, {
        type: "rate_limit_error",
        ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      });
    }
    case "UNSUPPORTED":
      return new RealtimeError("unsupported_content_type", message);
    case "AUDIO_INVALID":
    case "IMAGE_INVALID":
      return new RealtimeError("invalid_value", message);
    case "SESSION_CLOSED":
      return new RealtimeError("session_closed", "the session has ended; open another");
    default:
      return undefined;
  }
}
