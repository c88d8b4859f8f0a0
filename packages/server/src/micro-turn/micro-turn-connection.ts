// One connection of the micro-turn wire: hello, then steps. The session is `HeldSession`'s; this is the state of the socket.

import { DuplexError } from "@microturn/core";
import {
  type ClientMessage,
  type DecodeImage,
  decodeClientMessage,
  type HelloMessage,
  MessageEncoder,
} from "@microturn/core/protocol";
import type { Principal } from "../access/access.js";
import { errorFields } from "../log.js";
import { closeCodes, type ServedConnection, type ServerContext } from "../sessions/server-context.js";
import { HeldSession, violation } from "./held-session.js";

const encoder = new MessageEncoder();

/** A client has so long for its hello, ms. */
const helloMs = 10_000;

/** Sessions by their ids, connected or not. */
export type HeldSessions = Map<string, HeldSession>;

export class MicroTurnConnection {
  readonly #connection: ServedConnection;
  readonly #context: ServerContext;
  readonly #principal: Principal;
  readonly #sessions: HeldSessions;
  readonly #decodeImage: DecodeImage | undefined;
  readonly #patience: ReturnType<typeof setTimeout>;
  #session: HeldSession | undefined;
  #opening = false;
  #over = false;

  constructor(
    connection: ServedConnection,
    options: {
      readonly context: ServerContext;
      readonly principal: Principal;
      readonly sessions: HeldSessions;
      readonly decodeImage: DecodeImage | undefined;
    },
  ) {
    this.#connection = connection;
    this.#context = options.context;
    this.#principal = options.principal;
    this.#sessions = options.sessions;
    this.#decodeImage = options.decodeImage;
    this.#patience = setTimeout(
      () => this.#refuse(violation(`expected a hello within ${helloMs / 1000} s`)),
      helloMs,
    ).unref();
  }

  receive(data: Uint8Array | string): void {
    if (this.#over) return;
    const session = this.#session;
    if (session !== undefined && !session.isServedBy(this.#connection)) return;
    const decodeImage = this.#decodeImage;
    try {
      if (typeof data === "string") throw violation("expected binary messages, got text");
      const message = decodeClientMessage(data, {
        ...(session === undefined ? {} : { turnSamples: samplesOf(session) }),
        ...(session === undefined || decodeImage === undefined
          ? {}
          : { decodeImage: (image) => session.decodeImage(image, decodeImage) }),
      });
      this.#take(message);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /**
   * The socket has closed.
   *
   * @param code - of the close; a page that goes away (1001) does not come back to its session; default 1006, a lost connection
   */
  closed(code = 1006): void {
    clearTimeout(this.#patience);
    if (this.#over) return;
    this.#over = true;
    if (code === closeCodes.goingAway && this.#session?.isServedBy(this.#connection)) this.#session.end("closed");
    else this.#session?.disconnect(this.#connection);
  }

  #take(message: ClientMessage): void {
    switch (message.kind) {
      case "hello":
        if (this.#opening || this.#session !== undefined) throw violation("expected one hello");
        this.#opening = true;
        clearTimeout(this.#patience);
        void this.#hello(message).catch((error) => this.#refuse(error));
        return;
      case "ping":
        // One who reads nothing gets nothing more to read.
        if (this.#connection.queuedBytes > this.#context.limits.maxQueuedBytes) this.#connection.destroy();
        else this.#connection.send(encoder.server({ kind: "pong", id: message.id }));
        return;
      case "step":
        this.#opened("a step").step(message);
        return;
      case "close": {
        const session = this.#opened("a close");
        this.#over = true;
        session.end("closed");
      }
    }
  }

  #opened(what: string): HeldSession {
    if (this.#session === undefined) throw violation(`expected ${what} after the welcome only`);
    return this.#session;
  }

  async #hello(hello: HelloMessage): Promise<void> {
    if (hello.resume !== undefined) {
      const { session: id, token, lastAnswer } = hello.resume;
      const session = this.#sessions.get(id);
      if (session === undefined) {
        throw new DuplexError(
          "SESSION_CLOSED",
          "the session has ended, or was without a connection for too long; open another",
        );
      }
      if (!session.accepts(token))
        throw new DuplexError("ACCESS_DENIED", "the token for going on is not that of the session");
      if (session.hasForgotten(lastAnswer)) {
        throw new DuplexError(
          "SESSION_CLOSED",
          `the answers after step ${lastAnswer} are not kept any more; open another session`,
        );
      }
      this.#session = session;
      session.connect(this.#connection, { token, lastAnswer });
      return;
    }
    const { admission, engine, metrics, log } = this.#context;
    const leave = admission.enter(this.#principal, performance.now());
    try {
      const { seed, temperature } = hello;
      const opened = await engine.open({ seed, temperature });
      if (this.#over) {
        await opened.close();
        leave();
        return;
      }
      const { subject } = this.#principal;
      const session = new HeldSession({
        ...{ engine: opened, context: this.#context, speech: hello.speech, subject },
        onEnd: () => this.#sessions.delete(session.id),
        onFree: leave,
      });
      this.#session = session;
      this.#sessions.set(session.id, session);
      metrics.opened.inc({ wire: "micro-turn" });
      log.info({ session: session.id, subject, wire: "micro-turn" }, "session opened");
      session.connect(this.#connection);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends the connection with a word about why; one that had a session ends it when it broke the protocol. */
  #refuse(error: unknown): void {
    if (this.#over) return;
    const { metrics, log } = this.#context;
    const known = DuplexError.is(error);
    if (!known) log.error({ ...errorFields(error) }, "a message could not be handled");
    const { code, message, details } = known
      ? error
      : new DuplexError("BACKEND_FAILED", "the server failed on this message; open another session");
    if (code === "PROTOCOL_VIOLATION") metrics.violations.inc({ wire: "micro-turn" });
    if (code === "SERVER_BUSY") {
      const reason = String(details.reason ?? "busy");
      metrics.refused.inc({ reason });
      log.warn({ subject: this.#principal.subject, reason }, "session refused");
    }
    if (this.#session !== undefined) {
      this.#over = true;
      this.#session.fail(new DuplexError(code, message), code === "PROTOCOL_VIOLATION" ? "violation" : "failed");
      return;
    }
    this.#over = true;
    clearTimeout(this.#patience);
    const { retryAfterMs } = details;
    this.#connection.send(
      encoder.server({
        ...{ kind: "failure", code, message },
        ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      }),
    );
    this.#connection.close(code === "SERVER_BUSY" ? closeCodes.tryAgainLater : closeCodes.violation, code);
  }
}

function samplesOf({ capabilities }: HeldSession): number {
  return Math.round((capabilities.inputSampleRate * capabilities.turnDurationMs) / 1000);
}
