// Moshi's servers on this machine: a WebSocket server whose sessions are `MoshiPeer`s. In Python one session at a time holds a
// lock, and others are connected and wait in silence.

import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { dropAll } from "./double-sound.js";
import { opusPackets, type PacketCodec } from "./moshi-ogg.js";
import { MoshiPeer, type MoshiProfile, type MoshiStep, stepSamples } from "./moshi-peer.js";
import type { DoubleReply, Refusal, ServiceAbilities, ServiceDouble } from "./service-double.js";

/** Options of {@link moshiDouble}. */
export interface MoshiDoubleOptions {
  readonly profile: MoshiProfile;
  /** Default: Opus. */
  readonly codec?: () => PacketCodec;
  /** `kyutai-api-key`, or `auth_id` in the address; default: none is asked for. */
  readonly key?: string;
  readonly maxSteps?: number;
}

/** A double that listens. */
export async function moshiDouble(options: MoshiDoubleOptions): Promise<MoshiDouble> {
  const double = new MoshiDouble(options);
  await double.listen();
  return double;
}

const statuses: Partial<Record<Refusal, number>> = { unauthorized: 401, forbidden: 403, busy: 503 };

export class MoshiDouble implements ServiceDouble {
  readonly abilities: ServiceAbilities;
  readonly receivedTexts: readonly string[] = [];
  readonly answers = [];
  readonly interrupts = 0;
  /** Query of each connection, in order. */
  readonly queries: URLSearchParams[] = [];
  readonly #options: MoshiDoubleOptions;
  readonly #server: Server;
  readonly #sockets = new Map<WebSocket, MoshiPeer>();
  readonly #voice = new Voice();
  readonly #violations: string[] = [];
  #refusal: Refusal | undefined;
  #ready = 0;
  #samples = 0;
  #last: MoshiPeer | undefined;

  constructor(options: MoshiDoubleOptions) {
    this.#options = options;
    this.abilities = {
      ...{ exactSound: options.codec !== undefined, bursts: false, endsReplies: false, text: true, heard: false },
      ...{ cutsReplies: false, interruptible: true, tools: false, reconnects: true, typed: false },
      ...{ oddBytes: false, base64: false },
      refusals: ["unauthorized", "forbidden", "busy", "close-before-ready", "silent"],
    };
    this.#server = createServer((_request, response) => response.writeHead(404).end());
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.#server.on("upgrade", (request, socket, head) => {
      const status = this.#statusOf(request);
      if (status === undefined) {
        sockets.handleUpgrade(request, socket, head, (connection) => this.#accept(connection, request));
        return;
      }
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo | null)?.port ?? 9}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  get readyConnections(): number {
    return this.#ready;
  }

  get receivedSamples(): number {
    return this.#samples + (this.#last?.receivedSamples ?? 0);
  }

  received(): Int16Array {
    return this.#last?.received() ?? new Int16Array(0);
  }

  get violations(): readonly string[] {
    return [...this.#violations, ...(this.#last?.violations ?? [])];
  }

  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  beginReply(): DoubleReply {
    return this.#voice.beginReply();
  }

  hear(): void {
    throw new Error("Moshi does not tell what it understood");
  }

  call(): string[] {
    throw new Error("Moshi calls no functions");
  }

  drop(code: number, reason = ""): void {
    dropAll(this.#sockets.keys(), code, reason);
  }

  send(message: string | Uint8Array): void {
    for (const socket of this.#sockets.keys()) socket.send(message);
  }

  pause(): void {
    for (const socket of this.#sockets.keys()) socket.pause();
  }

  resume(): void {
    for (const socket of this.#sockets.keys()) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.terminate();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #statusOf(request: IncomingMessage): number | undefined {
    const refused = this.#refusal === undefined ? undefined : statuses[this.#refusal];
    if (refused !== undefined) return refused;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    if (pathname !== "/api/chat") return 404;
    const { key } = this.#options;
    const given = request.headers["kyutai-api-key"] ?? searchParams.get("auth_id");
    return key === undefined || given === key ? undefined : 401;
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    this.queries.push(new URL(request.url ?? "/", "http://localhost").searchParams);
    const { profile, codec = opusPackets, maxSteps } = this.#options;
    const asked = Number(this.queries.at(-1)?.get("max_steps") ?? Number.POSITIVE_INFINITY);
    const peer = new MoshiPeer({
      ...{ profile, codec: codec(), maxSteps: Math.min(asked, maxSteps ?? 4500) },
      send: (message) => socket.send(message),
      end: () => socket.terminate(),
    });
    peer.speak = () => this.#voice.step();
    this.#sockets.set(socket, peer);
    socket.on("message", (data: Buffer, isBinary) => peer.receive(data, isBinary));
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#seat();
    });
    socket.on("error", () => {});
    if (this.#refusal === "close-before-ready") socket.close(1011);
    this.#seat();
  }

  /** Gives the lock to whoever has waited longest; the Rust server has room for all. */
  #seat(): void {
    if (this.#refusal === "silent" || this.#refusal === "close-before-ready") return;
    for (const peer of this.#sockets.values()) {
      if (!peer.ready) this.#start(peer);
      if (this.#options.profile === "python") break;
    }
  }

  #start(peer: MoshiPeer): void {
    this.#samples += this.#last?.receivedSamples ?? 0;
    this.#violations.push(...(this.#last?.violations ?? []));
    this.#last = peer;
    this.#ready++;
    // A session knows nothing of the one before.
    if (this.#ready > 1) this.#voice.reset();
    peer.start();
  }
}

/** What the model is to say: replies in order, a step at a time; silence in between, and where a reply has not come yet. */
class Voice {
  readonly #replies: { sound: Int16Array; readonly text: string[]; over: boolean }[] = [];

  reset(): void {
    this.#replies.length = 0;
  }

  beginReply(): DoubleReply {
    const reply = { sound: new Int16Array(0), text: [] as string[], over: false };
    this.#replies.push(reply);
    return {
      sound: (pcm) => {
        const all = new Int16Array(reply.sound.length + pcm.length);
        all.set(reply.sound);
        all.set(pcm, reply.sound.length);
        reply.sound = all;
      },
      text: (text) => void reply.text.push(text),
      end: () => {
        reply.over = true;
      },
      cut: () => {
        throw new Error("Moshi yields by itself, and does not say so");
      },
    };
  }

  step(): MoshiStep {
    const [reply] = this.#replies;
    if (reply === undefined) return {};
    if (!reply.over && reply.sound.length < stepSamples) return {};
    const pcm = new Int16Array(stepSamples);
    pcm.set(reply.sound.subarray(0, stepSamples));
    reply.sound = reply.sound.slice(stepSamples);
    const text = reply.text.shift();
    if (reply.over && reply.sound.length === 0 && reply.text.length === 0) this.#replies.shift();
    return text === undefined ? { pcm } : { pcm, text };
  }
}
