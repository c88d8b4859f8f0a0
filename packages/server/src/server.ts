// The server: one engine, one port, two wires. HTTP for health, metrics and tokens; WebSockets for sessions.

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import {
  type Backend,
  type Clock,
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type ModelSource,
} from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { type DecodeImage, protocolName } from "@microturn/core/protocol";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { Access, type AccessOptions, type Principal, protocolsOf } from "./access/access.js";
import { RateLimit } from "./access/rate-limit.js";
import { Admission } from "./admission/admission.js";
import { measureCapacity } from "./admission/measure-capacity.js";
import { answerHttp } from "./http/routes.js";
import { answerWithoutUpgrade, asksForWebSocket, refuseUpgrade, takeFrom } from "./http/upgrades.js";
import { decodeJpeg } from "./images/decode-jpeg.js";
import { errorFields, type Logger, safeLogger, silentLogger } from "./log.js";
import { Metrics, type WireName } from "./metrics.js";
import type { HeldSession } from "./micro-turn/held-session.js";
import { type HeldSessions, MicroTurnConnection } from "./micro-turn/micro-turn-connection.js";
import { RealtimeConnection, type RealtimeSessions } from "./realtime/realtime-connection.js";
import type { RealtimeSession } from "./realtime/realtime-session.js";
import {
  checkedLimits,
  closeCodes,
  type ServedConnection,
  type ServerContext,
  type ServerLimits,
} from "./sessions/server-context.js";

/** Where the wires are found. */
export const serverPaths = { microTurn: "/v1/micro-turn", realtime: "/v1/realtime" } as const;

/** Options of {@link createServer}. */
export interface ServerOptions {
  /** What advances the conversations: an engine for many sessions. It stays open when the server is closed. */
  readonly engine?: Engine;
  /** Instead of an engine: a backend, which stays open, and a model on it. */
  readonly backend?: Backend | Promise<Backend>;
  readonly model?: ModelSource;
  /**
   * Sessions that may be open at once; default what the engine has, or 16 with a backend and a model. `"auto"` measures, after
   * loading, how many this machine can advance in real time (some 10 s), up to what the engine has, or 64.
   */
  readonly maxSessions?: number | "auto";
  /** Who may open a session. `"none"` lets anybody: only where nobody else can reach the server. */
  readonly auth: AccessOptions | "none";
  /**
   * Origins of pages that may connect, such as `https://app.example`, or `*`; default those of this server's own host. With
   * `auth: "none"` only where that is an address or `localhost`: a name can be pointed at this machine by anybody.
   */
  readonly origins?: readonly string[];
  /** Bounds on what a client may do. */
  readonly limits?: Partial<ServerLimits>;
  /** Decodes images that come as JPEG; default `jpeg-js`. */
  readonly decodeImage?: DecodeImage;
  /** Source of time of the sessions on the JSON wire; default the machine's. A slower one lets a slow machine keep up, in tests. */
  readonly clock?: Clock;
  /** Structured lines: a `pino` logger, for example; default none. */
  readonly log?: Logger;
}

/** A server of one model. */
export interface MicroturnServer extends AsyncDisposable {
  /** Resolves when the model is loaded; rejects when it cannot be. */
  readonly ready: Promise<EngineCapabilities>;
  /** Sessions that are open. */
  readonly openSessions: number;
  /** Sessions that may be open at once; 0 until the model is loaded. */
  readonly maxSessions: number;
  /** Listens on a port of its own. @throws DuplexError `NETWORK_FAILED` if the port is in use or may not be used */
  listen(options?: {
    readonly port?: number;
    readonly host?: string;
  }): Promise<{ readonly port: number; readonly url: string }>;
  /**
   * Takes the requests and upgrades under its paths from an HTTP server of the application. The listeners that this one has by then
   * get all others, and none of these. @returns stops that
   */
  attach(server: Server): () => void;
  /** Answers a request if its path is the server's. @returns whether it is */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean;
  /** Takes an upgrade if its path is the server's. @returns whether it is */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Lets nobody in any more, tells those who are in, and resolves when all have left or the time is over. */
  drain(options?: { readonly withinMs?: number }): Promise<void>;
  /** Ends every session and connection now. Double close is fine. */
  close(): Promise<void>;
}

/**
 * Makes a server of a model. Loading begins at once; sessions that come before its end are asked to wait.
 *
 * @throws TypeError or RangeError for options that do not go together or are out of range
 * @example
 * const server = createServer({ backend: nodeBackend(), model: mini, auth: { secret } });
 * await server.listen({ port: 8787 });
 */
export function createServer(options: ServerOptions): MicroturnServer {
  return new EngineServer(options);
}

class EngineServer implements MicroturnServer {
  readonly ready: Promise<EngineCapabilities>;
  readonly #engine: Engine;
  readonly #ownsEngine: boolean;
  readonly #access: Access;
  readonly #limits: ServerLimits;
  readonly #log: Logger;
  readonly #metrics = new Metrics();
  readonly #sessions: HeldSessions = new Map();
  readonly #realtimeSessions: RealtimeSessions = new Map();
  readonly #decodeImage: DecodeImage;
  readonly #clock: Clock | undefined;
  readonly #sockets: WebSocketServer;
  readonly #pings: ReturnType<typeof setInterval>;
  readonly #detach: (() => void)[] = [];
  readonly #stop = new AbortController();
  #context: ServerContext | undefined;
  #http: Server | undefined;
  #draining = false;
  #closed: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    const { engine, backend, model, maxSessions, auth, origins, limits, log = silentLogger } = options;
    if ((engine === undefined) === (backend === undefined || model === undefined)) {
      throw new TypeError("createServer: expected an engine, or a backend and a model");
    }
    this.#ownsEngine = engine === undefined;
    if (maxSessions !== undefined && maxSessions !== "auto" && !(Number.isInteger(maxSessions) && maxSessions >= 1)) {
      throw new RangeError(`createServer: maxSessions must be "auto" or a whole number from 1 on, got ${maxSessions}`);
    }
    const rows = maxSessions === "auto" ? 64 : (maxSessions ?? 16);
    this.#engine =
      engine ?? localEngine({ backend: backend as Backend, model: model as ModelSource, maxSessions: rows });
    this.#access = new Access(auth, origins);
    this.#limits = checkedLimits(limits);
    this.#log = safeLogger(log);
    this.#decodeImage = options.decodeImage ?? decodeJpeg;
    this.#clock = options.clock;
    this.#sockets = new WebSocketServer({
      noServer: true,
      // What is a little too large is refused by an event; what is much too large is not read.
      maxPayload: Math.min(oversize * this.#limits.maxMessageBytes, 2 ** 31 - 1),
      perMessageDeflate: false,
      handleProtocols: (protocols) => chosenProtocol(protocols),
    });
    // A half-open connection says nothing, and does not answer either.
    this.#pings = setInterval(() => this.#pingAll(), this.#limits.idleTimeoutMs / 2);
    this.#pings.unref();
    this.ready = this.#load(maxSessions);
    this.ready.catch((error) => {
      // A server that is closed gives its loading up; that says nothing about the model.
      if (this.#closed === undefined) this.#log.error(errorFields(error), "the model could not be loaded");
    });
  }

  get openSessions(): number {
    return this.#context?.admission.open ?? 0;
  }

  get maxSessions(): number {
    return this.#context?.admission.maxSessions ?? 0;
  }

  async #load(maxSessions: number | "auto" | undefined): Promise<EngineCapabilities> {
    const capabilities = await this.#engine.load();
    const most =
      maxSessions === "auto"
        ? await this.#measure()
        : Math.min(maxSessions ?? capabilities.maxSessions, capabilities.maxSessions);
    this.#metrics.capacity.set(most);
    const admission = new Admission({
      maxSessions: most,
      turnDurationMs: capabilities.turnDurationMs,
      maxSlowShare: this.#limits.maxSlowShare,
    });
    this.#context = {
      ...{ engine: this.#engine, admission, limits: this.#limits, metrics: this.#metrics, log: this.#log },
    };
    if (this.#draining) admission.drain();
    this.#log.info(
      { model: capabilities.identity?.model, backend: capabilities.identity?.backend, maxSessions: most },
      "ready",
    );
    return capabilities;
  }

  #measure(): Promise<number> {
    const onCount = (sessions: number, p99Ms: number) =>
      this.#log.info({ sessions, p99Ms: Math.round(p99Ms) }, "measuring capacity");
    return measureCapacity(this.#engine, { signal: this.#stop.signal, onCount });
  }

  async listen({ port = 8787, host = "127.0.0.1" } = {}): Promise<{ port: number; url: string }> {
    const server = createHttpServer();
    this.#http = server;
    this.#detach.push(this.attach(server));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)));
      server.listen(port, host, resolve);
    });
    const { port: bound } = server.address() as AddressInfo;
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
    this.#log.info({ url }, "listening");
    return { port: bound, url };
  }

  attach(server: Server): () => void {
    const giveBack = [
      takeFrom<[IncomingMessage, ServerResponse]>(server, "request", {
        take: (request, response) => this.handleRequest(request, response),
        refuse: (_request, response) => response.writeHead(404, { "content-type": "text/plain" }).end("not found\n"),
      }),
      takeFrom<[IncomingMessage, Duplex, Buffer]>(server, "upgrade", {
        take: (request, socket, head) => this.handleUpgrade(request, socket, head),
        refuse: (request, socket) => {
          if (asksForWebSocket(request)) refuseUpgrade(socket, 404, "Not Found", "no such path");
          else answerWithoutUpgrade(server, request, socket);
        },
      }),
    ];
    return () => {
      for (const one of giveBack) one();
    };
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return answerHttp(request, response, {
      access: this.#access,
      isReady: () => this.#context !== undefined && !this.#draining,
      metrics: () => this.metrics(),
      contentType: this.#metrics.registry.contentType,
    });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const wire = wireOf(request);
    if (wire === undefined) return false;
    // A client that leaves in the middle of the handshake.
    socket.on("error", () => socket.destroy());
    void this.#upgrade(wire, request, socket, head).catch((error) => {
      this.#log.error(errorFields(error), "an upgrade failed");
      socket.destroy();
    });
    return true;
  }

  async #upgrade(wire: WireName, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    let principal: Principal;
    try {
      principal = await this.#access.admit(request);
    } catch (error) {
      if (!DuplexError.is(error)) throw error;
      const status = error.details.status === 403 ? 403 : 401;
      this.#metrics.refused.inc({ reason: "access" });
      this.#log.warn({ status, problem: error.message }, "connection refused");
      refuseUpgrade(socket, status, status === 403 ? "Forbidden" : "Unauthorized", error.message);
      return;
    }
    if (wire === "micro-turn" && !speaksMicroTurns(request)) {
      const problem = `expected the sub-protocol ${protocolName}, which is the one that is spoken here`;
      this.#metrics.refused.inc({ reason: "protocol" });
      this.#log.warn({ status: 400, problem }, "connection refused");
      refuseUpgrade(socket, 400, "Bad Request", problem);
      return;
    }
    const context = this.#context;
    if (context === undefined || this.#closed !== undefined) {
      this.#metrics.refused.inc({ reason: "loading" });
      refuseUpgrade(socket, 503, "Service Unavailable", "the model is not loaded yet", { "Retry-After": "5" });
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
      this.#connected({ wire, query: queryOf(request), stream: socket }, webSocket, principal, context),
    );
  }

  #connected(asked: Asked, socket: WebSocket, principal: Principal, context: ServerContext): void {
    const { wire, stream } = asked;
    const { limits, metrics } = context;
    const bytesOf = metrics.bytes[wire];
    let corked = false;
    const uncork = () => {
      if (!corked) return;
      corked = false;
      stream.uncork();
    };
    const send = (message: Uint8Array | string, binary: boolean, onSent = nothing) => {
      bytesOf.out += message.length;
      // The events of a micro-turn come together, and go in one write: a good part of what a session costs is the system's.
      if (!corked) {
        corked = true;
        stream.cork();
        process.nextTick(uncork);
      }
      socket.send(message, { binary }, onSent);
      if (stream.writableLength > largestWrite) uncork();
    };
    const connection: ServedConnection = {
      get queuedBytes() {
        return socket.bufferedAmount;
      },
      send: (message) => send(message, typeof message !== "string"),
      sendText: (message, onSent) => send(message, false, onSent),
      close: (code, reason) => {
        socket.close(code, reason.slice(0, 120));
        // A client that does not say goodbye is not waited for.
        setTimeout(() => socket.terminate(), 1000).unref();
      },
      destroy: () => socket.terminate(),
    };
    const perSecond = limits.maxMessagesPerSecond;
    const rate = new RateLimit(perSecond, 2 * perSecond, performance.now());
    let thrownOut = false;
    const throwOut = (code: number, reason: string) => {
      thrownOut = true;
      connection.close(code, reason);
    };
    /** Whether something that came is to be looked at. */
    const mayCome = () => {
      connected.atMs = performance.now();
      if (thrownOut) return false;
      if (rate.take(1, performance.now())) return true;
      throwOut(closeCodes.violation, `more than ${perSecond} messages a second`);
      return false;
    };
    const served = this.#serve(asked, connection, principal, context);
    const connected: Alive = { served, atMs: performance.now() };
    alive.set(socket, connected);
    socket.on("message", (data: RawData, isBinary: boolean) => {
      const bytes = data as Buffer;
      bytesOf.in += bytes.length;
      if (!mayCome()) return;
      if (wire === "micro-turn" && bytes.length > limits.maxMessageBytes) {
        throwOut(closeCodes.tooLarge, `more than ${limits.maxMessageBytes} bytes`);
      } else served.receive(isBinary ? bytes : bytes.toString("utf8"));
    });
    // The library answers, and holds few answers for one who does not read them; how many come is counted as for messages.
    socket.on("ping", mayCome);
    socket.on("pong", (data: Buffer) => {
      if (mayCome()) served.arrived?.(Number(data.toString("latin1")));
    });
    socket.on("error", (error) => this.#log.warn({ wire, ...errorFields(error) }, "a connection broke"));
    socket.on("close", (code) => served.closed(code));
  }

  #serve({ wire, query }: Asked, connection: ServedConnection, principal: Principal, context: ServerContext): Served {
    const shared = { context, principal, decodeImage: this.#decodeImage };
    if (wire === "micro-turn") return new MicroTurnConnection(connection, { ...shared, sessions: this.#sessions });
    const clock = this.#clock === undefined ? {} : { clock: this.#clock };
    return new RealtimeConnection(connection, { ...shared, ...clock, query, sessions: this.#realtimeSessions });
  }

  /** Sessions of both wires. */
  get #live(): (HeldSession | RealtimeSession)[] {
    return [...this.#sessions.values(), ...this.#realtimeSessions.values()];
  }

  #pingAll(): void {
    const nowMs = performance.now();
    for (const session of this.#sessions.values()) session.checkIdle(nowMs);
    for (const socket of this.#sockets.clients) {
      const { atMs = 0, served } = alive.get(socket) ?? {};
      if (nowMs - atMs > this.#limits.idleTimeoutMs) socket.terminate();
      // A pong has what its ping had, and comes after all that was sent before that.
      else socket.ping(String(served?.lastTold ?? ""), undefined, () => {});
    }
  }

  metrics(): Promise<string> {
    const held = this.#live.filter(({ connected }) => !connected).length;
    this.#metrics.sessions.set({ state: "held" }, held);
    this.#metrics.sessions.set({ state: "connected" }, this.openSessions - held);
    return this.#metrics.registry.metrics();
  }

  async drain({ withinMs = 30_000 } = {}): Promise<void> {
    this.#draining = true;
    this.#context?.admission.drain();
    this.#log.info({ sessions: this.openSessions, withinMs }, "draining");
    const told = new Set<HeldSession | RealtimeSession>();
    let nowMs = performance.now();
    const untilMs = nowMs + withinMs;
    while (this.openSessions > 0 && nowMs < untilMs) {
      // Again and again: some are being opened, or come back.
      for (const session of this.#live) {
        if (!session.connected) told.delete(session);
        else if (!told.has(session)) {
          told.add(session);
          session.announceDrain(untilMs - nowMs);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(50, withinMs)));
      nowMs = performance.now();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#pings);
    this.#stop.abort();
    this.#draining = true;
    this.#context?.admission.drain();
    this.#endSessions();
    for (const detach of this.#detach.splice(0)) detach();
    for (const socket of this.#sockets.clients) socket.close(closeCodes.goingAway, "the server stops");
    const http = this.#http;
    if (http !== undefined) {
      const stopped = new Promise<void>((resolve) => http.close(() => resolve()));
      const cut = setTimeout(() => {
        for (const socket of this.#sockets.clients) socket.terminate();
        http.closeAllConnections();
      }, 500);
      http.closeIdleConnections();
      await stopped;
      clearTimeout(cut);
    } else for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    // What was being opened when the others ended.
    this.#endSessions();
    if (this.#ownsEngine) await this.#engine.close();
  }

  #endSessions(): void {
    for (const session of this.#live) {
      session.fail(new DuplexError("SESSION_CLOSED", "the server stops"), "drained");
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** How many times the largest message is still read, to be refused with a word. */
const oversize = 4;

/** Bytes that may wait for more to come at once. */
const largestWrite = 65_536;

const nothing = () => {};

/** What a client has asked for by its address. */
interface Asked {
  readonly wire: WireName;
  readonly query: URLSearchParams;
  /** What the WebSocket writes to. */
  readonly stream: Duplex;
}

/** What handles the messages of a connection. */
interface Served {
  receive(data: Uint8Array | string): void;
  closed(code: number): void;
  /** Number of the last event that was told. */
  readonly lastTold?: number;
  /** The other end has what was told up to an event. */
  arrived?(sequence: number): void;
}

/** A connection, for the pings. */
interface Alive {
  readonly served: Served;
  /** When something last came from it. */
  atMs: number;
}

const alive = new WeakMap<WebSocket, Alive>();

function wireOf({ url = "", headers }: IncomingMessage): WireName | undefined {
  const path = url.split("?")[0];
  if (path === serverPaths.microTurn) return "micro-turn";
  if (path !== serverPaths.realtime) return undefined;
  return protocolsOf(headers["sec-websocket-protocol"]).includes(protocolName) ? "micro-turn" : "realtime";
}

/** Whether a client offers the wire's sub-protocol, or none at all. Most end the connection when none of theirs is chosen. */
function speaksMicroTurns({ headers }: IncomingMessage): boolean {
  const offered = protocolsOf(headers["sec-websocket-protocol"]);
  return offered.length === 0 || offered.includes(protocolName);
}

function queryOf({ url = "" }: IncomingMessage): URLSearchParams {
  return new URLSearchParams(url.split("?")[1] ?? "");
}

function chosenProtocol(protocols: Set<string>): string | false {
  for (const known of [protocolName, "realtime"]) if (protocols.has(known)) return known;
  return false;
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): DuplexError {
  const why =
    error.code === "EADDRINUSE"
      ? `port ${port} is in use; stop what uses it, or choose another`
      : error.code === "EACCES"
        ? `port ${port} may not be used by this account; choose one above 1023`
        : `${error.message}; check host and port`;
  return new DuplexError("NETWORK_FAILED", `listen: cannot listen on ${host}: ${why}`, {
    cause: error,
    details: { port },
  });
}
