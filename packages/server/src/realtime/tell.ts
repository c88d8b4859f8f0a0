// How the parts of a conversation tell the client something, and what they name things with.

import { randomBytes } from "node:crypto";

/** Sends a server event; `event_id` and `server_event_seq` are added, and bytes as its `delta` in base64: they are copied. */
export type Tell = (type: string, fields: Readonly<Record<string, unknown>>, delta?: Uint8Array) => void;

/** An event as JSON in UTF-8, and the bytes of its `delta`, if it has such: in memory they take less room than their base64. */
export interface EventBytes {
  readonly json: Buffer;
  readonly delta: Buffer | undefined;
}

const beforeDelta = ',"delta":"';
const afterDelta = '"}';

/** Bytes of the whole event. */
export function messageLength({ json, delta }: EventBytes): number {
  if (delta === undefined) return json.length;
  return json.length - 1 + beforeDelta.length + 4 * Math.ceil(delta.length / 3) + afterDelta.length;
}

/**
 * Writes the whole event in UTF-8. To look for what has to be escaped takes longer than all else, and base64 has nothing of it.
 *
 * @param into - has room for it
 * @returns the part of `into` that was written
 */
export function writeMessage({ json, delta }: EventBytes, into: Buffer): Buffer {
  if (delta === undefined) return into.subarray(0, json.copy(into));
  let end = json.copy(into, 0, 0, json.length - 1);
  for (const text of [beforeDelta, delta.toString("base64"), afterDelta]) end += into.write(text, end, "latin1");
  return into.subarray(0, end);
}

/** A name that no other thing of any session has. */
export function nameOf(kind: "item" | "resp" | "call" | "sess" | "inc"): string {
  return `${kind}_${randomBytes(12).toString("base64url").replace(/[-_]/g, "x")}`;
}
