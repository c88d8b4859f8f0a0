// Keeps a wire connected: opens, comes back after a loss, and closes. Whatever goes wrong is told once, as one typed error.

import { type Clock, DuplexError } from "@microturn/core";
import type { MessageSocket, OpenSocket, SocketEnd } from "../socket/message-socket.js";
import type { Wire, WireEvents, WireNote, WireUnit } from "../wire.js";

/** What a link needs of a wire. */
export type LinkedWire = Pick<Wire, "request" | "opened" | "receive" | "closed" | "goodbye"> &
  Partial<Pick<Wire, "unanswered" | "farewellMs">>;

/** How a connection is made and kept. */
export interface LinkSettings {
  readonly clock: Clock;
  readonly openSocket: OpenSocket;
  /** A connection is ready within this, ms. */
  readonly connectTimeoutMs: number;
  /** A session whose connection is lost tries to come back for this long, ms; 0: not at all. */
  readonly reconnectMs: number;
  readonly onNote: (note: WireNote) => void;
}

/** What a link tells its session. */
export interface LinkEvents extends Omit<WireEvents, "send" | "ready" | "note" | "fail"> {
  /** Input goes out from now on. */
  ready(): void;
  /** The connection is gone; it may come back. */
  lost(): void;
  /** It is gone for good. The last that is told. */
  ended(error: DuplexError): void;
}

const firstRetryMs = 250;
const longestRetryMs = 5000;
/** A connection that was ready for so long was a good one: the next loss is a new one. */
const stableMs = 5000;
const goodbyeMs = 2000;

/** One connection, from the request for it to its end. */
interface Connection {
  socket: MessageSocket | undefined;
  open: boolean;
  readyAtMs: number | undefined;
  over: boolean;
  readonly stop: AbortController;
  cancelDeadline: () => void;
}

export class WireLink<Kind extends LinkedWire = Wire> {
  readonly #wire: Kind;
  readonly #settings: LinkSettings;
  readonly #events: LinkEvents;
  #connection: Connection | undefined;
  #error: DuplexError | undefined;
  /** Whoever waits for the first `ready`. */
  #opening: { readonly resolve: () => void; readonly reject: (error: DuplexError) => void } | undefined;
  /** When the connection was lost, and when the losses began that no good connection came between. */
  #lostAtMs: number | undefined;
  #troubleSinceMs = 0;
  #attempt = 0;
  #cancelRetry: () => void = () => {};
  #onEnd: () => void = () => {};

  constructor(wire: Kind, settings: LinkSettings, events: LinkEvents) {
    this.#wire = wire;
    this.#settings = settings;
    this.#events = events;
  }

  /** Whether the service takes input now. */
  get ready(): boolean {
    return this.#error === undefined && this.#connection?.readyAtMs !== undefined && !this.#connection.over;
  }

  /** Bytes that were sent and have not left. */
  get queuedBytes(): number {
    return this.#connection?.socket?.queuedBytes ?? 0;
  }

  /**
   * Connects and waits until the service takes input.
   *
   * @throws DuplexError exactly one, within `connectTimeoutMs`: `OPEN_TIMEOUT`, `ABORTED`, or what the wire makes of the end
   */
  async open(signal?: AbortSignal): Promise<void> {
    const abort = () =>
      this.#fail(new DuplexError("ABORTED", "open: its signal was aborted", { cause: signal?.reason }));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#opening = { resolve, reject };
        if (signal?.aborted) abort();
        else if (this.#error !== undefined) reject(this.#error);
        else void this.#connect();
      });
    } finally {
      this.#opening = undefined;
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Only while it is ready. */
  sendUnit(this: WireLink<Wire>, unit: WireUnit): void {
    this.#use((wire) => wire.sendUnit(unit));
  }

  /** Calls the wire while it is ready; does nothing otherwise. */
  tell(action: (wire: Kind) => void): void {
    if (this.ready) this.#use(action);
  }

  /** The connection has done what it is for: the next loss is a new one. */
  proven(): void {
    this.#attempt = 0;
  }

  /** Gives this connection up, for another. */
  leave(error: DuplexError): void {
    if (this.#connection !== undefined) this.#drop(this.#connection, error, true);
  }

  /** Ends it. Always resolves. @param error - what those get who wait for it to open */
  async close(error: DuplexError): Promise<void> {
    const connection = this.#connection;
    const { ready } = this;
    this.#error ??= error;
    this.#opening?.reject(error);
    this.#cancelRetry();
    if (connection === undefined || connection.over) return;
    connection.cancelDeadline();
    connection.stop.abort(error);
    const { socket } = connection;
    if (socket === undefined) {
      connection.over = true;
      return;
    }
    if (ready) {
      const { farewellMs = 0 } = this.#wire;
      try {
        this.#wire.goodbye();
      } catch {
        // It is over anyway.
      }
      if (farewellMs > 0 && (await this.#endsWithin(connection, farewellMs))) return;
    }
    socket.close(1000);
    if (await this.#endsWithin(connection, goodbyeMs)) return;
    connection.over = true;
    socket.destroy();
  }

  /** @returns whether the connection ends in time */
  #endsWithin(connection: Connection, ms: number): Promise<boolean> {
    if (connection.over) return Promise.resolve(true);
    const { clock } = this.#settings;
    return new Promise((resolve) => {
      const cancel = clock.setTimer(() => resolve(false), clock.now() + ms);
      this.#onEnd = () => {
        cancel();
        resolve(true);
      };
    });
  }

  async #connect(): Promise<void> {
    const { clock, openSocket, connectTimeoutMs } = this.#settings;
    const connection: Connection = {
      ...{ socket: undefined, open: false, readyAtMs: undefined, over: false, stop: new AbortController() },
      cancelDeadline: clock.setTimer(
        () => this.#drop(connection, this.#unanswered(connection), true, "destroy"),
        clock.now() + connectTimeoutMs,
      ),
    };
    this.#connection = connection;
    try {
      const request = await this.#wire.request(connection.stop.signal);
      if (connection.over || this.#error !== undefined) return;
      connection.socket = openSocket(request, {
        onOpen: () => {
          connection.open = true;
          this.#guard(connection, () => this.#wire.opened(this.#eventsOf(connection)));
        },
        onMessage: (message) => this.#guard(connection, () => this.#wire.receive(message)),
        onClose: (end) => this.#onClose(connection, end),
      });
    } catch (error) {
      this.#drop(connection, asDuplexError("open", error), isPassing(error));
    }
  }

  #unanswered({ open }: Connection): DuplexError {
    const { connectTimeoutMs } = this.#settings;
    return (open ? this.#wire.unanswered?.(connectTimeoutMs) : undefined) ?? openTimeout(connectTimeoutMs);
  }

  #use(action: (wire: Kind) => void): void {
    const connection = this.#connection;
    if (connection !== undefined) this.#guard(connection, () => action(this.#wire));
  }

  /** Runs what a wire does; an error of it ends the connection. */
  #guard(connection: Connection, action: () => void): void {
    if (connection.over) return;
    try {
      action();
    } catch (error) {
      this.#drop(connection, asDuplexError("receive", error), false);
    }
  }

  #eventsOf(connection: Connection): WireEvents {
    const events = this.#events;
    const live = () => !connection.over && this.#connection === connection && this.#error === undefined;
    /** The session's, while this connection is the one that counts. */
    const only = <Arguments extends readonly unknown[]>(action: (...values: Arguments) => void) => {
      return (...values: Arguments) => {
        if (live()) action(...values);
      };
    };
    return {
      // The last words of a wire go out while the session closes.
      send: (message) => {
        if (!connection.over) connection.socket?.send(message);
      },
      ready: only(() => this.#becomeReady(connection)),
      audio: only((pcm, reply) => events.audio(pcm, reply)),
      text: only((text, reply, atMs) => events.text(text, reply, atMs)),
      heard: only((text) => events.heard(text)),
      replyEnd: only((reply) => events.replyEnd(reply)),
      flush: only(() => events.flush()),
      delegation: only((delegation) => events.delegation(delegation)),
      delegationCancelled: only((id, wanted) => events.delegationCancelled(id, wanted)),
      note: this.#settings.onNote,
      fail: (error, retry) => this.#drop(connection, error, retry),
    };
  }

  #becomeReady(connection: Connection): void {
    if (connection.readyAtMs !== undefined) return;
    const nowMs = this.#settings.clock.now();
    connection.readyAtMs = nowMs;
    connection.cancelDeadline();
    if (this.#lostAtMs !== undefined) this.#settings.onNote({ type: "reconnected", gapMs: nowMs - this.#lostAtMs });
    this.#lostAtMs = undefined;
    this.#events.ready();
    this.#opening?.resolve();
  }

  #drop(connection: Connection, error: DuplexError, retry: boolean, how?: "destroy"): void {
    if (connection.over) return;
    this.#settle(connection);
    if (how === "destroy") connection.socket?.destroy();
    else connection.socket?.close(retry ? 1000 : 1002);
    this.#lose(connection, error, retry);
  }

  #onClose(connection: Connection, end: SocketEnd): void {
    if (connection.over) return;
    this.#settle(connection);
    try {
      // A session that closes asks for it, too: the wire may have something to note.
      const { error, retry } = this.#wire.closed(end);
      this.#lose(connection, error, retry);
    } catch (error) {
      this.#lose(connection, asDuplexError("close", error), false);
    }
  }

  #settle(connection: Connection): void {
    connection.over = true;
    connection.cancelDeadline();
    connection.stop.abort();
    this.#onEnd();
  }

  /** There is no connection any more: another is made, if it may help. */
  #lose({ readyAtMs }: Connection, error: DuplexError, retry: boolean): void {
    if (this.#error !== undefined) return;
    const { clock, reconnectMs, onNote } = this.#settings;
    const nowMs = clock.now();
    // A first connection that fails is told at once: whoever opens knows best what to do.
    const first = this.#opening !== undefined;
    if (this.#attempt === 0 || (readyAtMs !== undefined && nowMs - readyAtMs >= stableMs)) {
      this.#troubleSinceMs = nowMs;
      this.#attempt = 0;
    }
    this.#lostAtMs ??= nowMs;
    const waitMs = Math.max(this.#retryWaitMs(), retryAfterMs(error));
    const inTime = reconnectMs > 0 && nowMs + waitMs - this.#troubleSinceMs < reconnectMs;
    if (!retry || first || !inTime) {
      this.#fail(error);
      return;
    }
    this.#attempt++;
    this.#events.lost();
    onNote({ type: "reconnecting", attempt: this.#attempt, cause: error });
    this.#cancelRetry = clock.setTimer(() => void this.#connect(), nowMs + waitMs);
  }

  #retryWaitMs(): number {
    return this.#attempt === 0 ? 0 : Math.min(longestRetryMs, firstRetryMs * 2 ** (this.#attempt - 1));
  }

  #fail(error: DuplexError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#opening?.reject(error);
    this.#cancelRetry();
    const connection = this.#connection;
    if (connection !== undefined && !connection.over) {
      this.#settle(connection);
      connection.socket?.destroy();
    }
    this.#events.ended(error);
  }
}

function openTimeout(connectTimeoutMs: number): DuplexError {
  return new DuplexError(
    "OPEN_TIMEOUT",
    `open: expected the service to be ready within ${connectTimeoutMs} ms; it may be busy or not speak this protocol; check the address, or raise connectTimeoutMs`,
    { details: { connectTimeoutMs } },
  );
}

function retryAfterMs({ details }: DuplexError): number {
  return typeof details.retryAfterMs === "number" ? details.retryAfterMs : 0;
}

/** Whether the next attempt may do better: what is not typed is taken for a network that fails. */
function isPassing(error: unknown): boolean {
  return !DuplexError.is(error) || error.code === "NETWORK_FAILED" || error.code === "SERVER_BUSY";
}

function asDuplexError(operation: string, error: unknown): DuplexError {
  if (DuplexError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = operation === "receive" ? "PROTOCOL_VIOLATION" : "NETWORK_FAILED";
  return new DuplexError(code, `${operation}: ${message}`, { cause: error });
}
