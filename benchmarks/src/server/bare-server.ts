// A stand-in that only reads and writes: what sockets, the WebSocket library and the system cost at least, on whatever machine. Its
// messages are as many and as long as those of a session of the JSON wire whose engine speaks every other second.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

/** A server without sessions. */
export interface BareServer {
  readonly port: number;
  /** Messages of sound that have come. */
  reads(): number;
  connections(): number;
  close(): Promise<void>;
}

/** Of ten micro-turns, those in which the engine speaks; it goes by how many there were. */
const speaks = (turn: number) => turn % 10 < 5;
/** Bytes of JSON around the sound, of the words beside it, and of the events at the start and at the end of a reply. */
const aroundSound = 450;
const words = 270;
const startOfReply = Array.from({ length: 5 }, () => 300);
const endOfReply = Array.from({ length: 8 }, () => 290);
/** A message that is shorter has no sound in it. */
const leastSound = 1000;

/** Starts one on a free port of this machine. */
export async function bareServer(): Promise<BareServer> {
  const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(sockets, "listening");
  let reads = 0;
  sockets.on("connection", (socket, { socket: stream }) => {
    let turn = 0;
    socket.send(JSON.stringify({ type: "session.created" }));
    socket.on("message", (data: Buffer) => {
      if (data.length < leastSound) return;
      reads++;
      turn++;
      const begins = speaks(turn) && (turn === 1 || !speaks(turn - 1));
      const ends = !speaks(turn) && speaks(turn - 1);
      const lengths = [
        ...(begins ? startOfReply : []),
        ...(speaks(turn) ? [data.length + aroundSound, words] : []),
        ...(ends ? endOfReply : []),
      ];
      if (lengths.length === 0) return;
      // As our server does: the messages of one micro-turn go in one write.
      stream.cork();
      process.nextTick(() => stream.uncork());
      for (const length of lengths) socket.send(messageOf(length), { binary: false }, () => {});
    });
  });
  return {
    port: (sockets.address() as AddressInfo).port,
    reads: () => reads,
    connections: () => sockets.clients.size,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await once(sockets, "close");
    },
  };
}

const made = new Map<number, Buffer>();

/** A message of a length; the long ones are sound to the bench's client. */
function messageOf(length: number): Buffer {
  let message = made.get(length);
  if (message === undefined) {
    message = Buffer.alloc(length, " ");
    message.write(length > leastSound ? "response.output_audio.delta" : "response.other");
    made.set(length, message);
  }
  return message;
}
