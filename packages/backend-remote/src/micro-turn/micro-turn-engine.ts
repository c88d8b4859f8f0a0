// An engine on our own server, by the binary micro-turn wire: a step here is a step there. Sound goes as dMel levels, 160 bytes
// a micro-turn, and pictures at the size that the model sees; what comes back is what the engine there gave.

import {
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineLoadOptions,
  type EngineOpenOptions,
  systemClock,
} from "@microturn/core";
import type { SpeechCoding } from "@microturn/core/protocol";
import { openSocket as openPlatformSocket } from "#socket";
import { inPage } from "../codec/in-page.js";
import type { ConnectionOptions } from "../paced/paced-engine.js";
import { MicroTurnSession } from "./micro-turn-session.js";
import { MicroTurnWire } from "./micro-turn-wire.js";

/** Options of {@link microturnEngine}. */
export interface MicroturnEngineOptions extends Omit<ConnectionOptions, "maxHeldMs"> {
  /** The server, for example `wss://voice.example` or `ws://localhost:8787`; with a path if it is not at the root. */
  readonly url: string | URL;
  /** A key of the server, for programs that can keep one; never for a page. */
  readonly apiKey?: string;
  /** Gets a short-lived token, asked for before each session. */
  readonly token?: () => string | Promise<string>;
  /** How speech comes; default `pcm16`. `float32` keeps every bit and takes twice the bytes. */
  readonly speech?: SpeechCoding;
  /** How sound goes; default `dmel` where the server takes it: the same to the model, and a fortieth of the bytes of `pcm16`. */
  readonly audio?: "dmel" | "pcm16";
  /** A connection from which nothing comes for this long, while a step waits, is asked for a sign of life, and left after as long again, ms; default 2000. */
  readonly stallTimeoutMs?: number;
}

/**
 * Makes an engine on a Microturn server. A session lives there; when its connection is lost, it goes on where it was, and no
 * micro-turn is lost or doubled.
 *
 * @throws TypeError if the address cannot be used, a key and a token are given, or a key in a page
 * @throws RangeError for an option out of its range
 * @example
 * const engine = microturnEngine({ url: "wss://voice.example", token: () => fetch("/token").then((r) => r.text()) });
 * const session = await DuplexSession.open({ engine });
 */
export function microturnEngine(options: MicroturnEngineOptions): Engine {
  const { url, apiKey, token, maxSessions = 16 } = options;
  const { connectTimeoutMs = 10_000, reconnectMs = 30_000, stallTimeoutMs = 2000 } = options;
  if (apiKey !== undefined && token !== undefined) {
    throw new TypeError("microturnEngine: expected apiKey or token, got both; pages use a token");
  }
  if (apiKey !== undefined && inPage()) {
    throw new TypeError(
      "microturnEngine: a key in a page is everybody's; give token, which asks a server of yours for a short-lived one (createToken of @microturn/server)",
    );
  }
  const ranges = {
    connectTimeoutMs: [connectTimeoutMs, 1],
    reconnectMs: [reconnectMs, 0],
    stallTimeoutMs: [stallTimeoutMs, 1],
  };
  for (const [name, [value, least]] of Object.entries(ranges)) {
    if (!(value >= least && value <= 3_600_000)) {
      throw new RangeError(`microturnEngine: ${name} must be ${least} … 3600000 ms, got ${value}`);
    }
  }
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError(`microturnEngine: maxSessions must be a whole number from 1 on, got ${maxSessions}`);
  }
  return new MicroturnEngine(
    { ...options, maxSessions, connectTimeoutMs, reconnectMs, stallTimeoutMs },
    addressOf(url),
  );
}

type SettledOptions = MicroturnEngineOptions &
  Required<Pick<MicroturnEngineOptions, "maxSessions" | "connectTimeoutMs" | "reconnectMs" | "stallTimeoutMs">>;

class MicroturnEngine implements Engine {
  readonly #options: SettledOptions;
  readonly #address: string;
  readonly #sessions = new Set<MicroTurnSession>();
  #capabilities: Promise<EngineCapabilities> | undefined;
  #closed = false;

  constructor(options: SettledOptions, address: string) {
    this.#options = options;
    this.#address = address;
  }

  /** Opens a session to learn what the server can do, and closes it again. */
  async load({ signal }: EngineLoadOptions = {}): Promise<EngineCapabilities> {
    this.#requireOpen("load");
    if (this.#capabilities === undefined) {
      const asking = this.#ask(signal);
      this.#capabilities = asking;
      asking.catch(() => {
        this.#capabilities = undefined;
      });
    }
    try {
      return await this.#capabilities;
    } catch (error) {
      // Another, who asked first, has given up.
      if (DuplexError.is(error, "ABORTED") && signal?.aborted !== true)
        return this.load(signal === undefined ? {} : { signal });
      throw error;
    }
  }

  async #ask(signal: AbortSignal | undefined): Promise<EngineCapabilities> {
    const session = await this.open(signal === undefined ? {} : { signal });
    await session.close();
    return session.capabilities;
  }

  async open({ seed = 0, temperature = 0, signal }: EngineOpenOptions = {}): Promise<MicroTurnSession> {
    this.#requireOpen("open");
    const { maxSessions, apiKey, token, speech = "pcm16", audio = "dmel", stallTimeoutMs } = this.#options;
    if (this.#sessions.size >= maxSessions) {
      throw new DuplexError(
        "UNSUPPORTED",
        `open: expected at most ${maxSessions} sessions at once; close one, or raise maxSessions of microturnEngine`,
      );
    }
    const { clock = systemClock, openSocket = openPlatformSocket, onNote = () => {} } = this.#options;
    const { connectTimeoutMs, reconnectMs } = this.#options;
    const wire = new MicroTurnWire({ address: this.#address, apiKey, token, seed, temperature, speech });
    const session = new MicroTurnSession(wire, {
      ...{ clock, openSocket, onNote, connectTimeoutMs, reconnectMs },
      ...{ audio, stallTimeoutMs, maxSessions },
      onClose: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    try {
      await session.open(signal);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }

  #requireOpen(operation: string): void {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", `${operation}: the engine is closed`);
  }
}

/** The address of the wire. @throws TypeError */
function addressOf(given: string | URL): string {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw new TypeError(`microturnEngine: url must be an address such as wss://voice.example, got ${String(given)}`);
  }
  if (url.protocol === "http:" || url.protocol === "https:") url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new TypeError(`microturnEngine: url must begin with ws:, wss:, http: or https:, got ${url.protocol}`);
  }
  if (url.pathname === "/") url.pathname = "/v1/micro-turn";
  return url.href;
}
