// An engine session over a service that has no unit clock: input goes out one micro-turn at a time, in real time; what comes
// back is queued, and each micro-turn takes its slice. The connection may break and come back meanwhile.

import {
  checkTurnInput,
  DuplexError,
  type EngineCapabilities,
  type EngineSession,
  type EngineSnapshot,
  type ImageFrame,
  type PlaybackPosition,
  type TurnInput,
  type TurnOutput,
} from "@microturn/core";
import type { Wire, WireDelegation, WirePlayed, WireUnit } from "../wire.js";
import { ReplyQueue } from "./reply-queue.js";
import { type LinkSettings, WireLink } from "./wire-link.js";
import { WordCutter } from "./word-cutter.js";

/** How a paced session deals with the world. */
export interface PacedSettings extends LinkSettings {
  /** Input that is held while there is no connection, or the socket is slow, ms; the oldest goes. */
  readonly maxHeldMs: number;
  /** Bytes in the socket beyond which input is held. */
  readonly maxSocketBytes: number;
  /** Sessions that the engine opens at once, for the capabilities. */
  readonly maxSessions: number;
  readonly onClose: () => void;
}

/** Delegations that wait to be told, one in a micro-turn; a service that has more open is broken. */
const maxDelegations = 256;
/** Positions in replies that wait with input that is held; the last ones count. */
const maxPlayed = 64;
/** A socket that takes nothing for so long leads nowhere, ms. */
const stalledMs = 15_000;
/** What comes after a stall of the source is sent at once, up to this, ms; after a longer gap time starts anew. */
const longestBurstMs = 2000;
/** A source is held back to this much faster than real time, so that its clock may run a little fast without a queue. */
const headway = 1.002;
const quiet = { encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0 };

export class PacedSession implements EngineSession {
  readonly capabilities: EngineCapabilities;
  readonly #link: WireLink;
  readonly #settings: PacedSettings;
  readonly #replies: ReplyQueue;
  readonly #said = new WordCutter();
  readonly #heard = new WordCutter();
  readonly #turnSamples: number;
  readonly #outputSamples: number;
  readonly #stop = new AbortController();
  #held: WireUnit[] = [];
  #units = 0;
  /** Since when the socket has had no room. */
  #stalledSinceMs: number | undefined;
  #dueMs: number | undefined;
  #delegations: WireDelegation[] = [];
  /** Those that were told and are not wanted any more. */
  #cancelled: string[] = [];
  #flushed = false;
  /** Replies that were cut; and those of them whose end the player knows, so that it can tell how much was heard. */
  #cut: string[] = [];
  #stopped: string[] = [];
  #error: DuplexError | undefined;
  #closed: Promise<void> | undefined;

  constructor(wire: Wire, settings: PacedSettings) {
    this.capabilities = { ...wire.capabilities, maxSessions: settings.maxSessions };
    const { turnDurationMs, inputSampleRate, outputSampleRate } = this.capabilities;
    this.#settings = settings;
    this.#turnSamples = Math.round((inputSampleRate * turnDurationMs) / 1000);
    this.#outputSamples = Math.round((outputSampleRate * turnDurationMs) / 1000);
    this.#replies = new ReplyQueue({
      sampleRate: outputSampleRate,
      reserve: Math.round((wire.reserveMs * outputSampleRate) / 1000),
      maxSamples: Math.round((wire.maxReplyMs * outputSampleRate) / 1000),
    });
    this.#link = new WireLink(wire, settings, {
      ready: () => this.#release(),
      lost: () => this.#replies.endAll(),
      ended: (error) => this.#end(error),
      audio: (pcm, reply) => this.#addAudio(pcm, reply),
      text: (text, reply, atMs) => this.#replies.addText(text, reply, atMs),
      heard: (text) => this.#heard.add(text),
      replyEnd: (reply) => this.#replies.end(reply),
      flush: () => {
        if (this.#cutReplies()) this.#flushed = true;
      },
      delegation: (delegation) => {
        if (this.#delegations.length < maxDelegations) this.#delegations.push(delegation);
      },
      delegationCancelled: (id, wanted = false) => {
        const told = this.#delegations.every((one) => one.id !== id);
        this.#delegations = this.#delegations.filter((one) => one.id !== id);
        if (told && !wanted && this.#cancelled.length < maxDelegations) this.#cancelled.push(id);
      },
    });
  }

  /** Connects and waits until the service takes input. @throws DuplexError as {@link WireLink.open} */
  open(signal?: AbortSignal): Promise<void> {
    return this.#link.open(signal);
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    this.#requireOpen("step");
    checkTurnInput(input, this.capabilities);
    const startedMs = performance.now();
    // Without a player that tells, all that was handed on counts as heard.
    const position = input.played ?? { turnIndex: input.index - input.turns, samples: this.#outputSamples };
    this.#tellHeard(position);
    this.#sendInput(input, this.#heardSince(position));
    if (input.forceListen === true) {
      // The session has flushed the player already; no need to ask it again.
      this.#link.tell((wire) => wire.interrupt());
      this.#cutReplies();
      this.#said.clear();
    }
    const encodeMs = performance.now() - startedMs;
    await this.#untilDue(input.turns);
    this.#requireOpen("step");
    return this.#output(input, encodeMs);
  }

  snapshot(): Promise<EngineSnapshot> {
    return this.#refuse("snapshot", "a session at a service has none");
  }

  restore(): Promise<void> {
    return this.#refuse("restore", "a session at a service has no snapshots");
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const ended = new DuplexError("SESSION_CLOSED", "open: the session was closed meanwhile");
    this.#settings.onClose();
    this.#end(ended);
    await this.#link.close(ended);
  }

  // --- input ---

  /** Tells how much was heard of what was cut, once the player knows. */
  #tellHeard({ turnIndex, samples }: PlaybackPosition): void {
    if (this.#stopped.length === 0) return;
    const stopped = this.#stopped;
    this.#stopped = [];
    for (const reply of stopped) {
      const heardMs = this.#msOf(this.#replies.heardOf(reply, turnIndex, samples));
      this.#link.tell((wire) => wire.truncate(reply, heardMs));
    }
  }

  #heardSince({ turnIndex, samples }: PlaybackPosition): WirePlayed[] {
    const heard = this.#replies.heardSince(turnIndex, samples);
    return Array.from(heard, ([reply, count]) => ({ reply, heardMs: this.#msOf(count) }));
  }

  #msOf(samples: number): number {
    return (1000 * samples) / this.capabilities.outputSampleRate;
  }

  #sendInput({ audio, images, text, turns }: TurnInput, played: readonly WirePlayed[]): void {
    for (let turn = 0; turn < turns; turn++) {
      const last = turn === turns - 1;
      const slice = audio.subarray(turn * this.#turnSamples, (turn + 1) * this.#turnSamples);
      const unit = {
        ...{ index: this.#units++, audio: slice, images: last ? images : [], text: last ? text : [] },
        played: turn === 0 ? played : [],
      };
      this.#release();
      if (this.#held.length === 0 && this.#hasRoom()) this.#link.sendUnit(unit);
      else this.#hold(unit);
    }
  }

  #hasRoom(): boolean {
    if (!this.#link.ready) return false;
    const free = this.#link.queuedBytes <= this.#settings.maxSocketBytes;
    if (free) this.#stalledSinceMs = undefined;
    else this.#stalledSinceMs ??= this.#settings.clock.now();
    return free;
  }

  /** Keeps a unit until it can be sent. Text is never dropped: it moves to the next unit. */
  #hold(unit: WireUnit): void {
    const images = unit.images.map((image): ImageFrame => ({ ...image, data: image.data.slice() }));
    this.#held.push({ ...unit, audio: unit.audio.slice(), images });
    const most = Math.max(1, Math.floor(this.#settings.maxHeldMs / this.capabilities.turnDurationMs));
    if (this.#held.length > most) {
      const [oldest, next, ...rest] = this.#held;
      const text = [...oldest.text, ...next.text];
      const played = [...(oldest.played ?? []), ...(next.played ?? [])].slice(-maxPlayed);
      this.#held = [{ ...next, text, played }, ...rest];
      this.#settings.onNote({ type: "input-dropped", units: 1 });
    }
    const nowMs = this.#settings.clock.now();
    if (!this.#link.ready || nowMs - (this.#stalledSinceMs ?? nowMs) < stalledMs) return;
    this.#stalledSinceMs = undefined;
    this.#link.leave(
      new DuplexError(
        "NETWORK_FAILED",
        `step: the service has taken nothing for ${stalledMs} ms; check the line to it`,
      ),
    );
  }

  #release(): void {
    while (this.#held.length > 0 && this.#hasRoom()) this.#link.sendUnit(this.#held.shift() as WireUnit);
  }

  // --- output ---

  #addAudio(pcm: Float32Array, reply: string): void {
    if (pcm.length === 0) return;
    const dropped = this.#replies.addAudio(pcm, reply);
    if (dropped > 0) this.#settings.onNote({ type: "output-dropped", samples: dropped });
  }

  /** Drops what was not handed on, and remembers of what. @returns whether there was a reply */
  #cutReplies(): boolean {
    const cut = this.#replies.clear();
    for (const reply of cut) if (!this.#cut.includes(reply)) this.#cut.push(reply);
    return cut.length > 0;
  }

  /** A service runs in real time: a source that does not is held back. */
  async #untilDue(turns: number): Promise<void> {
    const { clock } = this.#settings;
    const nowMs = clock.now();
    const dueMs = this.#dueMs ?? nowMs;
    this.#dueMs = Math.max(dueMs, nowMs - longestBurstMs) + (turns * this.capabilities.turnDurationMs) / headway;
    if (nowMs >= dueMs) return;
    await new Promise<void>((resolve) => {
      const { signal } = this.#stop;
      const cancel = clock.setTimer(done, dueMs);
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
    this.#stopped.push(...this.#cut);
    this.#cut = [];
    if (yielded) this.#said.clear();
    const silent = yielded || forceListen === true;
    const slice = silent ? { speaks: false, text: "", underrun: 0 } : this.#replies.take(index, speech);
    if (slice.underrun > 0) this.#settings.onNote({ type: "underrun", samples: slice.underrun });
    const delegation = this.#delegations.shift();
    const cancelled = this.#cancelled.splice(0);
    return {
      decision: slice.speaks ? "speak" : "listen",
      yielded,
      speech,
      text: silent ? "" : this.#said.push(slice.text, !this.#replies.busy),
      heard: this.#heard.take(),
      ...(delegation === undefined ? {} : { delegation }),
      ...(cancelled.length === 0 ? {} : { cancelled }),
      timing: { ...quiet, encodeMs, decodeMs: performance.now() - startedMs },
    };
  }

  // --- the end ---

  #end(error: DuplexError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#stop.abort(error);
    this.#held = [];
    this.#delegations = [];
    this.#replies.clear();
  }

  #refuse(operation: string, why: string): Promise<never> {
    try {
      this.#requireOpen(operation);
    } catch (error) {
      return Promise.reject(error);
    }
    return Promise.reject(new DuplexError("UNSUPPORTED", `${operation}: ${why}`));
  }

  #requireOpen(operation: string): void {
    if (this.#error === undefined) return;
    if (this.#closed === undefined) throw this.#error;
    throw new DuplexError("SESSION_CLOSED", `${operation}: the session was closed`);
  }
}
