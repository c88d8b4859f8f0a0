// Messages of GPT-Live, read with suspicion: whatever is not what it should be is absent, or breaks the protocol.

import { DuplexError } from "@microturn/core";
import type { SocketMessage } from "../socket/message-socket.js";

/** An object of a message; nothing of it has been looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * @returns undefined for bytes, which this service does not send
 * @throws DuplexError `PROTOCOL_VIOLATION` if it is no JSON object with a `type`
 */
export function readMessage(message: SocketMessage): (Fields & { readonly type: string }) | undefined {
  if (typeof message !== "string") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    // Nothing of it is told, nor what JSON.parse quotes: who knows what is in it.
    throw violation(`expected JSON, got ${message.length} characters of something else`);
  }
  const fields = fieldsOf(value);
  if (fields === undefined || typeof fields.type !== "string") {
    throw violation(`expected an object with a "type", got ${message.length} characters of other JSON`);
  }
  return fields as Fields & { readonly type: string };
}

export function violation(what: string): DuplexError {
  const message = `receive: ${what}; the peer may not be GPT-Live: check baseUrl, or update this package`;
  return new DuplexError("PROTOCOL_VIOLATION", message);
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** @throws DuplexError `PROTOCOL_VIOLATION` if it is no text */
export function requireText(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw violation(`expected ${name} to be text, got ${value === null ? "null" : typeof value}`);
}

/** Milliseconds on the timeline; undefined for what is none. */
export function msOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}
