// Messages with sound, put together in memory that is used again once they have been sent: made anew each time, it is the greatest
// part of what the collector is called for.

import { type EventBytes, messageLength, writeMessage } from "./tell.js";

/** Bytes of each buffer: a micro-turn of sound at 24 kHz fits, in base64. A larger message has memory of its own. */
const bufferBytes = 16_384;
/** Free buffers that are kept; more are in use only while clients read slowly. */
const mostFree = 256;

export class MessageBuffers {
  readonly #free: Buffer[] = [];

  /** Has the message of an event sent. @param send - calls `onSent` once nobody reads the message any more, if at all */
  send(event: EventBytes, send: (message: Uint8Array, onSent?: () => void) => void): void {
    const { json, delta } = event;
    if (delta === undefined) {
      send(json);
      return;
    }
    const length = messageLength(event);
    if (length > bufferBytes) {
      send(writeMessage(event, Buffer.allocUnsafeSlow(length)));
      return;
    }
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    send(writeMessage(event, buffer), () => {
      if (this.#free.length < mostFree) this.#free.push(buffer);
    });
  }
}
