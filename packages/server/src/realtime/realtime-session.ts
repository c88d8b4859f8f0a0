// A session of the JSON wire: a conversation that outlives its connections. Its events are numbered and kept until they cannot
// be missed any more; a client that comes back is told how much of its sound has arrived, and gets what it has missed.

import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock, DuplexError, DuplexSession, TurnRecord } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import { errorFields } from "../log.js";
import type { EndReason } from "../micro-turn/held-session.js";
import { closeCodes, type ServedConnection, type ServerContext } from "../sessions/server-context.js";
import { EventJournal } from "./event-journal.js";
import { countAt, type Fields, missing, readEvent } from "./fields.js";
import { MessageBuffers } from "./message-buffers.js";
import { RealtimeConversation } from "./realtime-conversation.js";
import { asRealtimeError, errorEnvelope, RealtimeError } from "./realtime-error.js";
import type { SessionSettings } from "./session-settings.js";
import { type EventBytes, messageLength, nameOf, type Tell } from "./tell.js";

/** Events that are kept for a client that comes back: about the sound of three quarters of a minute. */
const journalBounds = { maxBytes: 2.25 * 1024 * 1024, maxEvents: 8192 };

const buffers = new MessageBuffers();

export interface RealtimeSessionOptions {
  readonly id: string;
  readonly duplex: DuplexSession;
  readonly settings: SessionSettings;
  readonly context: ServerContext;
  readonly clock: Clock;
  readonly maxAheadMs: number;
  readonly decodeImage: DecodeImage;
  readonly subject: string;
  /** It cannot be found any more. */
  readonly onEnd: () => void;
  /** The engine has let go of it: gives its place back. */
  readonly onClosed: () => void;
}

/** What a client tells of itself when it comes back. */
export interface ResumeRequest {
  /** Undefined: whichever it is. */
  readonly incarnation: string | undefined;
  readonly token: string;
  readonly lastReceived: number;
}

export class RealtimeSession {
  readonly id: string;
  readonly incarnation = nameOf("inc");
  readonly #duplex: DuplexSession;
  readonly #settings: SessionSettings;
  readonly #context: ServerContext;
  readonly #clock: Clock;
  readonly #subject: string;
  readonly #onEnd: () => void;
  readonly #onClosed: () => void;
  readonly #conversation: RealtimeConversation;
  readonly #journal: EventJournal;
  readonly #startedMs: number;
  readonly #expiresAt: number;
  readonly #cancelAge: () => void;
  #cancelGrace: () => void = () => {};
  #cancelTick: () => void = () => {};
  #connection: ServedConnection | undefined;
  #attachments = 0;
  /** The one that the client was given last; before that one, until the client has shown that it has the new one, the one it came with. */
  #tokens: readonly Buffer[] = [];
  /** Bytes of a replay that the new connection may still have to take. */
  #replaying = 0;
  #lastEventMs: number;
  #steps = 0;
  #ended = false;

  constructor(options: RealtimeSessionOptions) {
    const { id, duplex, settings, context, clock, maxAheadMs, decodeImage, subject } = options;
    this.id = id;
    this.#duplex = duplex;
    this.#settings = settings;
    this.#context = context;
    this.#clock = clock;
    this.#subject = subject;
    this.#onEnd = options.onEnd;
    this.#onClosed = options.onClosed;
    const { graceMs, idleTimeoutMs, maxSessionMs } = context.limits;
    // A half-open connection is noticed after the idle time; then the grace time begins.
    this.#journal = new EventJournal({
      ...{ ...journalBounds, maxAgeMs: graceMs + 2 * idleTimeoutMs, maxArrivedAgeMs: graceMs },
    });
    this.#startedMs = clock.now();
    this.#lastEventMs = this.#startedMs;
    this.#expiresAt = Math.floor((Date.now() + maxSessionMs) / 1000);
    const tell: Tell = (type, fields, delta) => this.#tell(type, fields, delta);
    this.#conversation = new RealtimeConversation({
      ...{ duplex, settings, tell, clock, maxAheadMs, decodeImage },
      onFailure: (error) => this.#failed(error),
    });
    duplex.on("turn-end", ({ turn }) => this.#measure(turn));
    duplex.on("error", ({ error }) => this.#failed(error));
    this.#cancelAge = clock.setTimer(() => {
      const minutes = Math.round(maxSessionMs / 60_000);
      const message = `Your session hit the maximum duration of ${minutes} minutes.`;
      this.#stop(new RealtimeError("session_expired", message), "expired");
    }, this.#startedMs + maxSessionMs);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Sound that waits for its micro-turn, ms. */
  get queuedMs(): number {
    return this.#duplex.queuedMs;
  }

  /** The first connection: the client is told what it has. */
  start(connection: ServedConnection): void {
    const token = this.#attach(connection);
    this.#tokens = [Buffer.from(token)];
    this.#tell("session.created", { ...this.#attachment(token), session: this.#shown() });
  }

  /** Whether a token is one with which the session goes on. */
  accepts({ incarnation, token }: ResumeRequest): boolean {
    const given = Buffer.from(token);
    const right = this.#tokens.some((one) => one.length === given.length && timingSafeEqual(one, given));
    return right && (incarnation ?? this.incarnation) === this.incarnation;
  }

  /**
   * Another connection: what the client has missed is sent again, in order. The old connection is told, and ends.
   *
   * @returns false if what it has missed is gone; the session then waits on
   */
  resume(connection: ServedConnection, { token, lastReceived }: ResumeRequest): boolean {
    const missed = this.#journal.after(lastReceived);
    if (missed === undefined) {
      const reason = lastReceived > this.#journal.last ? "journal_gap" : "journal_overflow";
      connection.send(
        JSON.stringify({
          ...{ type: "session.resync_required", event_id: `event_resync_${this.#attachments}`, session_id: this.id },
          ...{ reason, first_server_event_seq: this.#journal.first, last_server_event_seq: this.#journal.last },
        }),
      );
      return false;
    }
    const before = this.#connection;
    if (before !== undefined) {
      this.#connection = undefined;
      before.send(JSON.stringify({ type: "session.replaced", event_id: "event_replaced", session_id: this.id }));
      before.close(closeCodes.replaced, "another connection has taken up the session");
    }
    const next = this.#attach(connection);
    // What was sent may be lost again: the one that it came with stays good until it is heard of.
    this.#tokens = [Buffer.from(token), Buffer.from(next)];
    this.#journal.acknowledge(lastReceived);
    const { appends, bytes, ms } = this.#conversation.input.received;
    connection.send(
      JSON.stringify({
        ...{ type: "session.resumed", event_id: `event_resumed_${this.#attachments}`, server_event_seq: lastReceived },
        ...this.#attachment(next),
        input_audio: { received_appends: appends, received_bytes: bytes, received_ms: ms },
        ...{ replayed_events: missed.length, session: this.#shown() },
      }),
    );
    for (const event of missed) {
      this.#replaying += messageLength(event);
      buffers.send(event, connection.sendText);
    }
    this.#context.metrics.resumed.inc();
    return true;
  }

  /** Number of the last event that was told. */
  get lastTold(): number {
    return this.#journal.last;
  }

  /** The other end of a connection has what was told up to an event; a client that comes back may still ask for it, for a while. */
  arrived(connection: ServedConnection, sequence: number): void {
    if (connection === this.#connection && sequence <= this.#journal.last) this.#journal.arrived(sequence);
  }

  /** The connection is gone; the session waits for another, unless the client has said goodbye. */
  disconnect(connection: ServedConnection, goodbye: boolean): void {
    if (this.#connection !== connection || this.#ended) return;
    this.#connection = undefined;
    this.#cancelTick();
    if (goodbye) {
      this.end("closed");
      return;
    }
    this.#context.metrics.connectionsLost.inc();
    this.#cancelGrace = this.#clock.setTimer(() => this.end("lost"), this.#clock.now() + this.#context.limits.graceMs);
  }

  /** A message of the client. A connection that was replaced has no say any more. */
  receive(connection: ServedConnection, data: Uint8Array | string): void {
    if (this.#ended || connection !== this.#connection) return;
    this.#lastEventMs = this.#clock.now();
    if (this.#tokens.length > 1) this.#tokens = this.#tokens.slice(-1);
    let eventId: string | null = null;
    try {
      if (typeof data !== "string")
        throw new RealtimeError("invalid_event", "Expected text messages, got a binary one.");
      if (data.length > this.#context.limits.maxMessageBytes) throw tooLarge(this.#context.limits.maxMessageBytes);
      const event = readEvent(data);
      if (typeof event.event_id === "string") eventId = event.event_id.slice(0, 512);
      if (event.type === undefined) throw new RealtimeError("invalid_event", "The 'type' field is missing.");
      if (typeof event.type !== "string")
        throw new RealtimeError("invalid_event", "The 'type' field must be a string.");
      this.#take(event.type, event);
    } catch (error) {
      this.#refuse(error, eventId);
    }
  }

  /** Ends the session for a reason that the client is told. */
  fail(error: DuplexError, reason: EndReason): void {
    if (reason === "drained") this.#stop(undefined, reason);
    else this.#stop(asRealtimeError(error) ?? engineError(), reason);
  }

  /** Tells the client that the server is about to stop. */
  announceDrain(leftMs: number): void {
    if (!this.#ended) this.#tell("session.draining", { left_ms: Math.max(0, Math.round(leftMs)) });
  }

  end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelAge();
    this.#cancelGrace();
    this.#cancelTick();
    this.#journal.clear();
    const { metrics, log } = this.#context;
    metrics.ended.inc({ reason });
    const seconds = Math.round((this.#clock.now() - this.#startedMs) / 100) / 10;
    log.info({ session: this.id, subject: this.#subject, reason, seconds, steps: this.#steps }, "session ended");
    this.#connection?.close(codeOfEnd(reason), reason);
    this.#connection = undefined;
    this.#onEnd();
    void this.#duplex.close().then(this.#onClosed);
  }

  #take(type: string, event: Fields): void {
    if (this.#conversation.handles(type)) {
      this.#conversation.receive(type, event);
      return;
    }
    switch (type) {
      case "session.heartbeat":
        this.#tell("session.heartbeat_ack", {
          ...{ time_ms: Math.round(this.#duplex.timeMs), epoch: this.#conversation.epoch },
          received_audio_ms: this.#conversation.input.received.ms,
        });
        return;
      case "session.event_ack": {
        const sequence = countAt(event, "server_event_seq");
        if (sequence > this.#journal.last) {
          throw new RealtimeError("invalid_value", `No event has the number ${sequence}.`, {
            param: "server_event_seq",
          });
        }
        this.#journal.acknowledge(sequence);
        return;
      }
      case "session.close":
        this.#tell("session.closed", { session_id: this.id, reason: "close_requested" });
        this.end("closed");
        return;
      case "session.resume":
        throw new RealtimeError("invalid_event", "The session is open; resume on a new connection with ?autostart=0.");
      default:
        throw new RealtimeError("unknown_event", `Unknown event type: '${type.slice(0, 100)}'.`, { param: "type" });
    }
  }

  #attach(connection: ServedConnection): string {
    this.#cancelGrace();
    this.#lastEventMs = this.#clock.now();
    this.#replaying = 0;
    this.#connection = connection;
    this.#attachments++;
    this.#cancelTick();
    this.#tick();
    return randomBytes(24).toString("base64url");
  }

  #tick(): void {
    const { turnDurationMs } = this.#duplex.capabilities;
    this.#cancelTick = this.#clock.setTimer(() => {
      if (this.#clock.now() - this.#lastEventMs > this.#settings.idleMs) {
        this.#tell("session.expired", { session_id: this.id, reason: "idle_ttl_expired" });
        this.end("expired");
        return;
      }
      this.#tick();
      this.#conversation.tick();
    }, this.#clock.now() + turnDurationMs);
  }

  #attachment(token: string): Fields {
    return {
      ...{ session_id: this.id, incarnation: this.incarnation, attachment_generation: this.#attachments },
      ...{ resume_token: token, grace_ms: this.#context.limits.graceMs, epoch: this.#conversation.epoch },
    };
  }

  #shown(): Fields {
    const { capabilities } = this.#duplex;
    return {
      ...this.#settings.shown(),
      ...{ expires_at: this.#expiresAt, epoch: this.#conversation.epoch },
      capabilities: {
        ...{ implementation_level: "native_duplex", chunk_period_ms: capabilities.turnDurationMs },
        ...{ input_modes: capabilities.inputs, output_modes: capabilities.outputs },
        ...{ supports_barge_in: true, supports_session_resume: true, supports_audio_truncate: true },
        ...{ supports_text_only_turn: capabilities.hearsText || capabilities.inputs.includes("text") },
        ...{ supports_video: capabilities.inputs.includes("video"), supports_tools: capabilities.delegation },
        ...{ supports_instructions: false, model_owns_turns: true, model_forgets_unheard: capabilities.truncates },
      },
    };
  }

  #measure({ timing, output }: TurnRecord): void {
    if (output.skipped) return;
    const { metrics, admission } = this.#context;
    const { turnDurationMs } = this.#duplex.capabilities;
    const turnMs = Math.max(0, turnDurationMs - timing.slackMs);
    this.#steps++;
    metrics.steps.inc();
    metrics.turnSeconds.observe(turnMs / 1000);
    metrics.runSeconds.observe(timing.runMs / 1000);
    metrics.waitSeconds.observe(timing.waitMs / 1000);
    if (timing.late) metrics.lateTurns.inc();
    // What its own input had to wait for says nothing of the machine.
    admission.served(timing.stepMs / timing.stepTurns, performance.now());
  }

  #failed(error: unknown): void {
    this.#context.log.error({ session: this.id, ...errorFields(error) }, "a session failed");
    this.#stop(engineError(), "failed");
  }

  #stop(error: RealtimeError | undefined, reason: EndReason): void {
    if (this.#ended) return;
    this.#conversation.fail(error?.code ?? "session_closed", error?.message ?? "the server stops");
    if (error !== undefined) this.#tell("error", { error: errorEnvelope(error, null) });
    this.#tell("session.closed", { session_id: this.id, reason: error?.code ?? reason });
    this.end(reason);
  }

  #refuse(error: unknown, eventId: string | null): void {
    const { metrics, log } = this.#context;
    metrics.violations.inc({ wire: "realtime" });
    const known = asRealtimeError(error);
    if (known === undefined) log.error({ session: this.id, ...errorFields(error) }, "an event could not be handled");
    this.#tell("error", { error: errorEnvelope(known ?? internalError(), eventId) });
  }

  #tell(type: string, fields: Fields, delta?: Uint8Array): void {
    if (this.#ended) return;
    const sequence = this.#journal.last + 1;
    const json = JSON.stringify({ type, event_id: `event_${sequence}`, server_event_seq: sequence, ...fields });
    const event = this.#journal.add(json, delta, this.#clock.now());
    if (this.#connection !== undefined) this.#send(this.#connection, event);
  }

  #send(connection: ServedConnection, event: EventBytes): void {
    const { maxQueuedBytes } = this.#context.limits;
    if (connection.queuedBytes < maxQueuedBytes) this.#replaying = 0;
    if (connection.queuedBytes > maxQueuedBytes + this.#replaying) {
      // It comes back and asks for what it missed, or it does not.
      connection.destroy();
      return;
    }
    buffers.send(event, connection.sendText);
  }
}

/** Reads what a client tells of itself when it comes back. @throws RealtimeError */
export function readResume(event: Fields): ResumeRequest & { readonly sessionId: string } {
  const text = (name: string): string => {
    const value = event[name];
    if (typeof value !== "string") throw missing(name);
    return value;
  };
  return {
    ...{ sessionId: text("session_id"), token: text("resume_token") },
    incarnation: event.incarnation === undefined ? undefined : text("incarnation"),
    lastReceived: countAt(event, "last_received_server_event_seq"),
  };
}

export function tooLarge(maxBytes: number): RealtimeError {
  const message = `Expected events of at most ${maxBytes} bytes; send sound in shorter pieces.`;
  return new RealtimeError("event_too_large", message);
}

/** What is told of a failure that is ours: nothing of how it came about. */
export function internalError(): RealtimeError {
  return new RealtimeError("internal_error", "The server failed on this event; the session goes on.", {
    type: "server_error",
  });
}

function engineError(): RealtimeError {
  return new RealtimeError("engine_error", "The model failed; open another session.", { type: "server_error" });
}

function codeOfEnd(reason: EndReason): number {
  if (reason === "violation") return closeCodes.violation;
  if (reason === "failed") return closeCodes.internal;
  return reason === "drained" || reason === "expired" ? closeCodes.goingAway : closeCodes.normal;
}
