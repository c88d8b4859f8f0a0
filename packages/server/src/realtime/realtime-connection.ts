// One connection of the JSON wire: it opens a session at once, or (with ?autostart=0) by what the client says first. What comes
// while the session opens waits for it, because clients set up their session as soon as the socket is open.

import { type Clock, DuplexError, DuplexSession, systemClock } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import type { Principal } from "../access/access.js";
import { errorFields } from "../log.js";
import { closeCodes, type ServedConnection, type ServerContext } from "../sessions/server-context.js";
import { speechQuality } from "./audio-format.js";
import { readEvent } from "./fields.js";
import { asRealtimeError, errorEnvelope, RealtimeError } from "./realtime-error.js";
import { internalError, RealtimeSession, readResume, tooLarge } from "./realtime-session.js";
import { SessionSettings } from "./session-settings.js";
import { nameOf } from "./tell.js";

/** Sessions by their ids, connected or not. */
export type RealtimeSessions = Map<string, RealtimeSession>;

/** A client that asked to begin by itself has so long for it, ms. */
const firstEventMs = 10_000;
/** What may wait while a session opens. */
const maxWaitingMessages = 256;
const openTimeoutMs = 30_000;
/** Sound that is held for a session at most, ms, whatever `maxAheadMs` says: it costs memory. */
const mostAheadMs = 60_000;

export interface RealtimeConnectionOptions {
  readonly context: ServerContext;
  readonly principal: Principal;
  readonly sessions: RealtimeSessions;
  readonly decodeImage: DecodeImage;
  /** The query of the address: `model`, `autostart`. */
  readonly query: URLSearchParams;
  readonly clock?: Clock;
}

export class RealtimeConnection {
  readonly #connection: ServedConnection;
  readonly #options: RealtimeConnectionOptions;
  readonly #clock: Clock;
  #session: RealtimeSession | undefined;
  #waiting: (Uint8Array | string)[] = [];
  #waitingBytes = 0;
  #opening = false;
  #over = false;
  #cancelFirst: () => void = () => {};

  constructor(connection: ServedConnection, options: RealtimeConnectionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    if (options.query.get("autostart") === "0") {
      this.#cancelFirst = this.#clock.setTimer(
        () => this.#refuse(new RealtimeError("config_timeout", "Expected session.resume or session.update."), null),
        this.#clock.now() + firstEventMs,
      );
    } else this.#open();
  }

  receive(data: Uint8Array | string): void {
    if (this.#over) return;
    if (this.#session !== undefined) {
      this.#session.receive(this.#connection, data);
      return;
    }
    const { maxMessageBytes } = this.#options.context.limits;
    if (this.#opening) {
      this.#waitingBytes += data.length;
      if (this.#waiting.length >= maxWaitingMessages || this.#waitingBytes > 2 * maxMessageBytes) {
        this.#refuse(new RealtimeError("input_backpressure", "Too much came before session.created."), null);
        return;
      }
      this.#waiting.push(data);
      return;
    }
    this.#first(data);
  }

  /** Number of the last event that was told. */
  get lastTold(): number {
    return this.#session?.lastTold ?? 0;
  }

  /** The other end has what was told up to an event: so it says itself. */
  arrived(sequence: number): void {
    this.#session?.arrived(this.#connection, sequence);
  }

  /** The socket has closed. @param code - as the client gave it; 1006 if it gave none */
  closed(code: number): void {
    this.#cancelFirst();
    if (this.#over) return;
    this.#over = true;
    // Clients of OpenAI say no other goodbye than to close properly.
    this.#session?.disconnect(this.#connection, code === 1000 || code === 1001 || code === 1005);
  }

  /** The first event of a client that begins by itself. */
  #first(data: Uint8Array | string): void {
    let eventId: string | null = null;
    try {
      const { maxMessageBytes } = this.#options.context.limits;
      if (typeof data !== "string") throw new RealtimeError("invalid_event", "Expected text messages.");
      if (data.length > maxMessageBytes) throw tooLarge(maxMessageBytes);
      const event = readEvent(data);
      if (typeof event.event_id === "string") eventId = event.event_id.slice(0, 512);
      if (event.type === "session.resume") this.#resume(readResume(event));
      else if (event.type === "session.update") {
        this.#waiting.push(data);
        this.#open();
      } else throw new RealtimeError("invalid_event", "Expected session.resume or session.update first.");
    } catch (error) {
      this.#refuse(error, eventId);
    }
  }

  #resume(request: ReturnType<typeof readResume>): void {
    const session = this.#options.sessions.get(request.sessionId);
    if (session === undefined) {
      this.#tell("session.expired", { session_id: request.sessionId.slice(0, 64), reason: "disconnect_grace_expired" });
      this.#close(closeCodes.normal, "the session has ended");
      return;
    }
    if (!session.accepts(request)) {
      throw new RealtimeError(
        "session_resume_expired",
        "The token is not the one that was given last; open another session.",
        {
          param: "resume_token",
        },
      );
    }
    // What is gone is told; then the client may ask for less.
    if (!session.resume(this.#connection, request)) return;
    this.#cancelFirst();
    this.#session = session;
  }

  #open(): void {
    this.#cancelFirst();
    this.#opening = true;
    void this.#openSession().catch((error) => this.#refuse(error, null));
  }

  async #openSession(): Promise<void> {
    const { context, principal, sessions, decodeImage, query } = this.#options;
    const { admission, engine, metrics, log, limits } = context;
    const clock = this.#clock;
    const leave = admission.enter(principal, performance.now());
    try {
      const maxAheadMs = Math.min(mostAheadMs, limits.maxAheadMs);
      const duplex = await DuplexSession.open({
        ...{ engine, clock, openTimeoutMs, resampler: speechQuality },
        maxQueuedMs: Math.max(1000, maxAheadMs + 1000),
      });
      if (this.#over) {
        leave();
        await duplex.close();
        return;
      }
      const id = nameOf("sess");
      const { identity } = duplex.capabilities;
      const settings = new SessionSettings(
        id,
        identity?.model ?? "unknown",
        query.get("model")?.slice(0, 100) || undefined,
      );
      const { subject } = principal;
      const session = new RealtimeSession({
        ...{ id, duplex, settings, context, clock, maxAheadMs, decodeImage, subject },
        onEnd: () => void sessions.delete(id),
        onClosed: leave,
      });
      sessions.set(id, session);
      metrics.opened.inc({ wire: "realtime" });
      log.info({ session: id, subject, wire: "realtime" }, "session opened");
      this.#session = session;
      session.start(this.#connection);
      for (const data of this.#waiting.splice(0)) session.receive(this.#connection, data);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Ends a connection that has no session, with a word about why. */
  #refuse(error: unknown, eventId: string | null): void {
    if (this.#over || this.#session !== undefined) return;
    const { context, principal } = this.#options;
    const { metrics, log } = context;
    const known = asRealtimeError(error);
    if (DuplexError.is(error, "SERVER_BUSY")) {
      const reason = String(error.details.reason ?? "busy");
      metrics.refused.inc({ reason });
      log.warn({ subject: principal.subject, reason }, "session refused");
    } else if (known === undefined) log.error({ ...errorFields(error) }, "a session could not be opened");
    else metrics.violations.inc({ wire: "realtime" });
    const told = known ?? internalError();
    this.#tell("error", { error: errorEnvelope(told, eventId) });
    const busy = told.facts.type === "rate_limit_error";
    this.#close(
      busy ? closeCodes.tryAgainLater : known === undefined ? closeCodes.internal : closeCodes.violation,
      told.code,
    );
  }

  #tell(type: string, fields: object): void {
    this.#connection.send(JSON.stringify({ type, event_id: "event_0", ...fields }));
  }

  #close(code: number, reason: string): void {
    this.#over = true;
    this.#cancelFirst();
    this.#waiting = [];
    this.#connection.close(code, reason);
  }
}
