// A service that says again what it once said: a recording of its WebSocket, played by a real WebSocket server. It waits where the
// recorded client had to act (settings, results of functions); the rest goes out as the client's sound comes in, so that no clock counts.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

// biome-ignore lint/suspicious/noExplicitAny: messages of many shapes
export type Json = any;

/** One message of a recording. */
export interface RecordedMessage {
  readonly from: "client" | "service";
  readonly data: Json;
}

/** What a recorded client does that a service waits for. */
type Act = "settings" | "result";

/** Messages that go out for each of the client's micro-turns; of GPT-Live, which keeps to real time, two pieces of sound of 100 ms. */
const perTurn = 6;

export class RecordedService {
  readonly url: string;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #messages: readonly RecordedMessage[];
  readonly #binary: boolean;
  #socket: WebSocket | undefined;
  #at = 0;
  /** What the recorded client had done by here, and the client has not. */
  #missing: Act[] = [];
  #done: Act[] = [];

  private constructor(http: Server, messages: readonly RecordedMessage[], binary: boolean) {
    this.#http = http;
    this.#messages = messages;
    this.#binary = binary;
    this.url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}`;
    http.on("upgrade", (request, stream, head) => {
      this.#sockets.handleUpgrade(request, stream, head, (socket) => this.#connected(socket));
    });
  }

  /** @param binary - JSON goes in binary messages, as Gemini Live sends it */
  static async start(messages: readonly RecordedMessage[], { binary = false } = {}): Promise<RecordedService> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return new RecordedService(http, messages, binary);
  }

  /** Whether all was said. */
  get over(): boolean {
    return this.#at >= this.#messages.length;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #connected(socket: WebSocket): void {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      const act = actOf(message);
      if (act !== undefined) this.#done.push(act);
      if (kindOf(message) === "session.close") {
        socket.send(JSON.stringify({ type: "session.closed", reason: "close_requested", usage: { seconds: 1 } }));
        socket.close(1000);
      }
      this.#play(isSound(message) ? perTurn : 0);
    });
    this.#play(0);
  }

  /** Says what may be said now: all of the opening, and then so many messages. */
  #play(most: number): void {
    let left = most;
    while (!this.over) {
      const { from, data } = this.#messages[this.#at];
      if (from === "client") {
        const act = actOf(data);
        if (act !== undefined) this.#missing.push(act);
      } else {
        // Clients differ in when they give a result; the service needs it when it goes on with it.
        if ((data.type === undefined || goesOn.has(data.type)) && !this.#caughtUp()) return;
        if (!this.#opens() && left < costOf(data)) return;
        left -= costOf(data);
        const text = JSON.stringify(data);
        this.#socket?.send(this.#binary ? Buffer.from(text) : text);
      }
      this.#at++;
    }
  }

  /** Whether the client has done what the recorded one had. */
  #caughtUp(): boolean {
    this.#missing = this.#missing.filter((act) => {
      const at = this.#done.indexOf(act);
      if (at !== -1) this.#done.splice(at, 1);
      return at === -1;
    });
    return this.#missing.length === 0;
  }

  /** Whether the session is not ready yet, so that no sound can come. */
  #opens(): boolean {
    return this.#messages.slice(this.#at).some(({ data }) => ready.has(kindOf(data)));
  }
}

const ready = new Set(["session.updated", "session.started", "setupComplete"]);
const goesOn = new Set(["session.updated", "session.started", "response.created"]);

/** The type of a message, or its first field where messages have none. */
export function kindOf(data: Json): string {
  return typeof data.type === "string" ? data.type : (Object.keys(data)[0] ?? "");
}

function costOf(data: Json): number {
  const kind = kindOf(data);
  if (kind === "session.output_audio.delta") return perTurn / 2;
  return /^session\..*_transcript|^response.event|^session.delegation/.test(kind) ? 0 : 1;
}

function isSound(data: Json): boolean {
  return kindOf(data).endsWith(".append") ? data.audio !== undefined : data.realtimeInput?.audio !== undefined;
}

function actOf(data: Json): Act | undefined {
  const kind = kindOf(data);
  if (kind === "session.update" || kind === "setup" || kind === "session.start") return "settings";
  if (kind === "toolResponse" || kind === "tool_response") return "result";
  return data.item?.type === "function_call_output" ? "result" : undefined;
}
