// Gemini Live on this machine, as strict as its published types and the reports of its behaviour allow. It does nothing by
// itself but the handshake: a check decides what it says. Close codes and reasons are known from reports only.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { base64Pieces, dropAll, joinSound } from "./double-sound.js";
import type { DoubleCall, DoubleReply, Refusal, ServiceAbilities, ServiceDouble, SoundForm } from "./service-double.js";

type Fields = Record<string, unknown>;

/** Samples of the user that are kept: a minute. */
const keptSamples = 60 * 16_000;

const setupFields = new Set([
  ...["model", "generationConfig", "systemInstruction", "tools", "realtimeInputConfig", "sessionResumption"],
  ...["contextWindowCompression", "inputAudioTranscription", "outputAudioTranscription", "proactivity"],
  ...["historyConfig", "safetySettings", "labels", "avatarConfig"],
]);
const generationFields = new Set([
  ...[
    "responseModalities",
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "seed",
    "mediaResolution",
    "speechConfig",
  ],
  ...["thinkingConfig", "enableAffectiveDialog", "translationConfig"],
]);
const declarationFields = new Set([
  ...["name", "description", "parameters", "parametersJsonSchema", "behavior", "response", "responseJsonSchema"],
]);
const realtimeFields = new Set([
  ...["audio", "video", "text", "audioStreamEnd", "activityStart", "activityEnd", "mediaChunks"],
]);
const responseFields = new Set(["id", "name", "response", "scheduling", "willContinue", "parts"]);

/** An answer to a call, as it came. */
export interface GeminiResponse {
  readonly id: string;
  readonly name?: string;
  readonly response: Fields;
  readonly scheduling?: string;
  readonly willContinue?: boolean;
}

interface Connection {
  readonly socket: WebSocket;
  readonly url: URL;
  setup: Fields | undefined;
  ready: boolean;
}

/** A service that plays Gemini Live. */
export class GeminiLiveDouble implements ServiceDouble {
  readonly abilities: ServiceAbilities = {
    ...{ exactSound: true, bursts: true, endsReplies: true, text: true, heard: true, cutsReplies: true },
    ...{ interruptible: true, tools: true, reconnects: true, typed: true, oddBytes: true, base64: true },
    refusals: ["unauthorized", "forbidden", "busy", "close-before-ready", "silent"],
  };
  readonly url: string;
  readonly receivedTexts: string[] = [];
  readonly answers: { id: string; result: string }[] = [];
  readonly violations: string[] = [];
  /** There is no message for it. */
  readonly interrupts = 0;
  readyConnections = 0;
  receivedSamples = 0;
  /** Frames of the server: JSON in binary ones, as the service does, or in text. */
  frames: "binary" | "text" = "binary";
  /** Every message of the client after its setup, but sound. */
  readonly messages: Fields[] = [];
  readonly responses: GeminiResponse[] = [];
  /** Answers to calls that are not known, or not any more: the service passes over them. */
  readonly ignored: string[] = [];
  readonly setups: Fields[] = [];
  /** Where connections went, without their secrets. */
  readonly paths: string[] = [];
  readonly images: Buffer[] = [];
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #connections = new Set<Connection>();
  readonly #calls = new Set<string>();
  readonly #handles = new Set<string>();
  #received: Int16Array[] = [];
  #refusal: Refusal | undefined;
  #nextCall = 1;

  static async start(): Promise<GeminiLiveDouble> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new GeminiLiveDouble(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  received(): Int16Array {
    return joinSound(this.#received);
  }

  refuse(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  beginReply(): DoubleReply {
    return {
      sound: (pcm, form) => this.#sound(pcm, form),
      text: (text) => this.content({ outputTranscription: { text } }),
      end: () => {
        this.content({ generationComplete: true });
        this.content({ turnComplete: true });
      },
      cut: (late) => {
        this.content({ interrupted: true });
        if (late !== undefined) this.#sound(late);
        this.content({ turnComplete: true });
      },
    };
  }

  hear(text: string): void {
    this.content({ inputTranscription: { text } });
  }

  call(calls: readonly DoubleCall[]): string[] {
    const functionCalls = calls.map(({ name, arguments: args }) => ({ id: `call-${this.#nextCall++}`, name, args }));
    const ids = functionCalls.map(({ id }) => id);
    for (const id of ids) this.#calls.add(id);
    this.sendJson({ toolCall: { functionCalls } });
    return ids;
  }

  /** The service wants no answers any more. */
  cancel(ids: readonly string[]): void {
    for (const id of ids) this.#calls.delete(id);
    this.sendJson({ toolCallCancellation: { ids } });
  }

  /** Tells a state of the session that can be taken up, or that there is none now. */
  handle(name: string | undefined): void {
    if (name === undefined) this.sendJson({ sessionResumptionUpdate: { resumable: false } });
    else {
      this.#handles.add(name);
      this.sendJson({ sessionResumptionUpdate: { newHandle: name, resumable: true } });
    }
  }

  /** The service knows of this state no more. */
  expire(name: string): void {
    this.#handles.delete(name);
  }

  /** A message of content. */
  content(serverContent: Fields): void {
    this.sendJson({ serverContent });
  }

  /** Sound as a part of content. */
  part(pcm: Int16Array): Fields {
    return { inlineData: { mimeType: "audio/pcm;rate=24000", data: bytesOf(pcm).toString("base64") } };
  }

  sendJson(message: Fields): void {
    const text = JSON.stringify(message);
    this.send(this.frames === "text" ? text : Buffer.from(text));
  }

  send(message: string | Uint8Array): void {
    for (const { socket, ready } of this.#connections) if (ready) socket.send(message);
  }

  drop(code: number, reason = ""): void {
    dropAll(
      [...this.#connections].map(({ socket }) => socket),
      code,
      reason,
    );
  }

  pause(): void {
    for (const { socket } of this.#connections) socket.pause();
  }

  resume(): void {
    for (const { socket } of this.#connections) socket.resume();
  }

  async close(): Promise<void> {
    for (const { socket } of this.#connections) socket.terminate();
    this.#sockets.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  // --- connections ---

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // The vendor's client joins its base and its path with two slashes.
    const url = new URL((request.url ?? "").replace(/^\/+/, "/"), "ws://localhost");
    this.paths.push(url.pathname);
    const status = this.#refusal === "forbidden" ? 403 : upgradeStatus(url, request);
    if (status !== 101) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#connect(opened, url));
  }

  #connect(socket: WebSocket, url: URL): void {
    const connection: Connection = { socket, url, setup: undefined, ready: false };
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
    socket.on("error", () => {});
    socket.on("message", (data: Buffer, isBinary) => {
      try {
        this.#take(connection, isBinary, data.toString("utf8"));
      } catch (error) {
        this.#refuse(connection, 1007, error instanceof Error ? error.message : String(error));
      }
    });
  }

  /** The client did something that the service does not take. */
  #refuse({ socket }: Connection, code: number, reason: string): void {
    this.violations.push(reason);
    socket.close(code, reason.slice(0, 120));
  }

  #take(connection: Connection, isBinary: boolean, text: string): void {
    if (isBinary) throw new Error("Request contains an invalid argument. (binary)");
    const message = fields(JSON.parse(text), "message");
    const kinds = Object.keys(message);
    if (kinds.length !== 1) throw new Error(`Request contains an invalid argument. (kinds: ${kinds})`);
    const [kind] = kinds;
    if (connection.setup === undefined) {
      if (kind !== "setup") throw new Error("Request contains an invalid argument. (no setup)");
      this.#setUp(connection, fields(message.setup, "setup"));
      return;
    }
    if (!connection.ready) {
      if (this.#refusal === undefined) throw new Error("Request contains an invalid argument. (before setupComplete)");
      return;
    }
    if (kind === "realtimeInput") this.#realtime(connection, fields(message.realtimeInput, kind));
    else if (kind === "clientContent") this.#clientContent(fields(message.clientContent, kind));
    else if (kind === "toolResponse") this.#toolResponse(connection, fields(message.toolResponse, kind));
    else throw new Error(`Request contains an invalid argument. (${kind})`);
    if (!("audio" in fields(message[kind], kind))) this.messages.push(message);
  }

  #setUp(connection: Connection, setup: Fields): void {
    connection.setup = setup;
    this.setups.push(setup);
    const { socket } = connection;
    switch (this.#refusal) {
      case "unauthorized":
        socket.close(1007, "API key not valid. Please pass a valid API key.");
        return;
      case "busy":
        socket.close(1011, "You exceeded your current quota, please check your plan and billing details.");
        return;
      case "close-before-ready":
        socket.close(1011, "Internal error encountered.");
        return;
      case "silent":
        return;
    }
    if (/\.(v1|v1beta)\..*Constrained$/.test(connection.url.pathname)) {
      this.#refuse(connection, 1008, "Ephemeral tokens are not supported for this API version; use v1alpha");
      return;
    }
    checkSetup(setup);
    const { model, sessionResumption } = setup;
    if (!/(^|\/)models\/gemini-[\w.-]*live[\w.-]*$/.test(String(model))) {
      this.#refuse(connection, 1008, `${model} is not found for API version v1beta, or is not supported`);
      return;
    }
    const handle = sessionResumption === undefined ? undefined : fields(sessionResumption, "sessionResumption").handle;
    if (handle !== undefined && !this.#handles.has(String(handle))) {
      // Known from reports. It is no fault of the client that a handle is too old.
      socket.close(1008, "BidiGenerateContent session not found");
      return;
    }
    connection.ready = true;
    this.readyConnections++;
    const text = JSON.stringify({ setupComplete: {} });
    socket.send(this.frames === "text" ? text : Buffer.from(text));
  }

  #realtime({ setup }: Connection, input: Fields): void {
    const kinds = Object.keys(input);
    for (const kind of kinds) if (!realtimeFields.has(kind)) throw unknownField(kind, "realtime_input");
    if (kinds.length !== 1) throw new Error(`Request contains an invalid argument. (${kinds})`);
    const { audio, video, text, activityStart, activityEnd } = input;
    if (audio !== undefined) this.#audio(blob(audio, /^audio\/pcm;rate=16000$/));
    if (video !== undefined) this.images.push(blob(video, /^image\/(jpeg|png)$/));
    if (text !== undefined) {
      if (typeof text !== "string") throw new Error("Request contains an invalid argument. (text)");
      this.receivedTexts.push(text);
    }
    if (activityStart === undefined && activityEnd === undefined) return;
    const { automaticActivityDetection: automatic } = (setup?.realtimeInputConfig ?? {}) as Fields;
    if ((automatic as Fields | undefined)?.disabled !== true) {
      throw new Error("Explicit activity control is not supported when automatic activity detection is enabled.");
    }
  }

  #audio(bytes: Buffer): void {
    if (bytes.length % 2 !== 0) throw new Error("Request contains an invalid argument. (odd bytes)");
    const samples = Int16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i));
    this.receivedSamples += samples.length;
    this.#received.push(samples);
    while (this.#received.length > 1 && this.#received.length * samples.length > keptSamples) this.#received.shift();
  }

  #clientContent(content: Fields): void {
    if (content.turns === undefined) return;
    if (!Array.isArray(content.turns)) throw new Error("Request contains an invalid argument. (turns)");
    for (const turn of content.turns.map((one) => fields(one, "turn"))) {
      if (!Array.isArray(turn.parts)) throw new Error("Request contains an invalid argument. (parts)");
      for (const part of turn.parts) this.receivedTexts.push(String(fields(part, "part").text));
    }
  }

  #toolResponse({ url }: Connection, { functionResponses }: Fields): void {
    if (!Array.isArray(functionResponses)) throw new Error("Request contains an invalid argument. (responses)");
    for (const one of functionResponses.map((each) => fields(each, "function_response"))) {
      for (const key of Object.keys(one)) if (!responseFields.has(key)) throw unknownField(key, "function_response");
      const { id, scheduling, willContinue } = one;
      if (typeof id !== "string") throw new Error("FunctionResponse request must have an `id` field");
      if (scheduling !== undefined && !["SILENT", "WHEN_IDLE", "INTERRUPT"].includes(String(scheduling))) {
        throw new Error("Request contains an invalid argument. (scheduling)");
      }
      if (willContinue !== undefined && url.pathname.includes("aiplatform")) throw unknownField("willContinue", "part");
      const response = fields(one.response, "response");
      if (!this.#calls.has(id)) {
        this.ignored.push(id);
        continue;
      }
      if (willContinue !== true) this.#calls.delete(id);
      this.responses.push(one as unknown as GeminiResponse);
      this.answers.push({ id, result: String(response.output ?? "") });
    }
  }

  #sound(pcm: Int16Array, form?: SoundForm): void {
    for (const data of base64Pieces(pcm, form)) {
      const parts = [{ inlineData: { mimeType: "audio/pcm;rate=24000", data } }];
      this.content({ modelTurn: { role: "model", parts } });
    }
  }
}

/** What the upgrade is answered with. The service refuses most things later, by a close code. */
function upgradeStatus(url: URL, { headers }: IncomingMessage): number {
  const { pathname, searchParams } = url;
  const vertex = /^\/ws\/google\.cloud\.aiplatform\.v1(beta1)?\.LlmBidiService\/BidiGenerateContent$/;
  if (vertex.test(pathname)) return /^Bearer .+/.test(headers.authorization ?? "") ? 101 : 401;
  const developer = /^\/ws\/google\.ai\.generativelanguage\.(v1|v1alpha|v1beta)\.GenerativeService\.(\w+)$/.exec(
    pathname,
  );
  if (developer === null) return 404;
  const [, , method] = developer;
  const token = searchParams.get("access_token");
  if (method === "BidiGenerateContent") return searchParams.get("key") ? 101 : 403;
  if (method !== "BidiGenerateContentConstrained") return 404;
  return token?.startsWith("auth_tokens/") ? 101 : 403;
}

function checkSetup(setup: Fields): void {
  for (const key of Object.keys(setup)) if (!setupFields.has(key)) throw unknownField(key, "setup");
  const generation = fields(setup.generationConfig ?? {}, "generation_config");
  for (const key of Object.keys(generation))
    if (!generationFields.has(key)) throw unknownField(key, "generation_config");
  const modalities = generation.responseModalities ?? ["AUDIO"];
  if (!Array.isArray(modalities) || modalities.length !== 1 || !["AUDIO", "TEXT"].includes(modalities[0])) {
    throw new Error("Request contains an invalid argument. (response_modalities)");
  }
  for (const tool of (setup.tools ?? []) as unknown[]) {
    for (const one of (fields(tool, "tool").functionDeclarations ?? []) as unknown[]) {
      const declaration = fields(one, "function_declaration");
      for (const key of Object.keys(declaration)) if (!declarationFields.has(key)) throw unknownField(key, "tool");
      if (typeof declaration.name !== "string") throw new Error("Request contains an invalid argument. (name)");
    }
  }
}

function unknownField(name: string, place: string): Error {
  return new Error(`Invalid JSON payload received. Unknown name "${name}" at '${place}': Cannot find field.`);
}

function fields(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error(`Request contains an invalid argument. (${what})`);
}

function blob(value: unknown, type: RegExp): Buffer {
  const { mimeType, data } = fields(value, "blob");
  if (typeof mimeType !== "string" || !type.test(mimeType) || typeof data !== "string") {
    throw new Error(`Request contains an invalid argument. (${mimeType})`);
  }
  return Buffer.from(data, "base64");
}

function bytesOf(pcm: Int16Array): Buffer {
  const bytes = Buffer.alloc(2 * pcm.length);
  for (let i = 0; i < pcm.length; i++) bytes.writeInt16LE(pcm[i], 2 * i);
  return bytes;
}
