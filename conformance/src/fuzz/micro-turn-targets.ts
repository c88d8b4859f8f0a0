// Our binary micro-turn wire, for the fuzz runner: both decoders, the client's side and the server's, and JPEGs in steps.

import { decodeClientMessage, MessageEncoder } from "@microturn/core/protocol";
import { encodeJpeg } from "../../../packages/backend-remote/src/codec/jpeg.js";
import { MicroTurnWire } from "../../../packages/backend-remote/src/micro-turn/micro-turn-wire.js";
import { mutateBytes } from "../../../packages/backend-remote/src/testing/mutate-bytes.js";
import { exampleClientMessages, exampleServerMessages } from "../../../packages/core/src/protocol/examples.js";
import { decodeJpeg } from "../../../packages/server/src/images/decode-jpeg.js";
import type { HeldSession } from "../../../packages/server/src/micro-turn/held-session.js";
import { MicroTurnConnection } from "../../../packages/server/src/micro-turn/micro-turn-connection.js";
import { type FuzzMessage, type FuzzSubject, type FuzzTarget, outcomeOf, type Random } from "./fuzz-target.js";
import { FuzzedServer } from "./fuzzed-server.js";

const encoder = new MessageEncoder();
const ofClient = exampleClientMessages().map((message) => encoder.client(message));
const ofServer = exampleServerMessages().flatMap((message) =>
  (["pcm16", "float32"] as const).map((coding) => encoder.server(message, coding)),
);
const [hello] = ofClient;
const kindOfHello = 1;
const afterHello = ofClient.filter(([kind]) => kind !== kindOfHello);
const [welcome] = ofServer;
const kindOfStep = 2;
const mostHeld = 50;

function brokenBytes(corpus: readonly Uint8Array[], random: Random): FuzzMessage {
  if (random() < 0.2) return { data: corpus[Math.floor(random() * corpus.length)], broken: false };
  return { data: mutateBytes(corpus, random), broken: true };
}

/** The decoder alone, as a server has it before and after the welcome. */
const clientMessages: FuzzTarget = {
  name: "micro-turn-client-messages",
  message: (random) => brokenBytes(ofClient, random),
  open: () => ({
    receive: ({ data }, random) =>
      outcomeOf(() => {
        const turnSamples = random() < 0.5 ? {} : { turnSamples: 3200 };
        decodeClientMessage(data as Uint8Array, { decodeImage: decodeJpeg, ...turnSamples });
      }),
  }),
};

/** Photographs as clients send them, small. The decoder is jpeg-js, behind `decodeJpeg` of the server. */
export const jpegs: readonly Uint8Array[] = [
  [16, 8],
  [39, 40],
].map(([width, height]) => {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7) & 255);
  return encodeJpeg({ data, width, height });
});

const images: FuzzTarget = {
  name: "jpeg-of-clients",
  message: (random) => brokenBytes(jpegs, random),
  open: () => ({
    receive: ({ data }) =>
      outcomeOf(() => void decodeJpeg({ jpeg: data as Uint8Array, width: 0, height: 0, timeMs: 0 })),
  }),
};

/** The client's side: steps that wait for answers, and a server that answers as it likes. */
class ClientSubject implements FuzzSubject {
  readonly #wire = new MicroTurnWire({
    ...{ address: "ws://localhost:1", apiKey: undefined, token: undefined, seed: 1, temperature: 0, speech: "pcm16" },
  });
  #failed: string | undefined;
  #steps = 0;

  constructor() {
    this.recover();
  }

  receive({ data }: FuzzMessage, random: Random): string {
    this.#failed = undefined;
    const bytes = Uint8Array.from(data as Uint8Array);
    // Answers to a step that waits, more often than chance would have it.
    if (bytes.length > 5 && random() < 0.5) {
      const sequence = Math.max(0, this.#steps - Math.ceil(random() * 3));
      new DataView(bytes.buffer).setUint32(1, sequence, true);
    }
    const outcome = outcomeOf(() => this.#wire.receive(bytes));
    return outcome === "accepted" ? (this.#failed ?? outcome) : outcome;
  }

  recover(): void {
    this.#wire.closed({ code: 1006, reason: "" });
    const nothing = () => {};
    this.#wire.opened({
      ...{ send: nothing, ready: nothing, audio: nothing, text: nothing, heard: nothing, replyEnd: nothing },
      ...{ flush: nothing, delegation: nothing, delegationCancelled: nothing, note: nothing },
      fail: (error) => {
        this.#failed = error.code;
      },
    });
    this.#wire.receive(welcome);
  }

  between(): void {
    if (this.#wire.openSteps > 8) this.#wire.closed({ code: 1006, reason: "" });
    while (this.#wire.openSteps < 3) {
      const input = { index: this.#steps, turns: 1, audio: new Float32Array(3200), images: [], text: [] };
      // Refusals are for whoever takes the step.
      this.#wire.step(input).catch(() => {});
      this.#steps++;
    }
    this.#wire.ping();
  }
}

const serverMessages: FuzzTarget = {
  name: "micro-turn-server-messages",
  message: (random) => brokenBytes(ofServer, random),
  open: () => new ClientSubject(),
};

/** The server's side: a connection with its session, which another connection may take up. */
class ServerSubject implements FuzzSubject {
  readonly #server: FuzzedServer;
  readonly #sessions = new Map<string, HeldSession>();
  #connection!: MicroTurnConnection;
  #steps = 0;

  constructor(random: Random) {
    this.#server = new FuzzedServer(random);
    this.#connect();
  }

  receive({ data }: FuzzMessage, random: Random): string {
    const bytes = Uint8Array.from(data as Uint8Array);
    if (bytes[0] === kindOfStep && bytes.length > 5 && random() < 0.7) {
      new DataView(bytes.buffer).setUint32(1, this.#steps, true);
    }
    const outcome = this.#server.outcome(() => this.#connection.receive(bytes));
    if (outcome === "accepted" && bytes[0] === kindOfStep) this.#steps++;
    return outcome;
  }

  async recover(random: Random): Promise<void> {
    // A step that is refused ends nothing.
    if (!this.#server.closed && random() < 0.9) return;
    this.#connection.closed();
    // As the grace time does, which runs in real time: sessions that nobody comes back to make room for others.
    for (const session of [...this.#sessions.values()].slice(0, -mostHeld)) session.end("lost");
    this.#connect();
    if (random() < 0.9) this.#connection.receive(hello);
    await this.#server.settle();
  }

  async between(random: Random): Promise<void> {
    await this.#server.settle();
    // A hello is answered later, with a refusal too.
    if (this.#server.closed) await this.recover(random);
  }

  async close(): Promise<void> {
    // A hello may be on its way to a session.
    await this.#server.settle();
    for (const session of [...this.#sessions.values()]) session.end("closed");
    await this.#server.settle();
    this.#server.requireEmpty();
  }

  #connect(): void {
    this.#steps = 0;
    this.#connection = new MicroTurnConnection(this.#server.accept(), {
      ...{ context: this.#server.context, sessions: this.#sessions, decodeImage: decodeJpeg },
      principal: { subject: "fuzz", id: "fuzz" },
    });
  }
}

const connection: FuzzTarget = {
  name: "micro-turn-connection",
  // A second hello ends a connection: then nothing behind it would be reached.
  message: (random) => brokenBytes(random() < 0.1 ? ofClient : afterHello, random),
  open: (random) => new ServerSubject(random),
};

export const microTurnTargets: readonly FuzzTarget[] = [clientMessages, images, serverMessages, connection];
