// A client that costs next to nothing: its messages are made beforehand, and of the answers only the number is read. So one
// process can play a thousand of them beside a server.

import { MessageEncoder, protocolName } from "@microturn/core/protocol";
import { WebSocket } from "ws";

const encoder = new MessageEncoder();
const turnMs = 200;
/** Where the number of the step is in a step, and in an answer. */
const sequenceAt = 1;

export interface RawClient {
  /** From the moment that each micro-turn was due to its answer, ms; NaN where none has come. */
  readonly times: Float64Array;
  /** What ended it, if anything did. */
  readonly failure: () => string | undefined;
  readonly bytesUp: () => number;
  readonly bytesDown: () => number;
  close(): void;
}

/** Sound of 200 ms as dMel levels: what it is does not matter to a server. */
function levels(seed: number): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, i) => (i * 7 + seed * 13) & 0xff);
}

/**
 * Opens a session and steps it in real time.
 *
 * @param phaseMs - after the start of the second at which its micro-turns end
 * @param turns - micro-turns, then it closes
 * @returns once it is welcomed or refused
 */
export function rawClient(port: number, phaseMs: number, turns: number, loud = true): Promise<RawClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/micro-turn`, [protocolName], { perMessageDeflate: false });
  const times = new Float64Array(turns).fill(Number.NaN);
  const steps = Array.from({ length: 4 }, (_, i) =>
    encoder.client({
      ...{ kind: "step", sequence: 0 },
      input: {
        ...{ index: 0, turns: 1, images: [], text: [] },
        ...(loud ? { audio: new Float32Array(0), dmel: levels(i) } : { audio: new Float32Array(3200) }),
      },
    }),
  );
  const due = new Float64Array(turns);
  let failure: string | undefined;
  let up = 0;
  let down = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let startMs = 0;
  const send = (sequence: number) => {
    if (sequence === turns) {
      // The last answer may still be on its way.
      timer = setTimeout(() => socket.close(), 2 * turnMs);
      return;
    }
    const message = steps[sequence % steps.length].slice();
    new DataView(message.buffer).setUint32(sequenceAt, sequence, true);
    due[sequence] = startMs + sequence * turnMs;
    up += message.length;
    socket.send(message);
    timer = setTimeout(send, Math.max(0, startMs + (sequence + 1) * turnMs - performance.now()), sequence + 1);
  };
  return new Promise((resolve) => {
    const client: RawClient = {
      times,
      failure: () => failure,
      bytesUp: () => up,
      bytesDown: () => down,
      close() {
        clearTimeout(timer);
        socket.terminate();
      },
    };
    socket.on("open", () =>
      socket.send(encoder.client({ kind: "hello", version: 1, seed: 0, temperature: 0, speech: "pcm16" })),
    );
    socket.on("message", (data: Buffer) => {
      down += data.length;
      if (data[0] === 0x41) {
        const nowMs = performance.now();
        startMs = nowMs + ((phaseMs - nowMs) % turnMs) + turnMs;
        timer = setTimeout(send, startMs - nowMs, 0);
        resolve(client);
      } else if (data[0] === 0x42) {
        const sequence = data.readUInt32LE(sequenceAt);
        times[sequence] = performance.now() - due[sequence];
      } else if (data[0] === 0x44) {
        failure = data.subarray(5, 5 + data.readUInt32LE(1)).toString();
        resolve(client);
      }
    });
    socket.on("error", (error) => {
      failure ??= error.message;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(client);
    });
  });
}
