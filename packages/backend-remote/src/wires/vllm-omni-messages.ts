// Messages of the duplex wire of vLLM-Omni, read with suspicion: what is not what it should be is absent, or breaks the protocol.

import { DuplexError } from "@microturn/core";
import type { SocketMessage } from "../socket/message-socket.js";
import { type Fields, fieldsOf, textOf } from "./openai-realtime-messages.js";

/** An event of the service. */
export interface OmniEvent {
  readonly type: string;
  readonly fields: Fields;
  /** Its number among the events of the session, where it has one. */
  readonly sequence: number | undefined;
  /** The interruptions that came before it, where it tells. */
  readonly epoch: number | undefined;
}

/** An `error`, in whichever shape it came. */
export interface OmniError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly param: string;
  /** Of the event of ours that it answers; "" if it names none. */
  readonly eventId: string;
  readonly retryAfterMs: number | undefined;
}

/** @throws DuplexError `PROTOCOL_VIOLATION` if it is no JSON object with a `type` */
export function readOmniEvent(message: SocketMessage): OmniEvent {
  if (typeof message !== "string") throw omniViolation(`expected text, got ${message.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch (cause) {
    throw omniViolation(`expected JSON, got ${message.length} characters of something else`, cause);
  }
  const fields = fieldsOf(value);
  if (fields === undefined || typeof fields.type !== "string") throw omniViolation('expected an object with a "type"');
  return { type: fields.type, fields, sequence: countOf(fields.server_event_seq), epoch: epochOf(fields) };
}

/**
 * An error in OpenAI's envelope, or flat as it comes before the handshake.
 *
 * @param redact - takes keys out
 */
export function readOmniError(fields: Fields, redact: (text: string) => string): OmniError {
  const told = fieldsOf(fields.error) ?? { ...fields, message: fields.error };
  const retryAfterMs = told.retry_after_ms;
  return {
    ...{ type: fieldsOf(fields.error) === undefined ? "" : textOf(told.type).slice(0, 100) },
    ...{ code: redact(textOf(told.code).slice(0, 100)), message: redact(textOf(told.message).slice(0, 500)) },
    ...{ param: redact(textOf(told.param).slice(0, 100)), eventId: textOf(told.event_id) },
    retryAfterMs: typeof retryAfterMs === "number" && retryAfterMs >= 0 ? Math.min(retryAfterMs, 3_600_000) : undefined,
  };
}

export function omniViolation(what: string, cause?: unknown): DuplexError {
  const message = `receive: ${what}; the peer may not speak the duplex wire of vLLM-Omni: check url, or update this package`;
  return new DuplexError("PROTOCOL_VIOLATION", message, cause === undefined ? {} : { cause });
}

/** A whole number from 0 on. */
export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** Where events carry their epoch depends on what they are made of. */
function epochOf(fields: Fields): number | undefined {
  const metadata = fieldsOf(fieldsOf(fields.response)?.metadata);
  const places = [fields, fields.metadata, metadata, metadata?.duplex_event, fields.session, fields.event];
  for (const place of places) {
    const epoch = countOf(fieldsOf(place)?.epoch);
    if (epoch !== undefined) return epoch;
  }
  return undefined;
}

/** A name that another message refers to. @throws DuplexError `PROTOCOL_VIOLATION` if there is none */
export function nameOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "" && value.length <= 512) return value;
  throw omniViolation(`expected ${name} of ${textOf(fields.type).slice(0, 100)} to be a name`);
}

export function itemOf(fields: Fields): string {
  return nameOf(fields, "item_id");
}

export function responseOf(fields: Fields): string {
  const response = fieldsOf(fields.response);
  return response !== undefined && response.id !== undefined ? nameOf(response, "id") : nameOf(fields, "response_id");
}

/** Messages that are understood and change nothing here. */
export const passedOver: ReadonlySet<string> = new Set([
  ...["session.updated", "session.heartbeat_ack", "playback.acknowledged", "response.speak", "turn.event"],
  ...["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"],
  ...["input_audio_buffer.cleared", "conversation.created"],
  ...["conversation.item.done", "conversation.item.deleted", "conversation.item.retrieved", "rate_limits.updated"],
  ...["conversation.item.truncated", "response.output_item.added", "response.content_part.added"],
  ...["response.content_part.done", "response.output_audio.done", "response.output_audio_transcript.done"],
  ...["response.output_text.done", "response.function_call_arguments.delta", "response.function_call_arguments.done"],
]);
