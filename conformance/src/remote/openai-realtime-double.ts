// OpenAI Realtime on this machine: a WebSocket server that does nothing by itself and refuses what the service refuses. Rules:
// the types of the package `openai` and the public reports named beside them; where it is stricter than the service, it says so.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { base64Pieces, dropAll, joinSound } from "./double-sound.js";
import type { DoubleCall, DoubleReply, Refusal, ServiceAbilities, ServiceDouble, SoundForm } from "./service-double.js";

type Fields = Record<string, unknown>;

/** An event of the client. */
export interface ClientEvent extends Fields {
  readonly type: string;
}

/** An item of the conversation, as far as the double cares. */
interface Item extends Fields {
  id: string;
  type: string;
  /** Of the model's sound, ms. */
  soundMs: number;
}

interface Connection {
  readonly socket: WebSocket;
  readonly items: Map<string, Item>;
  session: Fields;
  configured: boolean;
  hasSpoken: boolean;
  /** Samples in the buffer that were not committed. */
  buffered: number;
  active: Response | undefined;
  /** Calls that have no result yet. */
  readonly open: Set<string>;
}

interface Response {
  readonly id: string;
  over: boolean;
  begun: boolean;
  /** Ends what has begun of it: the `.done` events come in every case. */
  finish: (status: "completed" | "incomplete") => void;
  output: Fields[];
}

/** Options of {@link OpenAIRealtimeDouble.start}. */
export interface RealtimeDoubleOptions {
  /** What is accepted as a key; default `sk-right`. */
  readonly key?: string;
  /** `beta`: as services spell it that came before. */
  readonly spelling?: "ga" | "beta";
}

const rate = 24_000;
const sessionFields = [
  ...["type", "output_modalities", "instructions", "prompt", "include", "audio", "tools", "tool_choice", "model"],
  ...["parallel_tool_calls", "reasoning", "max_output_tokens", "truncation", "tracing"],
];
const betaSessionFields = [
  ...["modalities", "instructions", "voice", "input_audio_format", "output_audio_format", "input_audio_transcription"],
  ...["turn_detection", "tools", "tool_choice", "temperature", "max_response_output_tokens", "model"],
];
const eventFields: Record<string, readonly string[]> = {
  "session.update": ["session"],
  "input_audio_buffer.append": ["audio"],
  "input_audio_buffer.commit": [],
  "input_audio_buffer.clear": [],
  "conversation.item.create": ["item", "previous_item_id"],
  "conversation.item.retrieve": ["item_id"],
  "conversation.item.delete": ["item_id"],
  "conversation.item.truncate": ["item_id", "content_index", "audio_end_ms"],
  "response.create": ["response"],
  "response.cancel": ["response_id"],
};

export class OpenAIRealtimeDouble implements ServiceDouble {
  readonly abilities: ServiceAbilities = {
    ...{ exactSound: true, bursts: true, endsReplies: true, text: true, heard: true, cutsReplies: true },
    ...{ interruptible: true, tools: true, reconnects: true, typed: true, oddBytes: true, base64: true },
    refusals: ["unauthorized", "forbidden", "busy", "close-before-ready", "silent"],
  };
  /** Events of the client, but for those that append sound. */
  readonly events: ClientEvent[] = [];
  readonly violations: string[] = [];
  readonly receivedTexts: string[] = [];
  readonly answers: { id: string; result: string }[] = [];
  interrupts = 0;
  readyConnections = 0;
  receivedSamples = 0;
  /** Requests for short-lived keys, and what they asked for. */
  readonly tokenRequests: Fields[] = [];
  /** Called with sound of the user, as it comes. */
  onSound: (pcm: Int16Array) => void = () => {};
  /** Called when the client asks for a response, once it has been created. */
  onCreate: () => void = () => {};
  /** Holds `response.created` back until {@link releaseCreated}. */
  holdsCreated = false;
  readonly #key: string;
  readonly #beta: boolean;
  readonly #tokens = new Set<string>();
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #connections = new Set<Connection>();
  /** Also those that are refused after they have opened. */
  readonly #open = new Set<WebSocket>();
  #sound: Int16Array[] = [];
  #refusal: Refusal | undefined;
  #paused = false;
  #held: (() => void)[] = [];
  #count = 0;

  private constructor({ key = "sk-right", spelling = "ga" }: RealtimeDoubleOptions) {
    this.#key = key;
    this.#beta = spelling === "beta";
    this.#sockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (protocols) => (protocols.has("realtime") ? "realtime" : false),
    });
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(options: RealtimeDoubleOptions = {}): Promise<OpenAIRealtimeDouble> {
    const double = new OpenAIRealtimeDouble(options);
    await new Promise<void>((resolve) => double.#server.listen(0, "127.0.0.1", resolve));
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return this.#server.listening ? `ws://127.0.0.1:${this.port}` : "ws://127.0.0.1:9";
  }

  get openConnections(): number {
    return this.#open.size;
  }

  received(): Int16Array {
    return joinSound(this.#sound);
  }

  /** Events of the client of one type. */
  eventsOf(type: string): ClientEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  /** Settings of the last connection, as the service would echo them. */
  get session(): Fields {
    return this.#last.session;
  }

  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  beginReply(): DoubleReply {
    const connection = this.#last;
    const response = connection.active ?? this.#beginResponse(connection);
    const emit = (type: string, fields: Fields) => this.#emit(connection, type, fields);
    const item: Item = { id: this.#name("item"), type: "message", role: "assistant", soundMs: 0, content: [] };
    const before = [...connection.items.keys()].at(-1) ?? null;
    connection.items.set(item.id, item);
    const part = { response_id: response.id, item_id: item.id, output_index: 0, content_index: 0 };
    const words: string[] = [];
    const prefix = this.#beta ? "response." : "response.output_";
    const shown = { ...this.#shape, id: item.id, type: "message", role: "assistant" };
    const content = { type: this.#beta ? "audio" : "output_audio" };
    emit("response.output_item.added", {
      ...{ response_id: response.id, output_index: 0 },
      item: { ...shown, status: "in_progress", content: [] },
    });
    const added = { ...shown, status: "in_progress", content: [] };
    emit(this.#beta ? "conversation.item.created" : "conversation.item.added", {
      item: added,
      previous_item_id: before,
    });
    emit("response.content_part.added", { ...part, part: { type: "audio", transcript: "" } });
    response.begun = true;
    response.finish = (status) => {
      const transcript = words.join("");
      emit(`${prefix}audio.done`, part);
      emit(`${prefix}audio_transcript.done`, { ...part, transcript });
      emit("response.content_part.done", { ...part, part: { type: "audio", transcript } });
      const done = { ...shown, status, content: [{ ...content, transcript }] };
      if (!this.#beta) emit("conversation.item.done", { item: done, previous_item_id: before });
      emit("response.output_item.done", { response_id: response.id, output_index: 0, item: done });
      response.output = [done];
    };
    const sendSound = (pcm: Int16Array, form: SoundForm = {}) => {
      if (pcm.length > 0) connection.hasSpoken = true;
      item.soundMs += (1000 * pcm.length) / rate;
      for (const delta of base64Pieces(pcm, form)) emit(`${prefix}audio.delta`, { ...part, delta });
    };
    return {
      sound: (pcm, form) => {
        if (!response.over) sendSound(pcm, form);
      },
      text: (text) => {
        if (response.over) return;
        words.push(text);
        emit(`${prefix}audio_transcript.delta`, { ...part, delta: text });
      },
      end: () => this.#endResponse(connection, response, "completed"),
      cut: (late) => {
        emit("input_audio_buffer.speech_started", { audio_start_ms: 0, item_id: this.#name("item") });
        if (response.over) return;
        if (late !== undefined) sendSound(late);
        this.#endResponse(connection, response, "cancelled", { type: "cancelled", reason: "turn_detected" });
      },
    };
  }

  /** The user begins to speak. */
  speechStarted(): void {
    this.#emit(this.#last, "input_audio_buffer.speech_started", { audio_start_ms: 0, item_id: this.#name("item") });
  }

  /** The user has finished, and the service will answer by itself. @returns the name of the item */
  commit(): string {
    const item_id = this.#name("item");
    const connection = this.#last;
    connection.items.set(item_id, { id: item_id, type: "message", role: "user", content: [], soundMs: 0 });
    this.#emit(connection, "input_audio_buffer.speech_stopped", { audio_end_ms: 0, item_id });
    this.#emit(connection, "input_audio_buffer.committed", { item_id, previous_item_id: null });
    this.#emitItem(connection, { id: item_id, type: "message", role: "user", status: "completed", content: [] });
    return item_id;
  }

  /** Words of an item of the user. */
  transcribe(item_id: string, text: string): void {
    const at = { item_id, content_index: 0 };
    const type = "conversation.item.input_audio_transcription";
    for (const delta of text.match(/.{1,4}/g) ?? []) this.#emit(this.#last, `${type}.delta`, { ...at, delta });
    this.#emit(this.#last, `${type}.completed`, { ...at, transcript: text, usage: { type: "duration", seconds: 1 } });
  }

  hear(text: string): void {
    this.speechStarted();
    this.transcribe(this.commit(), text);
  }

  call(calls: readonly DoubleCall[]): string[] {
    const connection = this.#last;
    const response = connection.active ?? this.#beginResponse(connection);
    const ids = calls.map(() => this.#name("call"));
    for (const [output_index, call] of calls.entries()) {
      const call_id = ids[output_index];
      const text = JSON.stringify(call.arguments);
      const item = { ...this.#shape, id: this.#name("item"), type: "function_call", call_id, name: call.name };
      connection.items.set(item.id, { ...item, soundMs: 0 });
      connection.open.add(call_id);
      const at = { response_id: response.id, output_index };
      const begun = { ...item, status: "in_progress", arguments: "" };
      this.#emit(connection, "response.output_item.added", { ...at, item: begun });
      const before = { previous_item_id: null };
      this.#emit(connection, this.#beta ? "conversation.item.created" : "conversation.item.added", {
        ...{ ...before, item: begun },
      });
      const of = { ...at, item_id: item.id, call_id };
      this.#emit(connection, "response.function_call_arguments.delta", { ...of, delta: text });
      this.#emit(connection, "response.function_call_arguments.done", { ...of, name: call.name, arguments: text });
      const done = { ...item, status: "completed", arguments: text };
      if (!this.#beta) this.#emit(connection, "conversation.item.done", { ...before, item: done });
      this.#emit(connection, "response.output_item.done", { ...at, item: done });
      response.output.push(done);
    }
    this.#endResponse(connection, response, "completed");
    return ids;
  }

  /** Ends the response that is under way as failed. */
  fail(code: string, message: string): void {
    const connection = this.#last;
    const { active } = connection;
    if (active === undefined) throw new Error("fail: no response is under way");
    const error = { type: "server_error", code, message };
    this.#endResponse(connection, active, "failed", { type: "failed", error });
  }

  /** An `error`, as the service may send one at any time. */
  error(code: string, message: string, type = "invalid_request_error"): void {
    this.#emit(this.#last, "error", { error: { type, code, message, param: null, event_id: null } });
  }

  releaseCreated(): void {
    this.holdsCreated = false;
    const held = this.#held;
    this.#held = [];
    for (const release of held) release();
  }

  drop(code: number, reason = ""): void {
    dropAll(this.#open, code, reason);
  }

  send(message: string | Uint8Array): void {
    for (const { socket } of this.#connections) socket.send(message);
  }

  pause(): void {
    this.#paused = true;
    for (const { socket } of this.#connections) socket.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const { socket } of this.#connections) socket.resume();
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

  get #last(): Connection {
    const last = [...this.#connections].at(-1);
    if (last === undefined) throw new Error("the double has no connection");
    return last;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<undefined> {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    const reply = (status: number, value: unknown, headers: Record<string, string> = {}): undefined => {
      response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
    };
    const url = new URL(request.url ?? "/", "http://double");
    if (url.pathname !== "/v1/realtime/client_secrets" || request.method !== "POST") return reply(404, {});
    const refused = this.#refusalOf(request.headers.authorization === `Bearer ${this.#key}`);
    if (refused !== undefined) return reply(refused.status, refused.body, refused.headers);
    const asked = JSON.parse(body) as { expires_after?: { anchor?: string; seconds?: number } };
    this.tokenRequests.push(asked as Fields);
    if (asked.expires_after !== undefined && asked.expires_after.anchor === undefined) {
      return reply(400, { error: { message: "Missing required parameter: 'expires_after.anchor'." } });
    }
    const value = this.#name("ek");
    this.#tokens.add(value);
    reply(200, { value, expires_at: 1_800_000_000 + (asked.expires_after?.seconds ?? 600), session: {} });
  }

  #refusalOf(right: boolean): { status: number; body: unknown; headers?: Record<string, string> } | undefined {
    const error = (message: string, code: string) => ({ error: { message, code, type: "invalid_request_error" } });
    if (this.#refusal === "unauthorized" || !right) {
      return { status: 401, body: error(`Incorrect API key provided: ${this.#key}.`, "invalid_api_key") };
    }
    if (this.#refusal === "forbidden") {
      return { status: 403, body: error("Country, region, or territory not supported", "unsupported_country") };
    }
    if (this.#refusal === "busy") {
      return { status: 429, body: error("Rate limit reached", "rate_limit"), headers: { "Retry-After": "2" } };
    }
    return undefined;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): undefined {
    const url = new URL(request.url ?? "/", "http://double");
    const refuse = (status: number, body: unknown, headers: Record<string, string> = {}): undefined => {
      const text = JSON.stringify(body);
      const lines = Object.entries({ ...headers, "Content-Length": String(text.length), Connection: "close" });
      const rest = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.end(`HTTP/1.1 ${status} Refused\r\n${rest}\r\n${text}`);
    };
    const refused = this.#refusalOf(this.#isAllowed(request));
    if (refused !== undefined) return refuse(refused.status, refused.body, refused.headers);
    if (url.pathname !== "/v1/realtime" || !url.searchParams.get("model"))
      return refuse(404, { error: "no such model" });
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      this.#open.add(opened);
      opened.on("error", () => {});
      opened.on("close", () => this.#open.delete(opened));
      if (this.#refusal === "silent") return;
      if (this.#refusal === "close-before-ready") opened.close(1011, "Internal error");
      else this.#begin(opened, url.searchParams.get("model") ?? "");
    });
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    const protocols = (headers["sec-websocket-protocol"] ?? "").split(",").map((protocol) => protocol.trim());
    const token = protocols.find((protocol) => protocol.startsWith("openai-insecure-api-key."))?.slice(24);
    if (this.#beta && headers["openai-beta"] !== "realtime=v1" && !protocols.includes("openai-beta.realtime-v1"))
      return false;
    // In GA the header of the beta is refused by some models; here by all.
    if (!this.#beta && headers["openai-beta"] !== undefined) return false;
    if (headers.authorization === `Bearer ${this.#key}`) return true;
    return token !== undefined && protocols.includes("realtime") && (this.#tokens.has(token) || token === this.#key);
  }

  #begin(socket: WebSocket, model: string): void {
    const format = { type: "audio/pcm", rate };
    const session: Fields = this.#beta
      ? { model, modalities: ["audio", "text"], instructions: "Default.", tools: [] }
      : {
          ...{
            type: "realtime",
            object: "realtime.session",
            id: this.#name("sess"),
            model,
            output_modalities: ["audio"],
          },
          ...{ instructions: "Default.", tools: [], tool_choice: "auto" },
          audio: {
            input: { format, turn_detection: { type: "server_vad", create_response: true, interrupt_response: true } },
            output: { format, voice: "marin", speed: 1 },
          },
        };
    const connection: Connection = {
      ...{ socket, items: new Map(), session, configured: false, hasSpoken: false, buffered: 0 },
      ...{ active: undefined, open: new Set<string>() },
    };
    this.#connections.add(connection);
    if (this.#paused) socket.pause();
    socket.on("close", () => this.#connections.delete(connection));
    socket.on("message", (data, isBinary) => this.#receive(connection, isBinary ? undefined : String(data)));
    this.#emit(connection, "session.created", { session });
  }

  // --- what the client sends ---

  #receive(connection: Connection, text: string | undefined): undefined {
    let event: ClientEvent;
    try {
      event = JSON.parse(text ?? "");
    } catch {
      return this.#refuseEvent(connection, {}, "invalid_json", "Could not parse the JSON of the event.");
    }
    if (typeof event?.type !== "string") {
      return this.#refuseEvent(connection, event, "invalid_event", "The 'type' field is missing.");
    }
    if (event.type !== "input_audio_buffer.append") this.events.push(event);
    const known = eventFields[event.type];
    if (known === undefined) {
      return this.#refuseEvent(connection, event, "invalid_value", `Invalid value: '${event.type}'.`, "type");
    }
    const odd = Object.keys(event).find((name) => !["type", "event_id", ...known].includes(name));
    if (odd !== undefined) {
      return this.#refuseEvent(connection, event, "unknown_parameter", `Unknown parameter: '${odd}'.`, odd);
    }
    this.#handle(connection, event);
  }

  #handle(connection: Connection, event: ClientEvent): undefined {
    const { items } = connection;
    const refuse = (code: string, message: string, param?: string) =>
      this.#refuseEvent(connection, event, code, message, param);
    switch (event.type) {
      case "session.update":
        return this.#update(connection, event);
      case "input_audio_buffer.append": {
        const bytes = typeof event.audio === "string" ? Buffer.from(event.audio, "base64") : undefined;
        if (bytes === undefined || bytes.length % 2 !== 0) return refuse("invalid_value", "Invalid 'audio'.", "audio");
        const pcm = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
        connection.buffered += pcm.length;
        this.receivedSamples += pcm.length;
        this.#sound.push(pcm);
        this.onSound(pcm);
        // Two minutes are enough for any check.
        if (this.#sound.length > 700) this.#sound = this.#sound.slice(-600);
        return;
      }
      case "input_audio_buffer.commit": {
        const ms = (1000 * connection.buffered) / rate;
        if (ms < 100) {
          return refuse(
            "input_audio_buffer_commit_empty",
            `Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has ${ms.toFixed(2)}ms of audio.`,
          );
        }
        connection.buffered = 0;
        const item_id = this.#name("item");
        items.set(item_id, { id: item_id, type: "message", role: "user", content: [], soundMs: 0 });
        this.#emit(connection, "input_audio_buffer.committed", { item_id, previous_item_id: null });
        return this.#emitItem(connection, {
          id: item_id,
          type: "message",
          role: "user",
          status: "completed",
          content: [],
        });
      }
      case "input_audio_buffer.clear":
        connection.buffered = 0;
        return this.#emit(connection, "input_audio_buffer.cleared", {});
      case "conversation.item.create":
        return this.#createItem(connection, event);
      case "conversation.item.retrieve": {
        const item = items.get(String(event.item_id));
        if (item === undefined)
          return refuse("item_retrieve_invalid_item_id", `Item '${event.item_id}' does not exist.`);
        const { soundMs: _, ...shown } = item;
        return this.#emit(connection, "conversation.item.retrieved", { item: { ...this.#shape, ...shown } });
      }
      case "conversation.item.delete": {
        if (!items.delete(String(event.item_id))) {
          return refuse("item_delete_invalid_item_id", `Item '${event.item_id}' does not exist.`, "item_id");
        }
        return this.#emit(connection, "conversation.item.deleted", { item_id: event.item_id });
      }
      case "conversation.item.truncate":
        return this.#truncate(connection, event);
      case "response.create": {
        const { active } = connection;
        if (active !== undefined) {
          return refuse(
            "conversation_already_has_active_response",
            `Conversation already has an active response in progress: ${active.id}. Wait until the response is finished before creating a new one.`,
          );
        }
        const begin = () => {
          if (connection.active !== undefined) return;
          this.#beginResponse(connection);
          this.onCreate();
        };
        if (this.holdsCreated) this.#held.push(begin);
        else begin();
        return;
      }
      case "response.cancel": {
        const { active } = connection;
        if (active === undefined || (event.response_id !== undefined && event.response_id !== active.id)) {
          return refuse("response_cancel_not_active", "Cancellation failed: no active response found");
        }
        this.interrupts++;
        return this.#endResponse(connection, active, "cancelled", { type: "cancelled", reason: "client_cancelled" });
      }
    }
  }

  #update(connection: Connection, event: ClientEvent): undefined {
    const refuse = (code: string, message: string, param?: string) =>
      this.#refuseEvent(connection, event, code, message, param);
    const patch = event.session as Fields | undefined;
    if (typeof patch !== "object" || patch === null)
      return refuse("missing_required_parameter", "Missing 'session'.", "session");
    const known = this.#beta ? betaSessionFields : sessionFields;
    const odd = Object.keys(patch).find((name) => !known.includes(name));
    if (odd !== undefined) return refuse("unknown_parameter", `Unknown parameter: 'session.${odd}'.`, `session.${odd}`);
    if (!this.#beta && patch.type !== "realtime") {
      return refuse("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type");
    }
    if (patch.model !== undefined && patch.model !== connection.session.model) {
      return refuse("invalid_value", "The model of a session cannot be changed.", "session.model");
    }
    const audio = patch.audio as { output?: Fields; input?: Fields } | undefined;
    const before = connection.session.audio as { output: Fields; input: Fields } | undefined;
    if (audio?.output?.voice !== undefined && audio.output.voice !== before?.output.voice && connection.hasSpoken) {
      return refuse("cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.");
    }
    const modalities = patch.output_modalities;
    if (Array.isArray(modalities) && modalities.length !== 1) {
      return refuse("invalid_value", "Invalid modalities: choose ['audio'] or ['text'].", "session.output_modalities");
    }
    connection.session = {
      ...{ ...connection.session, ...patch },
      ...(before === undefined
        ? {}
        : { audio: { input: { ...before.input, ...audio?.input }, output: { ...before.output, ...audio?.output } } }),
    };
    this.#emit(connection, "session.updated", { session: connection.session });
    if (!connection.configured) this.readyConnections++;
    connection.configured = true;
  }

  #createItem(connection: Connection, event: ClientEvent): undefined {
    const refuse = (code: string, message: string, param?: string) =>
      this.#refuseEvent(connection, event, code, message, param);
    const item = event.item as Fields | undefined;
    const id = typeof item?.id === "string" ? item.id : this.#name("item");
    if (item === undefined || connection.items.has(id)) return refuse("invalid_value", "Invalid 'item'.", "item");
    if (id.length > 32) return refuse("string_above_max_length", "Invalid 'item.id': string too long.", "item.id");
    if (item.type === "function_call_output") {
      const call = String(item.call_id);
      // Stricter than the service, which takes a second result.
      if (!connection.open.delete(call)) return refuse("invalid_tool_call_id", `Tool call ID '${call}' not found.`);
      if (typeof item.output !== "string") return refuse("invalid_type", "Invalid type for 'item.output'.");
      this.answers.push({ id: call, result: item.output });
    } else if (item.type === "message") {
      const content = Array.isArray(item.content) ? (item.content as Fields[]) : [];
      const allowed: Record<string, readonly string[]> = {
        system: ["input_text"],
        user: ["input_text", "input_audio", "input_image"],
        assistant: [this.#beta ? "text" : "output_text"],
      };
      for (const part of content) {
        if (!allowed[String(item.role)]?.includes(String(part.type))) {
          return refuse("invalid_value", `Invalid value: '${part.type}'.`, "item.content[0].type");
        }
        if (part.type === "input_image" && !/^data:image\/(png|jpeg);base64,/.test(String(part.image_url))) {
          return refuse("invalid_value", "Invalid 'image_url'.", "item.content[0].image_url");
        }
        if (typeof part.text === "string") this.receivedTexts.push(part.text);
      }
      if (content.length === 0) return refuse("missing_required_parameter", "Missing 'item.content'.", "item.content");
    } else return refuse("invalid_value", `Invalid value: '${item.type}'.`, "item.type");
    connection.items.set(id, { ...item, id, type: item.type, soundMs: 0 });
    const status = item.type === "message" ? { status: "completed" } : {};
    this.#emitItem(connection, { ...item, ...this.#shape, id, ...status });
  }

  #truncate(connection: Connection, event: ClientEvent): undefined {
    const refuse = (code: string, message: string, param?: string) =>
      this.#refuseEvent(connection, event, code, message, param);
    const { item_id, content_index, audio_end_ms } = event;
    const item = connection.items.get(String(item_id));
    if (item === undefined)
      return refuse("item_truncate_invalid_item_id", `Item '${item_id}' does not exist.`, "item_id");
    if (content_index !== 0) return refuse("invalid_value", "Invalid 'content_index'.", "content_index");
    if (!Number.isInteger(audio_end_ms)) {
      // openai-agents-js #748
      return refuse("invalid_type", "Invalid type for 'audio_end_ms': expected an integer.", "audio_end_ms");
    }
    const end = audio_end_ms as number;
    // pipecat PR #3960: 0 is answered like this, too.
    if (item.role !== "assistant" || item.soundMs === 0 || end <= 0) {
      return refuse("unsupported_content_type", "Only model output audio messages can be truncated");
    }
    if (end > item.soundMs) {
      // openai-agents-js #189; its code is not known.
      return refuse("", `Audio content of ${item.soundMs}ms is already shorter than ${end}ms`);
    }
    item.soundMs = end;
    this.#emit(connection, "conversation.item.truncated", { item_id, content_index, audio_end_ms });
  }

  // --- what the service sends ---

  #beginResponse(connection: Connection): Response {
    const response: Response = { id: this.#name("resp"), over: false, begun: false, finish: () => {}, output: [] };
    connection.active = response;
    const shown = { object: "realtime.response", id: response.id, status: "in_progress", output: [] };
    this.#emit(connection, "response.created", { response: shown });
    return response;
  }

  #endResponse(connection: Connection, response: Response, status: string, details?: Fields): undefined {
    if (response.over) return;
    response.over = true;
    response.finish(status === "completed" ? "completed" : "incomplete");
    if (connection.active === response) connection.active = undefined;
    const shown = { object: "realtime.response", id: response.id, status, output: response.output };
    this.#emit(connection, "response.done", { response: { ...shown, status_details: details ?? null, usage: null } });
    this.#emit(connection, "rate_limits.updated", { rate_limits: [] });
  }

  /** What the beta says of every item, and GA of none (seen in recordings). */
  get #shape(): Fields {
    return this.#beta ? { object: "realtime.item" } : {};
  }

  #emitItem(connection: Connection, item: Fields): undefined {
    const ids = [...connection.items.keys()];
    const fields = { item, previous_item_id: ids[ids.indexOf(String(item.id)) - 1] ?? null };
    if (this.#beta) return this.#emit(connection, "conversation.item.created", fields);
    this.#emit(connection, "conversation.item.added", fields);
    this.#emit(connection, "conversation.item.done", fields);
  }

  #refuseEvent(connection: Connection, event: Fields, code: string, message: string, param?: string): undefined {
    this.violations.push(`${event.type}: ${code} ${message}`);
    const error = {
      type: "invalid_request_error",
      code,
      message,
      param: param ?? null,
      event_id: event.event_id ?? null,
    };
    this.#emit(connection, "error", { error });
  }

  #emit({ socket }: Connection, type: string, fields: Fields): undefined {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(JSON.stringify({ event_id: this.#name("event"), type, ...fields }));
  }

  #name(kind: string): string {
    return `${kind}_${++this.#count}`;
  }
}
