// Messages of OpenAI Realtime, read with suspicion: what is not what it should be is absent, or breaks the protocol.

import { DuplexError } from "@microturn/core";
import type { SocketMessage } from "../socket/message-socket.js";
import type { RealtimeError } from "./openai-realtime-errors.js";

/** An object of a message; nothing of it has been looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** A message, its type in the spelling of today. */
export interface RealtimeMessage {
  readonly type: string;
  readonly fields: Fields;
}

/** How the types were spelt before, where they differ. */
const oldSpellings: Readonly<Record<string, string>> = {
  "response.audio.delta": "response.output_audio.delta",
  "response.audio.done": "response.output_audio.done",
  "response.audio_transcript.delta": "response.output_audio_transcript.delta",
  "response.audio_transcript.done": "response.output_audio_transcript.done",
  "response.text.delta": "response.output_text.delta",
  "response.text.done": "response.output_text.done",
  "conversation.item.created": "conversation.item.added",
};

/** @throws DuplexError `PROTOCOL_VIOLATION` if it is no JSON object with a `type` */
export function readRealtimeMessage(message: SocketMessage): RealtimeMessage {
  if (typeof message !== "string") throw violation(`expected text, got ${message.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch (cause) {
    throw violation(`expected JSON, got ${message.length} characters of something else`, cause);
  }
  const fields = fieldsOf(value);
  if (fields === undefined || typeof fields.type !== "string") throw violation('expected an object with a "type"');
  const { type } = fields;
  return { type: Object.hasOwn(oldSpellings, type) ? oldSpellings[type] : type, fields };
}

export function violation(what: string, cause?: unknown): DuplexError {
  const message = `receive: ${what}; the peer may not speak OpenAI Realtime: check baseUrl and spelling, or update this package`;
  return new DuplexError("PROTOCOL_VIOLATION", message, cause === undefined ? {} : { cause });
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** A text, "" where there is none. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A name that another message refers to. @throws DuplexError `PROTOCOL_VIOLATION` if there is none */
export function idOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value !== "" && value.length <= 512) return value;
  throw violation(`expected ${name} of ${String(fields.type).slice(0, 100)} to be a name`);
}

export function errorOf(value: unknown): RealtimeError {
  const { type, code, message, param, event_id } = fieldsOf(value) ?? {};
  return {
    ...{ type: textOf(type), code: textOf(code), message: textOf(message).slice(0, 500) },
    ...{ param: textOf(param), eventId: textOf(event_id) },
  };
}
