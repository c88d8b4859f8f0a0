// A wire without a socket, among broken messages: connections end and begin anew, the user speaks, the application answers.

import type { DuplexError, TextInput } from "@microturn/core";
import type { SocketMessage } from "../../../packages/backend-remote/src/socket/message-socket.js";
import { mutateJson } from "../../../packages/backend-remote/src/testing/mutate-json.js";
import type { Wire, WireEvents } from "../../../packages/backend-remote/src/wire.js";
import { type FuzzMessage, type FuzzSubject, type FuzzTarget, outcomeOf, type Random } from "./fuzz-target.js";

export interface WireFuzz {
  readonly name: string;
  /** Right messages of the service. */
  readonly corpus: readonly SocketMessage[];
  readonly message?: (random: Random) => FuzzMessage;
  /** Pauses after which the connection is another, without an error; default 0.01. */
  readonly losses?: number;
  create(random: Random): Wire;
  /** What the service says until the wire is ready. @param opening - the last text that the wire sent */
  handshake(opening: string): readonly SocketMessage[];
  /** What a new connection must give as sound, whatever came before. @param number - for names that are new */
  sound(number: number): readonly SocketMessage[];
}

/** A connection that is lost is followed by another; this many begin without a handshake. */
const withoutHandshake = 0.1;

export function wireTarget(options: WireFuzz): FuzzTarget {
  const texts = options.corpus.filter((message) => typeof message === "string");
  const known = new Set<SocketMessage>(texts);
  return {
    name: options.name,
    message:
      options.message ??
      ((random) => {
        const data = mutateJson(texts, random);
        return { data, broken: !known.has(data) };
      }),
    async open(random) {
      const wire = options.create(random);
      const subject = new WireSubject(wire, options);
      await subject.reconnect(true);
      return subject;
    },
  };
}

class WireSubject implements FuzzSubject {
  readonly #wire: Wire;
  readonly #options: WireFuzz;
  readonly #audio: Float32Array;
  #opening = "";
  #units = 0;
  #sounds = 0;
  #connections = 0;
  #ready = false;
  #failed: DuplexError | undefined;
  #reply: { name: string; ms: number } = { name: "", ms: 0 };
  #delegations: string[] = [];

  constructor(wire: Wire, options: WireFuzz) {
    this.#wire = wire;
    this.#options = options;
    const { inputSampleRate, turnDurationMs } = wire.capabilities;
    this.#audio = new Float32Array((inputSampleRate * turnDurationMs) / 1000);
  }

  receive({ data }: FuzzMessage, random: Random): string {
    this.#failed = undefined;
    // Right messages come as bytes too: a socket may give either.
    const message = typeof data === "string" && random() < 0.02 ? new TextEncoder().encode(data) : data;
    let outcome = outcomeOf(() => this.#wire.receive(message));
    if (outcome === "accepted") outcome = (this.#failed as DuplexError | undefined)?.code ?? outcome;
    return outcome;
  }

  recover(random: Random): Promise<void> {
    return this.reconnect(random() > withoutHandshake);
  }

  async between(random: Random): Promise<void> {
    const text: TextInput[] = [];
    const delegation = this.#delegations[Math.floor(random() * this.#delegations.length)];
    if (random() < 0.3) text.push({ source: "background", text: "it rains", ...(delegation && { delegation }) });
    if (random() < 0.1) text.push({ source: "background", text: "to know", silent: true });
    if (random() < 0.1) text.push({ source: "user", text: "hello" });
    const played = random() < 0.5 ? [{ reply: this.#reply.name, heardMs: this.#reply.ms * random() }] : [];
    this.#unit(text, played);
    if (random() < 0.03) this.#wire.interrupt();
    if (random() < 0.05) this.#wire.truncate(this.#reply.name, this.#reply.ms * random());
    if (random() < (this.#options.losses ?? 0.01)) await this.recover(random);
  }

  /** Whatever came, another connection gives sound. */
  async close(): Promise<void> {
    await this.reconnect(true);
    for (let i = 0; i < 12; i++) this.#unit([], []);
    const before = this.#sounds;
    for (const message of this.#options.sound(this.#connections)) this.#wire.receive(message);
    if (this.#sounds === before) throw new Error("a new connection gives no sound any more");
    this.#wire.goodbye();
  }

  #unit(text: readonly TextInput[], played: readonly { reply: string; heardMs: number }[]): void {
    if (this.#ready) this.#wire.sendUnit({ index: this.#units++, audio: this.#audio, images: [], text, played });
  }

  /** Begins a connection, as the link of a session does. */
  async reconnect(handshake: boolean): Promise<void> {
    if (this.#connections++ > 0) this.#wire.closed({ code: 1006, reason: "" });
    await this.#wire.request(new AbortController().signal);
    this.#ready = false;
    this.#wire.opened(this.#events());
    if (!handshake) return;
    for (const message of this.#options.handshake(this.#opening)) this.#wire.receive(message);
  }

  #events(): WireEvents {
    const nothing = () => {};
    return {
      ...{ text: nothing, heard: nothing, replyEnd: nothing, flush: nothing, note: nothing },
      delegationCancelled: nothing,
      ready: () => {
        this.#ready = true;
      },
      send: (message) => {
        if (typeof message === "string") this.#opening = message;
      },
      audio: (pcm, name) => {
        if (!pcm.every(Number.isFinite)) throw new Error("sound that is no numbers");
        this.#sounds++;
        const ms = (1000 * pcm.length) / this.#wire.capabilities.outputSampleRate;
        this.#reply = { name, ms: name === this.#reply.name ? this.#reply.ms + ms : ms };
      },
      delegation: ({ id }) => {
        this.#delegations = [...this.#delegations.slice(-7), id];
      },
      fail: (error) => {
        this.#failed = error;
      },
    };
  }
}
