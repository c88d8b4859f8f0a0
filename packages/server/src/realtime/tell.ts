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

/** The whole event, in UTF-8. To look for what has to be escaped takes longer than all else, and base64 has nothing of it. */
export function messageOf({ json, delta }: EventBytes): Uint8Array {
  if (delta === undefined) return json;
  const base64 = delta.toString("base64");
  const open = json.length - 1;
  const message = Buffer.allocUnsafe(open + beforeDelta.length + base64.length + afterDelta.length);
  json.copy(message, 0, 0, open);
  message.write(beforeDelta, open, "latin1");
  message.write(base64, open + beforeDelta.length, "latin1");
  message.write(afterDelta, message.length - afterDelta.length, "latin1");
  return message;
}

/** A name that no other thing of any session has. */
export function nameOf(kind: "item" | "resp" | "call" | "sess" | "inc"): string {
  return `${kind}_${randomBytes(12).toString("base64url").replace(/[-_]/g, "x")}`;
}
