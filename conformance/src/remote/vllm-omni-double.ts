// vLLM-Omni on this machine: a WebSocket server with its duplex wire, which does nothing by itself and refuses what the service
// refuses. Rules: `docs/serving/realtime_duplex_api.md` and the server of version 0.30, read for facts; checked by the vendor's
// own client, see vllm-omni-vendor.test.ts. Stricter than the service where it says so.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { dropAll, joinSound } from "./double-sound.js";
import type { DoubleCall, DoubleReply, Refusal, ServiceAbilities, ServiceDouble, SoundForm } from "./service-double.js";
import { bytesPerSample, OmniCall } from "./vllm-omni-rules.js";
import {
  type Fields,
  type OmniMessage,
  type OmniModel,
  type OmniResponse,
  OmniSession,
  omniModels,
} from "./vllm-omni-session.js";

/** Options of {@link VllmOmniDouble.start}. */
export interface VllmOmniDoubleOptions {
  /** What is accepted as a key; default none is asked for. */
  readonly key?: string;
  readonly model?: keyof typeof omniModels;
  /** Errors before the handshake are flat, as the documentation has them; otherwise as after it, as version 0.30 sends them. */
  readonly flatErrors?: boolean;
}

const rate = 24_000;
const keptSamples = 70 * rate;
/** Fields of each message; the service passes over others, the double does not. */
const messageFields: Readonly<Record<string, readonly string[]>> = {
  "session.update": ["session"],
  "session.heartbeat": [],
  "session.event_ack": ["server_event_seq"],
  "session.close": [],
  "session.resume": ["session_id", "incarnation", "resume_token", "last_received_server_event_seq"],
  "input_audio_buffer.append": [
    ...["audio", "format", "input_audio_format", "sample_rate_hz", "duration_ms", "audio_end_ms", "is_speech"],
    "video_frames",
  ],
  "input_audio_buffer.commit": ["final", "response_create", "is_speech"],
  "input_audio_buffer.clear": [],
  "conversation.item.create": ["item", "previous_item_id"],
  "response.create": ["response"],
  "response.cancel": ["response_id"],
  "output_audio_buffer.clear": ["response_id"],
  barge_in: [],
  "playback.ack": ["response_id", "item_id", "played_ms", "committed_ms", "truncate"],
};

export class VllmOmniDouble implements ServiceDouble {
  readonly abilities: ServiceAbilities;
  /** What the client sent, but for sound and acknowledgements of events. */
  readonly messages: OmniMessage[] = [];
  readonly violations: string[] = [];
  readonly receivedTexts: string[] = [];
  readonly answers: { id: string; result: string }[] = [];
  /** Images, with the ms of sound that the session had when they came. */
  readonly frames: { readonly atMs: number; readonly base64: string }[] = [];
  readonly sessions: OmniSession[] = [];
  /** URLs of upgrades. */
  readonly urls: string[] = [];
  interrupts = 0;
  readyConnections = 0;
  receivedSamples = 0;
  /** Called with sound of the user, as it comes. */
  onSound: (pcm: Int16Array) => void = () => {};
  /** The next appends are refused, as by a server whose input is full. */
  refusesInput = 0;
  /** Sessions that connections can begin; then `resource_exhausted`. */
  capacity = 64;
  readonly #options: VllmOmniDoubleOptions;
  readonly #model: OmniModel;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (protocols) => (protocols.has("realtime") ? "realtime" : false),
  });
  readonly #open = new Set<WebSocket>();
  #sound: Int16Array[] = [];
  #kept = 0;
  #refusal: Refusal | undefined;
  #count = 0;

  private constructor(options: VllmOmniDoubleOptions) {
    this.#options = options;
    this.#model = omniModels[options.model ?? "all"];
    this.abilities = {
      ...{
        exactSound: true,
        bursts: true,
        endsReplies: true,
        text: true,
        heard: true,
        cutsReplies: this.#model.bargeIn,
      },
      ...{ interruptible: true, tools: this.#model.tools, reconnects: true, typed: true, oddBytes: true, base64: true },
      refusals: [
        ...(options.key === undefined ? [] : (["unauthorized", "forbidden"] as const)),
        ...(["busy", "close-before-ready", "silent"] as const),
      ],
    };
    this.#server = createServer((_request, response) => void response.writeHead(404).end());
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(options: VllmOmniDoubleOptions = {}): Promise<VllmOmniDouble> {
    const double = new VllmOmniDouble(options);
    await new Promise<void>((resolve) => double.#server.listen(0, "127.0.0.1", resolve));
    return double;
  }

  get url(): string {
    if (!this.#server.listening) return "ws://127.0.0.1:9";
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get openConnections(): number {
    return this.#open.size;
  }

  /** The session that was opened last. */
  get session(): OmniSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("no session was opened");
    return session;
  }

  received(): Int16Array {
    return joinSound(this.#sound);
  }

  messagesOf(type: string): OmniMessage[] {
    return this.messages.filter((message) => message.type === type);
  }

  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  beginReply(): DoubleReply {
    const { session } = this;
    const response = session.begin(this.#name("resp"));
    let words: string[] = [];
    const send = (pcm: Int16Array, form: SoundForm, late: boolean) => {
      if (response.status !== "in_progress" && !late) return;
      const deltas = pieces(pcm, form);
      // The words that wait are spread over the pieces, as a model says them.
      const each = Math.ceil(words.length / deltas.length);
      for (const [at, { delta, ms }] of deltas.entries()) {
        session.delta(response, delta, ms, words.slice(at * each, (at + 1) * each).join(""));
      }
      words = [];
    };
    return {
      sound: (pcm, form = {}) => send(pcm, form, false),
      text: (text) => void words.push(...(text.match(/\s*\S+|\s+/g) ?? [])),
      end: () => {
        if (words.length > 0) session.delta(response, "", 0, words.join(""));
        session.end(response, "completed", "stop");
      },
      cut: (late) => {
        session.emit("overlap.decision", {
          ...{ session_id: session.id, epoch: session.epoch, policy: "auto", action: "barge_in" },
          reason: "long_overlap_speech",
        });
        session.interrupt("barge_in");
        if (late !== undefined) send(late, {}, true);
      },
    };
  }

  /** A response to send piece by piece. */
  beginResponse(): OmniResponse {
    return this.session.begin(this.#name("resp"));
  }

  /** The model keeps listening; with a response, it gives up the floor in the middle of it. */
  listen(response?: OmniResponse, reason = "model_listen"): void {
    const { session } = this;
    const metadata = { type: "response.listen", session_id: session.id, epoch: session.epoch, reason };
    session.emit("response.listen", {
      ...{ session_id: session.id, epoch: session.epoch },
      ...(response === undefined ? {} : { response_id: response.id }),
      response: {
        ...{ object: "realtime.response", status: "listening" },
        metadata: { ...metadata, model_listen: reason === "model_listen" },
      },
    });
    if (response !== undefined) session.end(response, "completed", "stop");
  }

  hear(text: string): void {
    const { session } = this;
    const item_id = this.#name("item");
    session.commits++;
    const item = { id: item_id, object: "realtime.item", type: "message", role: "user", status: "completed" };
    const content = [{ type: "input_audio", transcript: text }];
    session.emit("conversation.item.added", { previous_item_id: null, item: { ...item, content } });
    session.emit("conversation.item.created", { previous_item_id: null, item: { ...item, content } });
    session.emit("input_audio_buffer.committed", {
      ...{ previous_item_id: null, item_id },
      event: { type: "input.committed", turn_id: session.commits, epoch: session.epoch, history_len: 1 },
    });
    const at = { item_id, content_index: 0 };
    session.emit("conversation.item.input_audio_transcription.completed", { ...at, transcript: text });
    session.emit("conversation.item.done", { previous_item_id: null, item: { ...item, content } });
  }

  /** One response for each call, as Nemotron VoiceChat makes them. */
  call(calls: readonly DoubleCall[]): string[] {
    const { session } = this;
    return calls.map(({ name, arguments: values }) => {
      const [call_id, response_id, item_id] = [this.#name("call"), this.#name("resp"), this.#name("item")];
      session.calls.set(call_id, false);
      const text = JSON.stringify(values);
      const item = { id: item_id, object: "realtime.item", type: "function_call", status: "completed", name, call_id };
      const at = { response_id, output_index: 0 };
      const response = { id: response_id, object: "realtime.response", metadata: { epoch: session.epoch } };
      session.emit("response.created", { response_id, response: { ...response, status: "in_progress", output: [] } });
      session.emit("response.output_item.added", { ...at, item: { ...item, arguments: text } });
      session.emit("response.function_call_arguments.delta", { ...at, item_id, call_id, delta: text });
      session.emit("response.function_call_arguments.done", { ...at, item_id, call_id, arguments: text });
      session.emit("response.output_item.done", { ...at, item: { ...item, arguments: text } });
      session.emit("response.done", {
        response_id,
        response: { ...response, status: "completed", output: [{ ...item, arguments: text }] },
      });
      return call_id;
    });
  }

  /** An `error` in OpenAI's envelope. */
  error(code: string, message: string, type = "invalid_request_error", event_id?: unknown): void {
    this.session.emit("error", { error: { type, code, message, ...(event_id === undefined ? {} : { event_id }) } });
  }

  /** The service keeps too many events: it can replay no more. */
  overflow(): void {
    const { session } = this;
    session.overflowed = true;
    session.tell("session.resync_required", { session_id: session.id, reason: "journal_overflow" });
  }

  /** The session is over, whoever comes back; its connection ends. */
  expire(reason = "idle_ttl_expired"): void {
    const { session } = this;
    session.over = true;
    session.emit("session.expired", { session_id: session.id, reason });
    session.socket?.close(1000, "session_expired");
  }

  /** Another connection takes the session. */
  replace(): void {
    const { session } = this;
    session.tell("session.replaced", { session_id: session.id, attachment_generation: session.generation });
    session.socket?.close(1000, "session_replaced");
  }

  /** The service ends the session. */
  end(reason: string): void {
    const { session } = this;
    session.over = true;
    session.emit("session.closed", { session_id: session.id, epoch: session.epoch, reason });
    session.socket?.close(1000, reason);
  }

  drop(code: number, reason = ""): void {
    dropAll(this.#open, code, reason);
  }

  send(message: string | Uint8Array): void {
    for (const socket of this.#open) socket.send(message);
  }

  pause(): void {
    for (const socket of this.#open) socket.pause();
  }

  resume(): void {
    for (const socket of this.#open) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.terminate();
    this.#sockets.close();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  // --- connections ---

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refuse = (status: string) =>
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    const url = new URL(request.url ?? "/", "ws://double");
    if (!["/v1/realtime", "/v1/duplex"].includes(url.pathname)) return void refuse("404 Not Found");
    const { key } = this.#options;
    const shown = [
      request.headers.authorization?.replace(/^Bearer /, ""),
      /openai-insecure-api-key\.([^,\s]+)/.exec(request.headers["sec-websocket-protocol"] ?? "")?.[1],
    ];
    if (this.#refusal === "unauthorized" || (key !== undefined && !shown.includes(key))) {
      return void refuse("401 Unauthorized");
    }
    if (this.#refusal === "forbidden") return void refuse("403 Forbidden");
    this.urls.push(request.url ?? "");
    this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#accept(opened, url));
  }

  #accept(socket: WebSocket, url: URL): void {
    this.#open.add(socket);
    let session: OmniSession | undefined;
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#open.delete(socket);
      if (session?.socket !== socket) return;
      session.socket = undefined;
      // Without resumption the session goes with its connection.
      if (!session.model.resumes) session.over = true;
    });
    if (this.#refusal === "close-before-ready") {
      socket.close(1011, "engine is not ready");
      return;
    }
    if (this.#refusal === "silent") return;
    if (url.searchParams.has("model") && !/^(0|false|off)$/.test(url.searchParams.get("autostart") ?? "1")) {
      this.#violate("model in the query starts a session before session.update: set autostart=0");
    }
    socket.on("message", (data, isBinary) => {
      const message = this.#read(socket, data.toString(), isBinary);
      if (message === undefined) return;
      if (session === undefined) session = this.#handshake(socket, message);
      else if (!session.over) this.#take(session, message);
    });
  }

  #read(socket: WebSocket, text: string, isBinary: boolean): OmniMessage | undefined {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      message = undefined;
    }
    if (isBinary || typeof message !== "object" || message === null || !("type" in message)) {
      this.#violate("a message is no JSON object with a type");
      this.#refuseMessage(socket, "bad_event", "Duplex event must be a JSON object with a type");
      return undefined;
    }
    const taken = message as OmniMessage;
    const fields = Object.hasOwn(messageFields, taken.type) ? messageFields[taken.type] : undefined;
    const strange = Object.keys(taken).filter(
      (key) => fields?.includes(key) === false && !["type", "event_id"].includes(key),
    );
    if (strange.length > 0) this.#violate(`${taken.type} has ${strange.join(", ")}`);
    if (taken.type !== "input_audio_buffer.append" && taken.type !== "session.event_ack") this.messages.push(taken);
    return taken;
  }

  /** An error before there is a session: the connection ends. */
  #refuseMessage(socket: WebSocket, code: string, message: string, type = "invalid_request_error"): undefined {
    const flat = { type: "error", error: message, code };
    const wrapped = { type: "error", error: { type, code, message } };
    socket.send(JSON.stringify(this.#options.flatErrors === true ? flat : wrapped));
    socket.close(1000);
    return undefined;
  }

  #handshake(socket: WebSocket, message: OmniMessage): OmniSession | undefined {
    if (message.type === "session.resume") return this.#attach(socket, message);
    if (message.type !== "session.update") {
      this.#violate(`${message.type} came before session.update`);
      return undefined;
    }
    if (this.#refusal === "busy" || this.sessions.filter(({ over }) => !over).length >= this.capacity) {
      return this.#refuseMessage(
        ...[socket, "resource_exhausted", "duplex_session_capacity_exhausted: limit=4", "rate_limit_error"],
      );
    }
    const config = (message.session ?? {}) as Fields;
    const format = String(config.input_audio_format ?? "pcm16");
    if (bytesPerSample[format] === undefined) {
      return this.#refuseMessage(socket, "unsupported_audio_format", `Unsupported input_audio_format: ${format}`);
    }
    const detection = config.turn_detection as Fields | null | undefined;
    if (detection && (detection.type !== "server_vad" || detection.interrupt_response === false)) {
      return this.#refuseMessage(socket, "unsupported_turn_detection", "turn_detection supports only server_vad");
    }
    if (this.#options.model === "minicpm-o" && config.ref_audio === undefined) {
      return this.#refuseMessage(socket, "ref_audio_required", "MiniCPM-o duplex sessions require ref_audio");
    }
    const session = new OmniSession(this.#name("duplex"), this.#model, config);
    session.socket = socket;
    this.sessions.push(session);
    this.readyConnections++;
    // The service numbers every event but this one.
    session.tell("session.created", {
      session: session.shown(),
      ...(this.#model.resumes ? { attachment_generation: 1, resume_token: session.token } : {}),
    });
    session.emit("session.updated", { session: session.shown() });
    return session;
  }

  #attach(socket: WebSocket, message: OmniMessage): OmniSession | undefined {
    const { session_id, resume_token, last_received_server_event_seq: last = 0 } = message;
    const session = this.sessions.find(({ id }) => id === session_id);
    if (typeof resume_token !== "string" || !Number.isInteger(last)) {
      return this.#refuseMessage(
        socket,
        "invalid_session_resume",
        "session.resume requires session_id and resume_token",
      );
    }
    if (session === undefined || session.over) {
      return this.#refuseMessage(socket, "session_resume_expired", `Unknown or expired duplex session: ${session_id}`);
    }
    if (!session.model.resumes) {
      return this.#refuseMessage(socket, "unsupported_session_resume", "Session does not support resume");
    }
    if (resume_token !== session.token) {
      return this.#refuseMessage(socket, "invalid_resume_token", "Invalid duplex session resume token");
    }
    if (!session.canReplay(last as number)) {
      const reason = { session_id: session.id, reason: "journal_gap" };
      socket.send(JSON.stringify({ type: "session.resync_required", ...reason }));
      socket.close(1000);
      return undefined;
    }
    const old = session.socket;
    session.socket = undefined;
    old?.send(
      JSON.stringify({ type: "session.replaced", session_id: session.id, attachment_generation: session.generation }),
    );
    old?.close(1000, "session_replaced");
    session.generation++;
    session.token = `rt_${session.id}_${session.generation}`;
    session.socket = socket;
    this.readyConnections++;
    session.tell("session.resumed", {
      ...{ session_id: session.id, session: session.shown(), attachment_generation: session.generation },
      resume_token: session.token,
    });
    session.replay(last as number);
    return session;
  }

  // --- messages of a session ---

  #take(session: OmniSession, message: OmniMessage): void {
    const call = new OmniCall(session, message, (what) => this.#violate(what));
    const refuse: Refuse = (code, text) => call.refuse(code, text);
    switch (message.type) {
      case "input_audio_buffer.append":
        this.#append(call, session);
        return;
      case "session.event_ack": {
        const wrong = session.acknowledge(message.server_event_seq);
        if (wrong !== undefined) refuse("invalid_event_ack", wrong);
        return;
      }
      case "session.heartbeat":
        session.emit("session.heartbeat_ack", { session_id: session.id });
        return;
      case "playback.ack":
        call.playback();
        return;
      case "response.cancel":
        this.#cancel(call, session, message);
        return;
      case "barge_in":
        if (!session.model.bargeIn) return void refuse("barge_in_unsupported", "the model does not support barge_in");
        this.interrupts++;
        session.interrupt("barge_in");
        return;
      case "conversation.item.create":
        this.#item(session, message, refuse);
        return;
      case "response.create":
        if (!session.model.textTurns)
          refuse("response_create_without_input", "response.create requires committed audio");
        return;
      case "session.update":
        session.emit("session.updated", { session: session.shown() });
        return;
      case "input_audio_buffer.commit":
        this.hear("what was said");
        return;
      case "session.close":
        this.end("client_close");
        return;
      case "session.resume":
        refuse("unsupported_session_resume", "session.resume must be the first message of a new connection");
        return;
      default:
        refuse("unknown_event", `Unknown event: ${message.type}`);
    }
  }

  #append(call: OmniCall, session: OmniSession): void {
    if (this.refusesInput > 0) {
      this.refusesInput--;
      call.race("input_backpressure", "pending input exceeds server limit", "rate_limit_error");
      return;
    }
    const { pcm, frames } = call.append();
    for (const base64 of frames) this.frames.push({ atMs: session.inputMs, base64 });
    if (pcm === undefined) return;
    this.receivedSamples += pcm.length;
    this.#sound.push(pcm);
    this.#kept += pcm.length;
    while (this.#kept - this.#sound[0].length > keptSamples) this.#kept -= this.#sound.shift()?.length ?? 0;
    this.onSound(pcm);
  }

  #cancel(call: OmniCall, session: OmniSession, { response_id }: OmniMessage): void {
    const { active } = session;
    if (active === undefined || (response_id !== undefined && response_id !== active.id)) {
      call.race("response_not_active", "requires an active response");
      return;
    }
    this.interrupts++;
    session.interrupt("client_cancelled");
  }

  #item(session: OmniSession, message: OmniMessage, refuse: Refuse): void {
    const item = (message.item ?? {}) as Fields;
    if (item.type === "function_call_output") {
      const id = String(item.call_id);
      if (session.calls.get(id) !== false || typeof item.output !== "string") {
        return void refuse(
          "invalid_function_call_output",
          "requires the call_id of a completed call, once, and an output",
        );
      }
      session.calls.set(id, true);
      this.answers.push({ id, result: item.output });
    } else {
      const content = Array.isArray(item.content) ? (item.content as Fields[]) : [];
      for (const { type, text } of content) if (type === "input_text") this.receivedTexts.push(String(text));
    }
    session.emit("conversation.item.created", { item: { id: this.#name("item"), ...item } });
  }

  #violate(what: string): void {
    if (this.violations.length < 100) this.violations.push(what);
  }

  #name(kind: string): string {
    return `${kind}_${++this.#count}`;
  }
}

type Refuse = (code: string, message: string) => void;

/** Sound as base64, in pieces of about 400 ms. */
function pieces(pcm: Int16Array, { oddBytes = false, bare = false }: SoundForm): { delta: string; ms: number }[] {
  const bytes = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const size = oddBytes ? 9601 : 19_200;
  const deltas: { delta: string; ms: number }[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += size) {
    const piece = bytes.subarray(at, at + size);
    const delta = piece.toString("base64");
    if (bare) deltas.push({ delta: "", ms: 0 });
    deltas.push({ delta: bare ? delta.replace(/=+$/, "") : delta, ms: (1000 * piece.length) / 2 / rate });
  }
  return deltas;
}
