// How the parts of a conversation tell the client something, and what they name things with.

import { randomBytes } from "node:crypto";

/** Sends a server event; `event_id` and `server_event_seq` are added. */
export type Tell = (type: string, fields: Readonly<Record<string, unknown>>) => void;

/** A name that no other thing of any session has. */
export function nameOf(kind: "item" | "resp" | "call" | "sess" | "inc"): string {
  return `${kind}_${randomBytes(12).toString("base64url").replace(/[-_]/g, "x")}`;
}
