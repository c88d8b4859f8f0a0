// Bytes in base64 (RFC 4648), in pieces, so that a micro-turn is not kept waiting.

import { othersTurn } from "../waiting.js";

/** As many as a call takes for its arguments, in whole groups of 3. */
const bytesAtOnce = 8190;
/** Pieces before others get a turn: half a millisecond. */
const piecesAtOnce = 12;

export async function toBase64(bytes: Uint8Array): Promise<string> {
  let text = "";
  for (let at = 0; at < bytes.length; at += bytesAtOnce) {
    if (at % (piecesAtOnce * bytesAtOnce) === 0) await othersTurn();
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + bytesAtOnce)));
  }
  return text;
}
