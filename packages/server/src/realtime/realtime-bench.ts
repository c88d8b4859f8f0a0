// For tests: a client of the JSON wire without a socket, over an engine that follows a script and a clock that stands still.

import {
  FakeClock,
  type ScriptedEngine,
  type ScriptedEngineOptions,
  scriptedEngine,
  settled,
} from "@microturn/core/testing";
import { Admission } from "../admission/admission.js";
import { silentLogger } from "../log.js";
import { Metrics } from "../metrics.js";
import {
  defaultLimits,
  type ServedConnection,
  type ServerContext,
  type ServerLimits,
} from "../sessions/server-context.js";
import { RealtimeConnection, type RealtimeSessions } from "./realtime-connection.js";

/** A server event. */
export interface Told {
  readonly type: string;
  readonly server_event_seq?: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of many shapes
  readonly [name: string]: any;
}

/** One connection, as its client sees it. */
export class BenchClient implements ServedConnection {
  readonly told: Told[] = [];
  queuedBytes = 0;
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly connection: RealtimeConnection;
  readonly #bench: RealtimeBench;

  constructor(bench: RealtimeBench, query: string) {
    this.#bench = bench;
    this.connection = new RealtimeConnection(this, {
      ...{ context: bench.context, sessions: bench.sessions, clock: bench.clock },
      ...{ principal: { subject: "test", id: "test" }, query: new URLSearchParams(query) },
      decodeImage: ({ jpeg }) => ({ data: new Uint8Array(jpeg.length * 4), width: jpeg.length, height: 1 }),
    });
  }

  send(message: Uint8Array | string): void {
    this.told.push(JSON.parse(String(message)));
  }

  readonly sendText = (message: Uint8Array, onSent?: () => void): void => {
    this.send(Buffer.from(message).toString());
    onSent?.();
  };

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  destroy(): void {
    this.lose();
  }

  /** The connection breaks without a word. */
  lose(code = 1006): void {
    this.connection.closed(code);
  }

  /** Sends events; what they cause at once has been told when it resolves. */
  async say(...events: object[]): Promise<void> {
    for (const event of events) this.connection.receive(JSON.stringify(event));
    await settled();
  }

  /** One micro-turn of the user's sound, and the time that it takes. @param amplitude - of a square wave */
  async turns(count: number, amplitude = 0): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.say({ type: "input_audio_buffer.append", audio: pcm(4800, amplitude) });
      await this.#bench.clock.advance(200);
    }
  }

  types(from = 0): string[] {
    return this.told.slice(from).map(({ type }) => type);
  }

  of(type: string): Told[] {
    return this.told.filter((one) => one.type === type);
  }

  last(type: string): Told {
    const found = this.of(type).at(-1);
    if (found === undefined) throw new Error(`${type} was not told, but ${this.types().join(", ")}`);
    return found;
  }
}

export class RealtimeBench {
  readonly clock = new FakeClock();
  readonly engine: ScriptedEngine;
  readonly sessions: RealtimeSessions = new Map();
  readonly context: ServerContext;

  constructor(options: ScriptedEngineOptions = {}, limits: Partial<ServerLimits> = {}) {
    this.engine = scriptedEngine({ ...options, clock: this.clock });
    this.context = {
      ...{ engine: this.engine, log: silentLogger, metrics: new Metrics(), limits: { ...defaultLimits, ...limits } },
      admission: new Admission({ maxSessions: 2, turnDurationMs: 200, maxSlowShare: 1 }),
    };
  }

  /** A client whose session is open. */
  async connect(query = ""): Promise<BenchClient> {
    const client = new BenchClient(this, query);
    for (let i = 0; i < 20 && client.told.length === 0; i++) await settled();
    return client;
  }
}

/** Samples of a square wave, as base64 of 16-bit PCM. */
export function pcm(samples: number, amplitude: number): string {
  const wave = Int16Array.from({ length: samples }, (_, i) => (i % 100 < 50 ? 1 : -1) * Math.round(32_767 * amplitude));
  return Buffer.from(wave.buffer).toString("base64");
}
