// What the services on this machine have in common: sound that came, sound that goes out as base64, connections that end.

import type { WebSocket } from "ws";
import type { SoundForm } from "./service-double.js";

/** Bytes of sound in one message: 200 ms at 24 kHz. */
const pieceBytes = 9600;

/** One after the other. */
export function joinSound(pieces: readonly Int16Array[]): Int16Array {
  const all = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Sound as the base64 of several messages. */
export function base64Pieces(pcm: Int16Array, { oddBytes = false, bare = false }: SoundForm = {}): string[] {
  const bytes = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  // Neither is a multiple of 3: there is padding to leave out.
  const step = oddBytes ? 4801 : bare ? 4802 : pieceBytes;
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    const text = bytes.subarray(at, at + step).toString("base64");
    if (bare) pieces.push("", text.replace(/=+$/, ""));
    else pieces.push(text);
  }
  return pieces;
}

/** Ends connections with a code; 1006: without a word. */
export function dropAll(sockets: Iterable<WebSocket>, code: number, reason: string): void {
  for (const socket of sockets) {
    if (code === 1006) socket.terminate();
    else socket.close(code, reason);
  }
}
