import { describe, expect, it } from "vitest";
import { MessageBuffers } from "./message-buffers.js";

const eventOf = (delta: Uint8Array | undefined) => ({
  json: Buffer.from('{"type":"x"}'),
  delta: delta === undefined ? undefined : Buffer.from(delta),
});

/** Sends events over a connection that says by itself when one has been sent. */
function connection() {
  const buffers = new MessageBuffers();
  const sent: { readonly message: Uint8Array; readonly onSent: () => void }[] = [];
  const send = (delta?: Uint8Array) =>
    buffers.send(eventOf(delta), (message, onSent = () => {}) => sent.push({ message, onSent }));
  return { send, sent, texts: () => sent.map(({ message }) => Buffer.from(message).toString()) };
}

describe("buffers of messages", () => {
  it("hold each message until it has been sent, however many wait", () => {
    const { send, texts } = connection();
    const expected = Array.from({ length: 300 }, (_, i) => {
      send(Uint8Array.of(i & 255, i >> 8));
      return `{"type":"x","delta":"${Buffer.of(i & 255, i >> 8).toString("base64")}"}`;
    });
    expect(texts()).toEqual(expected);
  });

  it("take the next message once one has been sent", () => {
    const { send, sent, texts } = connection();
    send(new Uint8Array(9600));
    sent[0].onSent();
    send(Uint8Array.of(1, 2, 3));
    expect(sent[1].message.buffer).toBe(sent[0].message.buffer);
    expect(texts()[1]).toBe('{"type":"x","delta":"AQID"}');
  });

  it("are not used for what has no sound, or more than fits", () => {
    const { send, sent, texts } = connection();
    send();
    send(new Uint8Array(50_000));
    for (const { onSent } of sent) onSent();
    send(new Uint8Array(50_000));
    expect(texts()[0]).toBe('{"type":"x"}');
    expect(JSON.parse(texts()[1]).delta).toHaveLength(4 * Math.ceil(50_000 / 3));
    expect(new Set(sent.map(({ message }) => message.buffer)).size).toBe(3);
  });
});
