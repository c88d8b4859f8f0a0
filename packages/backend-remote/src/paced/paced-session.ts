// An engine session over a service that has no unit clock: input goes out one micro-turn at a time, in real time; what comes
// back is queued, and each micro-turn takes its slice. The connection may break and come back meanwhile.

import {
  type Clock,
  checkTurnInput,
  DuplexError,
  type EngineCapabilities,
  type EngineSession,
  type EngineSnapshot,
  type ImageFrame,
  type TurnInput,
  type TurnOutput,
} from "@microturn/core";
import type { MessageSocket, OpenSocket, SocketEnd } from "../socket/message-socket.js";
import type { Wire, WireDelegation, WireEvents, WireNote, WireUnit } from "../wire.js";
import { ReplyQueue } from "./reply-queue.js";
import { WordCutter } from "./word-cutter.js";

/** How a paced session deals with the world. */
export interface PacedSettings {
  readonly clock: Clock;
  readonly openSocket: OpenSocket;
  /** `open` settles within this, ms. */
  readonly connectTimeoutMs: number;
  /** A session whose connection is lost tries to come back for this long, ms; 0: not at all. */
  readonly reconnectMs: number;
  /** Input that is held while there is no connection, or the socket is slow, ms; the oldest goes. */
  readonly maxHeldMs: number;
  /** Bytes in the socket beyond which input is held. */
  readonly maxSocketBytes: number;
  readonly onNote: (note: WireNote) => void;
  readonly onClose: () => void;
}

const firstRetryMs = 250;
const longestRetryMs = 5000;
const goodbyeMs = 2000;
/** Delegations that wait to be told, one in a micro-turn; a service that has more open is broken. */
const maxDelegations = 256;
const quiet = { encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0 };

/** A connection and its state. */
interface Connection {
  readonly socket: MessageSocket;
  open: boolean;
  ready: boolean;
  over: boolean;
}

export class PacedSession implements EngineSession {
  readonly capabilities: EngineCapabilities;
  readonly #wire: Wire;
  readonly #settings: PacedSettings;
  readonly #replies: ReplyQueue;
  readonly #said = new WordCutter();
  readonly #heard = new WordCutter();
  readonly #turnSamples: number;
  readonly #outputSamples: number;
  readonly #stop = new AbortController();
  #connection: Connection | undefined;
  /** Whoever waits for the first `ready`. */
  #opening: { readonly resolve: () => void; readonly reject: (error: DuplexError) => void } | undefined;
  #lostAtMs: number | undefined;
  #attempt = 0;
  #cancelRetry: () => void = () => {};
  #held: WireUnit[] = [];
  #units = 0;
  #startMs: number | undefined;
  #turns = 0;
  #delegations: WireDelegation[] = [];
  #flushed = false;
  /** A reply was cut, and the service is to be told how much of it was heard. */
  #cut = false;
  #error: DuplexError | undefined;
  #closed: Promise<void> | undefined;

  constructor(wire: Wire, settings: PacedSettings) {
    const { turnDurationMs, inputSampleRate, outputSampleRate } = wire.capabilities;
    this.capabilities = wire.capabilities;
    this.#wire = wire;
    this.#settings = settings;
    this.#turnSamples = Math.round((inputSampleRate * turnDurationMs) / 1000);
    this.#outputSamples = Math.round((outputSampleRate * turnDurationMs) / 1000);
    this.#replies = new ReplyQueue({
      sampleRate: outputSampleRate,
      reserve: Math.round((wire.reserveMs * outputSampleRate) / 1000),
      maxSamples: Math.round((wire.maxReplyMs * outputSampleRate) / 1000),
    });
  }

  /**
   * Connects and waits until the service takes input.
   *
   * @throws DuplexError exactly one, within `connectTimeoutMs`: `OPEN_TIMEOUT`, `ABORTED`, or what the wire makes of the end
   */
  async open(signal?: AbortSignal): Promise<void> {
    const { clock, connectTimeoutMs } = this.#settings;
    const abort = () =>
      this.#fail(new DuplexError("ABORTED", "open: its signal was aborted", { cause: signal?.reason }));
    const cancel = clock.setTimer(() => this.#fail(this.#unanswered()), clock.now() + connectTimeoutMs);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#opening = { resolve, reject };
        if (signal?.aborted) abort();
        else void this.#connect();
      });
    } finally {
      this.#opening = undefined;
      cancel();
      signal?.removeEventListener("abort", abort);
    }
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    checkTurnInput(input, this.capabilities);
    this.#requireOpen("step");
    const startedMs = performance.now();
    this.#tellHeard(input);
    this.#sendInput(input);
    if (input.forceListen === true && this.#replies.clear()) {
      // The session has flushed the player already; no need to ask it again.
      this.#wire.interrupt();
      this.#cut = true;
      this.#said.clear();
    }
    const encodeMs = performance.now() - startedMs;
    await this.#untilDue(input.turns);
    this.#requireOpen("step");
    return this.#output(input, encodeMs);
  }

  snapshot(): Promise<EngineSnapshot> {
    return Promise.reject(new DuplexError("UNSUPPORTED", "snapshot: a session at a service has none"));
  }

  restore(): Promise<void> {
    return Promise.reject(new DuplexError("UNSUPPORTED", "restore: a session at a service has no snapshots"));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const connection = this.#connection;
    this.#settings.onClose();
    const ended = new DuplexError("SESSION_CLOSED", "open: the session was closed meanwhile");
    this.#error ??= ended;
    this.#opening?.reject(ended);
    this.#stop.abort(ended);
    this.#cancelRetry();
    this.#forget();
    if (connection === undefined || connection.over) return;
    if (connection.ready) {
      this.#wire.goodbye();
      const { farewellMs = 0 } = this.#wire;
      if (farewellMs > 0 && (await this.#endsWithin(connection, farewellMs))) return;
    }
    connection.socket.close(1000);
    if (!(await this.#endsWithin(connection, goodbyeMs))) connection.socket.destroy();
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

  #onEnd: () => void = () => {};

  // --- input ---

  #tellHeard({ played, index, turns }: TurnInput): void {
    if (!this.#cut) return;
    this.#cut = false;
    // Without a player that tells, all that was handed on counts as heard.
    const { turnIndex, samples } = played ?? { turnIndex: index - turns, samples: this.#outputSamples };
    const place = this.#replies.placeOf(turnIndex, samples);
    const last = this.#replies.placeOf(index - turns, this.#outputSamples);
    if (last === undefined || this.#connection?.ready !== true) return;
    const heard = place?.reply === last.reply ? place.samples : 0;
    this.#wire.truncate(last.reply, (1000 * heard) / this.capabilities.outputSampleRate);
  }

  #sendInput({ audio, images, text, turns }: TurnInput): void {
    for (let turn = 0; turn < turns; turn++) {
      const last = turn === turns - 1;
      const slice = audio.subarray(turn * this.#turnSamples, (turn + 1) * this.#turnSamples);
      const unit = { index: this.#units++, audio: slice, images: last ? images : [], text: last ? text : [] };
      this.#release();
      if (this.#held.length === 0 && this.#hasRoom()) this.#wire.sendUnit(unit);
      else this.#hold(unit);
    }
  }

  #hasRoom(): boolean {
    const connection = this.#connection;
    return connection?.ready === true && connection.socket.queuedBytes <= this.#settings.maxSocketBytes;
  }

  /** Keeps a unit until it can be sent. Text is never dropped: it moves to the next unit. */
  #hold(unit: WireUnit): void {
    const images = unit.images.map((image): ImageFrame => ({ ...image, data: image.data.slice() }));
    this.#held.push({ ...unit, audio: unit.audio.slice(), images });
    const most = Math.max(1, Math.floor(this.#settings.maxHeldMs / this.capabilities.turnDurationMs));
    if (this.#held.length <= most) return;
    const [oldest, next, ...rest] = this.#held;
    this.#held = [{ ...next, text: [...oldest.text, ...next.text] }, ...rest];
    this.#settings.onNote({ type: "input-dropped", units: 1 });
  }

  #release(): void {
    while (this.#held.length > 0 && this.#hasRoom()) this.#wire.sendUnit(this.#held.shift() as WireUnit);
  }

  // --- output ---

  /** A service runs in real time: a source that does not is held back. */
  async #untilDue(turns: number): Promise<void> {
    const { clock } = this.#settings;
    const { turnDurationMs } = this.capabilities;
    this.#startMs ??= clock.now();
    const dueMs = this.#startMs + this.#turns * turnDurationMs;
    this.#turns += turns;
    const nowMs = clock.now();
    // After a pause time goes on from here, so that it is not made up for by a burst.
    if (nowMs > dueMs + 1000) this.#startMs += nowMs - dueMs;
    if (nowMs >= dueMs) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(done, dueMs);
      const { signal } = this.#stop;
      function done() {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      }
      signal.addEventListener("abort", done);
    });
  }

  #output({ index, forceListen }: TurnInput, encodeMs: number): TurnOutput {
    const startedMs = performance.now();
    const speech = new Float32Array(this.#outputSamples);
    const yielded = this.#flushed;
    this.#flushed = false;
    if (yielded) this.#said.clear();
    const silent = yielded || forceListen === true;
    const slice = silent ? { speaks: false, text: "", underrun: 0 } : this.#replies.take(index, speech);
    if (slice.underrun > 0) this.#settings.onNote({ type: "underrun", samples: slice.underrun });
    const delegation = this.#delegations.shift();
    return {
      decision: slice.speaks ? "speak" : "listen",
      ...(yielded ? { yielded } : {}),
      speech,
      text: this.#said.push(slice.text, !this.#replies.busy),
      heard: this.#heard.take(),
      ...(delegation === undefined ? {} : { delegation }),
      timing: { ...quiet, encodeMs, decodeMs: performance.now() - startedMs },
    };
  }

  // --- the connection ---

  async #connect(): Promise<void> {
    const { openSocket } = this.#settings;
    let connection: Connection | undefined;
    try {
      const request = await this.#wire.request(this.#stop.signal);
      if (this.#error !== undefined) return;
      const socket = openSocket(request, {
        onOpen: () => {
          made.open = true;
          this.#guard(made, () => this.#wire.opened(this.#eventsOf(made)));
        },
        onMessage: (message) => this.#guard(made, () => this.#wire.receive(message)),
        onClose: (end) => this.#onClose(made, end),
      });
      const made: Connection = { socket, open: false, ready: false, over: false };
      connection = made;
      this.#connection = made;
      // The first connection has the deadline of `open`.
      if (this.#opening === undefined) this.#expectReady(made);
    } catch (error) {
      if (connection !== undefined) connection.over = true;
      this.#lose(asDuplexError("open", error), !DuplexError.is(error) || error.code === "NETWORK_FAILED");
    }
  }

  /** A service that does not take the session up again is left, and tried once more. */
  #expectReady(connection: Connection): void {
    const { clock, connectTimeoutMs } = this.#settings;
    const { signal } = this.#stop;
    const cancel = clock.setTimer(() => {
      signal.removeEventListener("abort", cancel);
      if (!connection.ready) this.#drop(connection, this.#unanswered(), true);
    }, clock.now() + connectTimeoutMs);
    signal.addEventListener("abort", cancel, { once: true });
  }

  #unanswered(): DuplexError {
    const { connectTimeoutMs } = this.#settings;
    const told = this.#connection?.open === true ? this.#wire.unanswered?.(connectTimeoutMs) : undefined;
    if (told !== undefined) return told;
    return new DuplexError(
      "OPEN_TIMEOUT",
      `open: expected the service to be ready within ${connectTimeoutMs} ms; it may be busy or not speak this protocol; check the address, or raise connectTimeoutMs`,
      { details: { connectTimeoutMs } },
    );
  }

  /** Runs what a wire does with a message; an error of it ends the connection. */
  #guard(connection: Connection, action: () => void): void {
    if (connection.over) return;
    try {
      action();
    } catch (error) {
      this.#drop(connection, asDuplexError("receive", error), false);
    }
  }

  #eventsOf(connection: Connection): WireEvents {
    const live = () => !connection.over && this.#connection === connection;
    const { onNote } = this.#settings;
    return {
      send: (message) => {
        if (live()) connection.socket.send(message);
      },
      ready: () => {
        if (!live() || connection.ready) return;
        connection.ready = true;
        if (this.#lostAtMs !== undefined) {
          onNote({ type: "reconnected", gapMs: this.#settings.clock.now() - this.#lostAtMs });
        }
        this.#lostAtMs = undefined;
        this.#attempt = 0;
        this.#release();
        this.#opening?.resolve();
      },
      audio: (pcm, reply) => {
        if (!live() || pcm.length === 0) return;
        const dropped = this.#replies.addAudio(pcm, reply);
        if (dropped > 0) onNote({ type: "output-dropped", samples: dropped });
      },
      text: (text, reply, atMs) => {
        if (live()) this.#replies.addText(text, reply, atMs);
      },
      heard: (text) => {
        if (live()) this.#heard.add(text);
      },
      replyEnd: (reply) => this.#replies.end(reply),
      flush: () => {
        if (!live() || !this.#replies.clear()) return;
        this.#flushed = true;
        this.#cut = true;
      },
      delegation: (delegation) => {
        if (live() && this.#delegations.length < maxDelegations) this.#delegations.push(delegation);
      },
      delegationCancelled: (id) => {
        this.#delegations = this.#delegations.filter((one) => one.id !== id);
      },
      note: onNote,
      fail: (error, retry) => this.#drop(connection, error, retry),
    };
  }

  #drop(connection: Connection, error: DuplexError, retry: boolean): void {
    if (connection.over) return;
    connection.over = true;
    connection.socket.close(retry ? 1000 : 1002);
    this.#onEnd();
    this.#lose(error, retry);
  }

  #onClose(connection: Connection, end: SocketEnd): void {
    if (connection.over) return;
    connection.over = true;
    this.#onEnd();
    const { error, retry } = this.#wire.closed(end);
    this.#lose(error, retry);
  }

  /** There is no connection any more: another is made, if it may help. */
  #lose(error: DuplexError, retry: boolean): void {
    if (this.#error !== undefined) return;
    const { clock, reconnectMs, onNote } = this.#settings;
    this.#lostAtMs ??= clock.now();
    // A first connection that fails is told at once: whoever opens knows best what to do.
    if (!retry || this.#opening !== undefined || clock.now() - this.#lostAtMs >= reconnectMs) {
      this.#fail(error);
      return;
    }
    this.#attempt++;
    onNote({ type: "reconnecting", attempt: this.#attempt, cause: error });
    const waitMs = this.#attempt === 1 ? 0 : Math.min(longestRetryMs, firstRetryMs * 2 ** (this.#attempt - 2));
    this.#cancelRetry = clock.setTimer(() => void this.#connect(), clock.now() + waitMs);
  }

  #fail(error: DuplexError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#opening?.reject(error);
    this.#stop.abort(error);
    this.#cancelRetry();
    this.#forget();
    const connection = this.#connection;
    if (connection === undefined || connection.over) return;
    connection.over = true;
    connection.socket.destroy();
    this.#onEnd();
  }

  #forget(): void {
    this.#held = [];
    this.#delegations = [];
    this.#replies.clear();
  }

  #requireOpen(operation: string): void {
    if (this.#error === undefined) return;
    if (this.#closed === undefined) throw this.#error;
    throw new DuplexError("SESSION_CLOSED", `${operation}: the session was closed`);
  }
}

function asDuplexError(operation: string, error: unknown): DuplexError {
  if (DuplexError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DuplexError("NETWORK_FAILED", `${operation}: ${message}`, { cause: error });
}
