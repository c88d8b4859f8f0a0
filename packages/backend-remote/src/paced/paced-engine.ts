// An engine over a service: every session is a connection of its own, with a wire of its own.

import {
  type Clock,
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineLoadOptions,
  type EngineOpenOptions,
  systemClock,
} from "@microturn/core";
import { openSocket as openPlatformSocket } from "#socket";
import type { OpenSocket } from "../socket/message-socket.js";
import type { Wire, WireNote } from "../wire.js";
import { PacedSession } from "./paced-session.js";

/** Options that all engines over a service have. */
export interface ConnectionOptions {
  /** `open` connects within this, ms; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** A session whose connection is lost tries to come back for this long, ms; default 30,000; 0: not at all. */
  readonly reconnectMs?: number;
  /** Input that is held while there is no connection or the socket is slow, ms; then the oldest goes; default 5000. */
  readonly maxHeldMs?: number;
  /** Sessions that can be open at once; default 16. */
  readonly maxSessions?: number;
  /** Called with what happened on the wire: for logs and counts. */
  readonly onNote?: (note: WireNote) => void;
  /** Time; default the machine's. */
  readonly clock?: Clock;
  /** What opens sockets; default `ws` in Node and the platform's own in a page. */
  readonly openSocket?: OpenSocket;
}

/** Bytes in a socket beyond which input waits: 2.6 s of 16-bit PCM at 24 kHz in base64. */
const maxSocketBytes = 160_000;

/**
 * @param name - of the function that the application called, for messages
 * @param makeWire - called once per session, and once for the capabilities
 * @throws RangeError for an option out of its range
 */
export function pacedEngine(
  name: string,
  makeWire: (seed: EngineOpenOptions) => Wire,
  options: ConnectionOptions,
): Engine {
  const { connectTimeoutMs = 10_000, reconnectMs = 30_000, maxHeldMs = 5000, maxSessions = 16 } = options;
  const ranges = { connectTimeoutMs: [1, 600_000], reconnectMs: [0, 3_600_000], maxHeldMs: [0, 60_000] } as const;
  for (const [key, [least, most]] of Object.entries(ranges)) {
    const value = { connectTimeoutMs, reconnectMs, maxHeldMs }[key as keyof typeof ranges];
    if (!(value >= least && value <= most)) {
      throw new RangeError(`${name}: ${key} must be ${least} … ${most} ms, got ${value}`);
    }
  }
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError(`${name}: maxSessions must be a whole number from 1 on, got ${maxSessions}`);
  }
  return new PacedEngine(name, makeWire, { ...options, connectTimeoutMs, reconnectMs, maxHeldMs, maxSessions });
}

type SettledOptions = ConnectionOptions &
  Required<Pick<ConnectionOptions, "connectTimeoutMs" | "reconnectMs" | "maxHeldMs" | "maxSessions">>;

class PacedEngine implements Engine {
  readonly #name: string;
  readonly #makeWire: (options: EngineOpenOptions) => Wire;
  readonly #options: SettledOptions;
  readonly #sessions = new Set<PacedSession>();
  #closed = false;

  constructor(name: string, makeWire: (options: EngineOpenOptions) => Wire, options: SettledOptions) {
    this.#name = name;
    this.#makeWire = makeWire;
    this.#options = options;
  }

  /** Nothing is loaded: a service is reached when a session opens. */
  async load({ signal }: EngineLoadOptions = {}): Promise<EngineCapabilities> {
    this.#requireOpen("load");
    if (signal?.aborted) throw new DuplexError("ABORTED", "load: its signal was aborted", { cause: signal.reason });
    return { ...this.#makeWire({}).capabilities, maxSessions: this.#options.maxSessions };
  }

  async open(options: EngineOpenOptions = {}): Promise<PacedSession> {
    this.#requireOpen("open");
    const { clock = systemClock, openSocket = openPlatformSocket, maxSessions } = this.#options;
    if (this.#sessions.size >= maxSessions) {
      throw new DuplexError(
        "UNSUPPORTED",
        `open: expected at most ${maxSessions} sessions at once; close one, or raise maxSessions of ${this.#name}`,
      );
    }
    const session = new PacedSession(this.#makeWire(options), {
      ...this.#options,
      ...{ clock, openSocket, maxSocketBytes, maxSessions },
      onNote: (note) => this.#tell(note),
      onClose: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    try {
      await session.open(options.signal);
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

  /** A listener that throws ends no session. */
  #tell(note: WireNote): void {
    try {
      this.#options.onNote?.(note);
    } catch {
      // It is told what happened, and not asked.
    }
  }

  #requireOpen(operation: string): void {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", `${operation}: the engine is closed`);
  }
}
