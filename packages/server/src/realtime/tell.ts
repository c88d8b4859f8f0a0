// How the parts of a conversation tell the client something, and what they name things with.

import { randomBytes } from "node:crypto";

/** Sends a server event; `event_id` and `server_event_seq` are added, and bytes as its `delta` in base64. They must not change any more. */
export type Tell = (type: string, fields: Readonly<Record<string, unknown>>, delta?: Uint8Array) => void;

/** An event as JSON, and the bytes of its `delta`, if it has such: in memory they take less room than their base64. */
export interface EventText {
  readonly json: string;
  readonly delta?: Uint8Array | undefined;
}

/** The whole event. To look for what has to be escaped takes longer than all else, and base64 has nothing of it. */
export function textOf({ json, delta }: EventText): string {
  if (delta === undefined) return json;
  const base64 = Buffer.from(delta.buffer, delta.byteOffset, delta.byteLength).toString("base64");
  return `${json.slice(0, -1)},"delta":"${base64}"}`;
}

/** A name that no other thing of any session has. */
export function nameOf(kind: "item" | "resp" | "call" | "sess" | "inc"): string {
  return `${kind}_${randomBytes(12).toString("base64url").replace(/[-_]/g, "x")}`;
}
