// The codec of one session on our own server: hello and welcome, steps and outputs, and going on after a lost connection.
// A step is kept until its output has come; after a loss, what the server has not got is sent again, and what it has is not.

import {
  DuplexError,
  type DuplexErrorCode,
  type EngineCapabilities,
  type TurnInput,
  type TurnOutput,
} from "@microturn/core";
import {
  decodeServerMessage,
  MessageEncoder,
  protocolName,
  protocolVersion,
  type SpeechCoding,
} from "@microturn/core/protocol";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, WireEvents } from "../wire.js";

/** How a session is opened. */
export interface MicroTurnWireOptions {
  readonly address: string;
  readonly apiKey: string | undefined;
  readonly token: (() => string | Promise<string>) | undefined;
  readonly seed: number;
  readonly temperature: number;
  readonly speech: SpeechCoding;
}

/** A step that has no answer yet. */
interface OpenStep {
  readonly sequence: number;
  readonly message: Uint8Array;
  readonly resolve: (output: TurnOutput) => void;
  readonly reject: (error: DuplexError) => void;
}

const encoder = new MessageEncoder();

export class MicroTurnWire {
  readonly #options: MicroTurnWireOptions;
  #events: WireEvents | undefined;
  #welcomed = false;
  #session: { readonly id: string; token: string } | undefined;
  #capabilities: EngineCapabilities | undefined;
  #lastAnswer = -1;
  #sequence = 0;
  #received = 0;
  #steps: OpenStep[] = [];

  constructor(options: MicroTurnWireOptions) {
    this.#options = options;
  }

  /** What the engine of the server can do; after the first welcome. */
  get capabilities(): EngineCapabilities | undefined {
    return this.#capabilities;
  }

  /** Steps without an answer. */
  get openSteps(): number {
    return this.#steps.length;
  }

  async request(): Promise<SocketRequest> {
    const { address, apiKey, token } = this.#options;
    const shown = token === undefined ? undefined : await token();
    if (shown !== undefined && !isSubProtocol(shown)) {
      // What the platform says of it would quote it.
      throw new DuplexError(
        "ACCESS_DENIED",
        "microturnEngine: expected token to give the token alone, got something with other characters, or nothing; check what its server answers, such as JSON around it",
      );
    }
    return {
      url: address,
      protocols: [protocolName, ...(shown === undefined ? [] : [`microturn-token.${shown}`])],
      ...(apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } }),
    };
  }

  opened(events: WireEvents): void {
    this.#events = events;
    this.#welcomed = false;
    const { seed, temperature, speech } = this.#options;
    const session = this.#session;
    events.send(
      encoder.client({
        ...{ kind: "hello", version: protocolVersion, seed, temperature, speech },
        ...(session === undefined
          ? {}
          : { resume: { session: session.id, token: session.token, lastAnswer: this.#lastAnswer } }),
      }),
    );
  }

  /** Sends a step, now or when there is a connection again. */
  step(input: TurnInput): Promise<TurnOutput> {
    const sequence = this.#sequence++;
    const message = encoder.client({ kind: "step", sequence, input });
    return new Promise((resolve, reject) => {
      this.#steps.push({ sequence, message, resolve, reject });
      if (this.#welcomed) this.#events?.send(message);
    });
  }

  /** Asks for a sign of life. */
  ping(): void {
    if (this.#welcomed) this.#events?.send(encoder.client({ kind: "ping", id: this.#received % 2 ** 32 }));
  }

  /** Messages that have come. */
  get received(): number {
    return this.#received;
  }

  receive(data: SocketMessage): void {
    this.#received++;
    if (typeof data === "string") {
      throw new DuplexError(
        "PROTOCOL_VIOLATION",
        "micro-turn wire: expected binary messages, got text; check the address",
      );
    }
    const message = decodeServerMessage(data);
    switch (message.kind) {
      case "welcome": {
        this.#session = { id: message.session, token: message.token };
        this.#capabilities ??= message.capabilities;
        this.#welcomed = true;
        const { lastStep = -1 } = message;
        for (const step of this.#steps) if (step.sequence > lastStep) this.#events?.send(step.message);
        this.#events?.ready();
        return;
      }
      case "output": {
        this.#take(message.sequence)?.resolve(message.output);
        return;
      }
      case "refused": {
        this.#take(message.sequence)?.reject(new DuplexError(knownCode(message.code), message.message));
        return;
      }
      case "failure": {
        const { code, message: text, retryAfterMs } = message;
        const details = retryAfterMs === undefined ? {} : { details: { retryAfterMs } };
        this.#events?.fail(new DuplexError(knownCode(code), `server: ${text}`, details), false);
        return;
      }
      case "draining":
        this.#events?.note({ type: "draining", leftMs: message.leftMs });
        return;
      case "pong":
        return;
    }
  }

  /** Every step that waits gets the error. */
  failAll(error: DuplexError): void {
    for (const { reject } of this.#steps.splice(0)) reject(error);
  }

  closed(end: SocketEnd): CloseVerdict {
    this.#welcomed = false;
    return { error: errorOfEnd(end), retry: mayRetry(end) };
  }

  goodbye(): void {
    this.#events?.send(encoder.client({ kind: "close" }));
  }

  #take(sequence: number): OpenStep | undefined {
    this.#lastAnswer = Math.max(this.#lastAnswer, sequence);
    const at = this.#steps.findIndex((step) => step.sequence === sequence);
    return at === -1 ? undefined : this.#steps.splice(at, 1)[0];
  }
}

const knownCodes: readonly DuplexErrorCode[] = [
  ...(["SHAPE_MISMATCH", "AUDIO_INVALID", "IMAGE_INVALID", "UNSUPPORTED", "BACKEND_FAILED", "SESSION_CLOSED"] as const),
  ...(["PROTOCOL_VIOLATION", "ACCESS_DENIED", "SERVER_BUSY", "NETWORK_FAILED"] as const),
];

/** A server of another version may have codes that are not known here. */
function knownCode(code: DuplexErrorCode): DuplexErrorCode {
  return knownCodes.includes(code) ? code : "NETWORK_FAILED";
}

function mayRetry({ status, code }: SocketEnd): boolean {
  if (status !== undefined && status >= 400 && status < 500 && status !== 429) return false;
  // Replaced by another connection, or thrown out for what was sent.
  return code !== 4001 && code !== 1008 && code !== 1009;
}

function errorOfEnd({ code, reason, status, body = "", retryAfterS, cause }: SocketEnd): DuplexError {
  const options = { cause, details: { closeCode: code, ...(status === undefined ? {} : { status }) } };
  if (status === 401 || status === 403) {
    return new DuplexError(
      "ACCESS_DENIED",
      `server: ${problemOf(body) ?? "the key or token is not accepted"}`,
      options,
    );
  }
  if (status === 503 || status === 429 || code === 1013) {
    const retryAfterMs = 1000 * (retryAfterS ?? 5);
    const text = problemOf(body) ?? "it has no room now";
    return new DuplexError("SERVER_BUSY", `server: ${text}; try again in ${retryAfterMs} ms`, {
      ...options,
      details: { ...options.details, retryAfterMs },
    });
  }
  if (status === 404) {
    return new DuplexError(
      "UNSUPPORTED",
      "server: there is no Microturn server at this address; check url and path",
      options,
    );
  }
  if (code === 1008 || code === 1009) {
    return new DuplexError(
      "PROTOCOL_VIOLATION",
      `server: it has closed the connection for what was sent (${reason === "" ? `close code ${code}` : reason}); send less at once`,
      options,
    );
  }
  const why =
    status !== undefined ? `it answered with status ${status}` : reason === "" ? `close code ${code}` : reason;
  return new DuplexError(
    "NETWORK_FAILED",
    `server: the connection was lost or never came about (${why}); check that it runs and can be reached`,
    options,
  );
}

/** Whether a text can travel as a sub-protocol. */
function isSubProtocol(text: unknown): boolean {
  return typeof text === "string" && /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/.test(text);
}

function problemOf(body: string): string | undefined {
  try {
    const message: unknown = JSON.parse(body).error.message;
    return typeof message === "string" ? message.slice(0, 500) : undefined;
  } catch {
    return undefined;
  }
}
