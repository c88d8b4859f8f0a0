// What a connection of the server needs, without a socket or a model: for decoders that live in a connection.

import { decodeServerMessage } from "@microturn/core/protocol";
import { FakeClock, type Script, type ScriptedEngine, scriptedEngine, settled } from "@microturn/core/testing";
import { Admission } from "../../../packages/server/src/admission/admission.js";
import type { Logger } from "../../../packages/server/src/log.js";
import { Metrics } from "../../../packages/server/src/metrics.js";
import {
  defaultLimits,
  type ServedConnection,
  type ServerContext,
} from "../../../packages/server/src/sessions/server-context.js";
import type { Random } from "./fuzz-target.js";

const maxSessions = 100;

/** One for all: it only counts. */
const metrics = new Metrics();

/** Speaks, yields, hears and hands over by chance. */
function lively(random: Random): Script {
  return (_, memory) => {
    const speaking = memory.speaking === true;
    const next = random() < 0.8 ? speaking : !speaking;
    memory.speaking = next;
    return {
      ...(next ? { decision: "speak" as const, speech: 0.1, text: random() < 0.5 ? "word" : "" } : {}),
      ...(speaking && !next && random() < 0.5 ? { yielded: true } : {}),
      ...(random() < 0.2 ? { heard: "yes" } : {}),
      ...(random() < 0.05 ? { delegation: { task: "look", id: `d${Math.floor(random() * 9)}` } } : {}),
    };
  };
}

export class FuzzedServer {
  readonly clock = new FakeClock();
  readonly context: ServerContext;
  readonly #engine: ScriptedEngine;
  #unforeseen: unknown;
  #told: string | undefined;
  #closed = false;
  /** Takes what the newest connection is told, where it is text. */
  onText: (text: string) => void = () => {};

  /** @param random - for what the model does */
  constructor(random: Random) {
    this.#engine = scriptedEngine({
      ...{ script: lively(random), clock: this.clock, keepSteps: false, capabilities: { maxSessions } },
    });
    const log: Logger = {
      info() {},
      warn() {},
      // What the server did not expect is told here, and to its client as no more than "failed".
      error: (fields, message) => {
        this.#unforeseen ??= new Error(`${message}: ${JSON.stringify(fields)}`);
      },
    };
    this.context = {
      ...{ engine: this.#engine, log, metrics },
      // Steps at once: real time is not what is looked at.
      limits: { ...defaultLimits, maxAheadMs: 1e9, maxMessagesPerSecond: 1e9 },
      admission: new Admission({ maxSessions, turnDurationMs: 200, maxSlowShare: 1 }),
    };
  }

  /** Whether the server has ended the newest connection. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A new connection of a client. */
  accept(): ServedConnection {
    this.#closed = false;
    return {
      queuedBytes: 0,
      send: (message) => {
        if (typeof message === "string") this.onText(message);
        else this.#hear(message);
      },
      sendText: (message: Uint8Array, onSent?: () => void) => {
        this.onText(Buffer.from(message).toString("utf8"));
        onSent?.();
      },
      close: (code) => {
        this.#closed = true;
        this.#told ??= `closed ${code}`;
      },
      destroy: () => {
        this.#closed = true;
        this.#told ??= "destroyed";
      },
    };
  }

  /** What came of a message, by what the client is told. @throws what the server did not foresee */
  outcome(receive: () => void): string {
    this.#told = undefined;
    const closed = this.#closed;
    receive();
    this.#check();
    return this.#told ?? (closed ? "after the end" : "accepted");
  }

  /** The client is told of an error. */
  tell(code: string): void {
    this.#told = code;
  }

  /** Something came that must not: the next check throws it. */
  complain(problem: string): void {
    this.#unforeseen ??= new Error(problem);
  }

  /** Lets the work that has been begun come to its end. */
  async settle(): Promise<void> {
    await settled();
    this.#check();
  }

  /** @throws if something of a session is left */
  requireEmpty(): void {
    const left = {
      sessions: this.#engine.openSessions,
      places: this.context.admission.open,
      timers: this.clock.pending,
    };
    if (Object.values(left).some((count) => count > 0)) throw new Error(`left open: ${JSON.stringify(left)}`);
  }

  #hear(message: Uint8Array): void {
    const told = decodeServerMessage(message);
    if (told.kind === "failure" || told.kind === "refused") this.#told = told.code;
  }

  #check(): void {
    const error = this.#unforeseen;
    this.#unforeseen = undefined;
    if (error !== undefined) throw error;
  }
}
