// OpenAI GPT-Live, played on this machine: a WebSocket server that keeps to its types, refuses what the service refuses, and says
// what a test tells it to. What the service does with sound is its own: silence comes as sound, micro-turn by micro-turn.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ClientEvent, ServerEvent, SessionResource } from "openai/resources/live/live";
import { type WebSocket, WebSocketServer } from "ws";
import { base64Pieces, dropAll, joinSound } from "./double-sound.js";
import { checkMessage, type Refused } from "./gpt-live-rules.js";
import type { DoubleCall, DoubleReply, Refusal, ServiceAbilities, ServiceDouble, SoundForm } from "./service-double.js";

/** The key that the double takes. */
export const gptLiveKey = "sk-double-0123456789abcdef";

const maxRememberedSamples = 24_000 * 150;
const statusOf = { unauthorized: 401, forbidden: 403, busy: 429 } as const;

/** One connection, and the session on it. */
class Talk {
  readonly socket: WebSocket;
  readonly id: string;
  session: SessionResource | undefined;
  muted = false;
  /** Input that came, ms: the timeline. */
  timeMs = 0;
  readonly delegations = new Set<string>();
  readonly openCalls = new Set<string>();
  running = 0;

  constructor(socket: WebSocket, id: string) {
    this.socket = socket;
    this.id = id;
  }

  get mode(): string {
    return this.session?.delegation?.type ?? "client";
  }
}

export class GptLiveDouble implements ServiceDouble {
  readonly abilities: ServiceAbilities;
  readonly violations: string[] = [];
  readonly receivedTexts: string[] = [];
  readonly answers: { readonly id: string; readonly result: string }[] = [];
  readonly interrupts = 0;
  /** Every message of clients but sound, as it came. */
  readonly messages: ClientEvent[] = [];
  /** Whether silence is sent between replies; the service's types do not say whether it does. */
  sendsSilence = true;
  /** Whether `session.close` is answered. */
  confirmsClose = true;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #open = new Set<Talk>();
  readonly #upgrading = new Set<Socket>();
  #refusal: Refusal | undefined;
  #talk: Talk | undefined;
  #ready = 0;
  #ids = 0;
  #samples = 0;
  #sound: Int16Array[] = [];
  #speaking = false;

  constructor(http: Server, tools: boolean) {
    this.#http = http;
    this.abilities = {
      ...{ exactSound: true, bursts: false, endsReplies: false, text: true, heard: true, cutsReplies: false },
      ...{ interruptible: true, tools, reconnects: true, typed: true, oddBytes: true, base64: true },
      refusals: ["unauthorized", "forbidden", "busy", "close-before-ready", "silent"],
    };
    http.on("upgrade", (request, socket: Socket, head) => this.#upgrade(request, socket, head));
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#open.size;
  }

  get readyConnections(): number {
    return this.#ready;
  }

  get receivedSamples(): number {
    return this.#samples;
  }

  received(): Int16Array {
    return joinSound(this.#sound);
  }

  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  beginReply(): DoubleReply {
    this.#speaking = true;
    const talk = this.#require();
    let textMs = talk.timeMs + 100;
    return {
      sound: (pcm, form) => this.#sendSound(pcm, form),
      text: (text) => {
        const endMs = textMs + 30 * text.length;
        this.#words("session.output_transcript.delta", text, textMs, endMs);
        textMs = endMs;
      },
      // Nothing tells it: silence follows.
      end: () => {
        this.#speaking = false;
      },
      cut: () => {
        this.#speaking = false;
      },
    };
  }

  hear(text: string): void {
    const { timeMs } = this.#require();
    this.#words("session.input_transcript.delta", text, Math.max(0, timeMs - 200), timeMs);
  }

  /** Functions of one backend response, complete. */
  call(calls: readonly DoubleCall[]): string[] {
    const response = this.beginResponse();
    const ids = calls.map((call) => response.call(call));
    response.end("response.completed");
    return ids;
  }

  /** Hands work to the application. @returns its id */
  delegate(): string {
    const talk = this.#require();
    const id = this.#id("dlg");
    talk.delegations.add(id);
    this.#emit(talk, {
      ...{ type: "session.delegation.created", event_id: this.#id("event"), offset_ms: talk.timeMs },
      delegation: { id, type: "delegation", target: "client" },
    });
    return id;
  }

  /** A backend response begins; its calls count once it is complete. */
  beginResponse(): {
    call(call: DoubleCall): string;
    end(type: "response.completed" | "response.failed" | "response.incomplete"): void;
  } {
    const talk = this.#require();
    const [delegation, response] = [this.#id("dlg"), this.#id("resp")];
    const calls: string[] = [];
    const nested = (event: Record<string, unknown>) =>
      this.#emit(talk, { type: "response.event", event_id: this.#id("event"), delegation_id: delegation, event });
    talk.running++;
    this.#emit(talk, {
      ...{ type: "session.delegation.created", event_id: this.#id("event"), offset_ms: talk.timeMs },
      delegation: { id: delegation, type: "delegation", target: "responses", response_id: response },
    });
    nested({ type: "response.created", response: { id: response, status: "in_progress" } });
    return {
      call: ({ name, arguments: given }) => {
        const call_id = this.#id("call");
        calls.push(call_id);
        const item = { id: this.#id("fc"), type: "function_call", status: "completed", call_id, name };
        nested({
          ...{ type: "response.output_item.done", output_index: calls.length - 1 },
          item: { ...item, arguments: JSON.stringify(given) },
        });
        return call_id;
      },
      end: (type) => {
        talk.running--;
        // LiveKit: the service discards the calls of a response that failed, and refuses their outputs. Stricter than the service: it
        // takes outputs, and response.create after the last, before the response is complete, too (seen in a recording).
        if (type === "response.completed") for (const id of calls) talk.openCalls.add(id);
        nested({ type, response: { id: response, status: type.slice("response.".length) } });
      },
    };
  }

  /** The service ends the session by itself. */
  end(reason: "expired" | "content" | "remote_hangup" | "connection_lost" | "close_requested"): void {
    this.#finish(this.#require(), reason);
  }

  /** An `error` of the service that no message caused. */
  fail(code: string, message: string, type = "server_error"): void {
    this.#emit(this.#require(), { type: "error", event_id: this.#id("event"), error: { code, message, type } });
  }

  drop(code: number, reason = ""): void {
    dropAll(
      [...this.#open].map(({ socket }) => socket),
      code,
      reason,
    );
  }

  send(message: string | Uint8Array): void {
    for (const { socket } of this.#open) socket.send(message);
  }

  pause(): void {
    for (const { socket } of this.#open) socket.pause();
  }

  resume(): void {
    for (const { socket } of this.#open) socket.resume();
  }

  async close(): Promise<void> {
    for (const { socket } of this.#open) socket.terminate();
    for (const socket of this.#upgrading) socket.destroy();
    this.#sockets.close();
    await new Promise<void>((resolve) => this.#http.close(() => resolve()));
  }

  // --- connections ---

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#upgrading.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#upgrading.delete(socket));
    const refusal = this.#refusal;
    if (refusal === "unauthorized" || refusal === "forbidden" || refusal === "busy") {
      refuseUpgrade(socket, statusOf[refusal], refusal);
    } else if (request.url !== "/v1/live/sessions") {
      refuseUpgrade(socket, request.url?.startsWith("/v1/live/sessions?") ? 400 : 404, "not_found");
    } else if (request.headers.authorization !== `Bearer ${gptLiveKey}`) {
      refuseUpgrade(socket, 401, "invalid_api_key");
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#connected(opened));
    }
  }

  #connected(socket: WebSocket): void {
    const talk = new Talk(socket, this.#id("live"));
    this.#open.add(talk);
    const silent = this.#refusal === "silent";
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#open.delete(talk);
      if (this.#talk === talk) this.#speaking = false;
    });
    socket.on("message", (data, isBinary) => {
      if (!silent) this.#receive(talk, data as Buffer, isBinary);
    });
    if (this.#refusal === "close-before-ready") socket.close(1011, "try again");
  }

  // --- messages of the client ---

  #receive(talk: Talk, data: Buffer, isBinary: boolean): void {
    let message: Record<string, unknown>;
    try {
      if (isBinary) throw new TypeError("binary");
      message = JSON.parse(data.toString("utf8"));
    } catch {
      this.#refuse(talk, { code: "invalid_event", message: "The message is not JSON." }, undefined);
      return;
    }
    const eventId = typeof message.event_id === "string" ? message.event_id : undefined;
    const wrong = checkMessage(message) ?? this.#checkState(talk, message as unknown as ClientEvent);
    if (wrong === undefined) this.#obey(talk, message as unknown as ClientEvent, eventId);
    else this.#refuse(talk, wrong, eventId);
  }

  /** What is right by itself and wrong here. */
  #checkState(talk: Talk, message: ClientEvent): Refused | undefined {
    const { type } = message;
    if (type === "session.start") {
      if (talk.session === undefined) return undefined;
      return { code: "unknown_parameter", message: "The session has started already.", param: "session" };
    }
    // The service's word for it is not known.
    if (talk.session === undefined) return { code: "session_not_started", message: "Send session.start first." };
    switch (type) {
      case "session.update": {
        const changed = message.session.delegation?.type;
        if (changed === undefined || changed === talk.mode) return undefined;
        return { code: "unknown_parameter", message: "The type is immutable.", param: "session.delegation.type" };
      }
      case "session.instructions.append":
      case "session.thinking.append":
      case "session.commentary.append":
        if (message.delegation_id === null) return undefined;
        if (talk.mode === "client" && talk.delegations.has(message.delegation_id)) return undefined;
        return { code: "invalid_value", message: "No such client delegation.", param: "delegation_id" };
      case "response.item.create": {
        if (talk.mode !== "responses") return { code: "invalid_event", message: "Needs Responses delegation." };
        const item = message.item as { type?: string; call_id?: string };
        if (item.type !== "function_call_output" || talk.openCalls.has(item.call_id ?? "")) return undefined;
        return { code: "invalid_value", message: "No such call.", param: "item.call_id" };
      }
      case "response.create":
        if (talk.mode !== "responses") return { code: "invalid_event", message: "Needs Responses delegation." };
        if (talk.openCalls.size === 0 && talk.running === 0) return undefined;
        return { code: "invalid_event", message: `No tool output found for ${[...talk.openCalls].join(", ")}.` };
      default:
        return undefined;
    }
  }

  #obey(talk: Talk, message: ClientEvent, eventId: string | undefined): void {
    const ack = { event_id: this.#id("event"), ...(eventId === undefined ? {} : { client_event_id: eventId }) };
    const at = { start_ms: talk.timeMs, end_ms: talk.timeMs };
    if (message.type !== "session.input_audio.append") this.messages.push(message);
    switch (message.type) {
      case "session.start": {
        const { client: _, ...config } = message.session;
        talk.session = {
          ...{ ...config, id: talk.id, status: "active", expires_at: 1_800_000_000 },
          audio: { format: { type: "audio/pcm", rate: 24_000 }, output: { voice: "marin" }, ...config.audio },
        };
        this.#talk = talk;
        this.#ready++;
        this.#emit(talk, { type: "session.started", session: talk.session, ...ack });
        return;
      }
      case "session.input_audio.append":
        this.#hearSound(talk, message.audio);
        return;
      case "session.input_audio.mute":
        talk.muted = true;
        this.#emit(talk, { type: "session.input_audio.muted", ...ack });
        return;
      case "session.input_audio.unmute":
        talk.muted = false;
        this.#emit(talk, { type: "session.input_audio.unmuted", ...ack });
        return;
      case "session.update":
        this.#emit(talk, { type: "session.updated", session: talk.session as SessionResource, ...ack });
        return;
      case "session.instructions.append":
        this.#emit(talk, { type: "session.instructions.appended", ...at, ...ack });
        return;
      case "session.thinking.append":
      case "session.commentary.append": {
        const { type, content, delegation_id: id } = message;
        if (id === null) this.receivedTexts.push(content);
        else this.answers.push({ id, result: content });
        this.#emit(
          talk,
          type === "session.thinking.append"
            ? { type: "session.thinking.appended", ...at, ...ack }
            : { type: "session.commentary.appended", ...at, ...ack },
        );
        return;
      }
      case "response.item.create": {
        const { type, call_id: id, output } = message.item as { type?: string; call_id?: string; output?: string };
        if (type !== "function_call_output" || id === undefined) return;
        talk.openCalls.delete(id);
        this.answers.push({ id, result: String(output) });
        return;
      }
      case "session.close":
        if (this.confirmsClose) this.#finish(talk, "close_requested", eventId);
        return;
      default:
        return;
    }
  }

  #hearSound(talk: Talk, audio: string): void {
    const bytes = Buffer.from(audio, "base64");
    const rate = this.#rate(talk);
    const pcm = Int16Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readInt16LE(2 * i));
    if (bytes.length % 2 === 1) this.violations.push("session.input_audio.append with half a sample");
    this.#samples += pcm.length;
    this.#sound.push(talk.muted ? new Int16Array(pcm.length) : pcm);
    while (this.#sound.length > 1 && this.#sound.length * pcm.length > maxRememberedSamples) this.#sound.shift();
    talk.timeMs += Math.round((1000 * pcm.length) / rate);
    if (this.sendsSilence && !this.#speaking && talk === this.#talk) this.#sendSound(new Int16Array(pcm.length));
  }

  // --- messages of the service ---

  #sendSound(pcm: Int16Array, form?: SoundForm): void {
    const talk = this.#require();
    for (const delta of base64Pieces(pcm, form)) this.#emit(talk, { type: "session.output_audio.delta", delta });
  }

  #words(
    type: "session.input_transcript.delta" | "session.output_transcript.delta",
    delta: string,
    start_ms: number,
    end_ms: number,
  ): void {
    this.#emit(this.#require(), { type, delta, start_ms, end_ms, event_id: this.#id("event") });
  }

  #finish(
    talk: Talk,
    reason: "close_requested" | "expired" | "content" | "remote_hangup" | "connection_lost",
    eventId?: string,
  ): void {
    const usage = { seconds: talk.timeMs / 1000 };
    this.#emit(talk, { type: "session.usage.updated", event_id: this.#id("event"), usage });
    this.#emit(talk, {
      ...{ type: "session.closed", event_id: this.#id("event"), reason, usage },
      session: talk.session as SessionResource,
      ...(eventId === undefined ? {} : { client_event_id: eventId }),
    });
    talk.socket.close(1000);
  }

  #refuse(talk: Talk, { code, message, param }: Refused, eventId: string | undefined): void {
    this.violations.push(`${code}: ${message}`);
    const id = eventId === undefined ? {} : { client_event_id: eventId };
    const error = { type: "invalid_request_error", code, message, ...(param === undefined ? {} : { param }), ...id };
    this.#emit(talk, { type: "error", event_id: this.#id("event"), error, ...id });
  }

  /** Typed by the vendor's own types, so that it sends nothing that they do not have. */
  #emit(talk: Talk, event: ServerEvent): void {
    talk.socket.send(JSON.stringify(event));
  }

  #require(): Talk {
    if (this.#talk === undefined) throw new Error("the double has no session yet");
    return this.#talk;
  }

  #rate(talk: Talk): number {
    return talk.session?.audio?.format?.rate ?? 24_000;
  }

  #id(prefix: string): string {
    this.#ids++;
    return `${prefix}_${this.#ids}`;
  }
}

/** @param tools - whether the client's sessions have a backend that calls functions, for the suite */
export async function startGptLiveDouble({ tools = false }: { readonly tools?: boolean } = {}): Promise<GptLiveDouble> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return new GptLiveDouble(http, tools);
}

function refuseUpgrade(socket: Socket, status: number, code: string): void {
  const body = JSON.stringify({ error: { message: `Refused: ${code}.`, type: "invalid_request_error", code } });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
