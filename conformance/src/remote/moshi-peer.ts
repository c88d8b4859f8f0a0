// One session of a Moshi server, without a socket: what it answers to each message, and when it says nothing. It plays
// moshi/server.py (package moshi 0.2.13) or moshi-backend/src/stream_both.rs.

import { joinSound } from "./double-sound.js";
import { type PacketCodec, PageWriter, StrictPageReader } from "./moshi-ogg.js";

/** Which server is played. */
export type MoshiProfile = "python" | "rust";

/** Samples of a step. */
export const stepSamples = 1920;
const packetSamples = 960;
/** Steps in which the model returns nothing: the first, by its acoustic delay. */
const silentSteps = 1;
const keptSamples = 90 * 24_000;

/** Options of {@link MoshiPeer}. */
export interface MoshiPeerOptions {
  readonly profile: MoshiProfile;
  readonly codec: PacketCodec;
  send(message: Uint8Array): void;
  /** The server ends the connection; how is not known of the Rust server, so it does it without a word. */
  end(): void;
  /** Steps after which the Rust server ends; 4500 are 360 s. */
  readonly maxSteps?: number;
}

/** What the model says in a step. */
export interface MoshiStep {
  /** 1920 samples; absent: silence. */
  readonly pcm?: Int16Array;
  /** A piece of SentencePiece, `▁` for a space. */
  readonly text?: string;
}

export class MoshiPeer {
  /** What a client did that no client should. */
  readonly violations: string[] = [];
  /** Steps that were taken. */
  steps = 0;
  receivedSamples = 0;
  /** Decides what the model says; asked once for each step that returns something. */
  speak: (step: number) => MoshiStep = () => ({});
  readonly #options: MoshiPeerOptions;
  readonly #reader = new StrictPageReader();
  readonly #writer: PageWriter;
  #received: Int16Array[] = [];
  #pending: Int16Array = new Int16Array(0);
  #headed = false;
  #ready = false;
  #over = false;

  constructor(options: MoshiPeerOptions) {
    this.#options = options;
    // The serial of `sphn`; of the Rust server it is not known.
    this.#writer = new PageWriter(42);
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** The server has a place for this session. */
  start(): void {
    const { profile, send } = this.#options;
    if (this.#ready || this.#over) return;
    this.#ready = true;
    if (profile === "python") {
      send(Uint8Array.of(0));
      return;
    }
    send(Buffer.concat([Buffer.from([4]), Buffer.from('{"model":"moshiko"}')]));
    send(new Uint8Array(9));
    this.#headed = true;
    send(audio(this.#writer.header()));
  }

  receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#over) return;
    if (!this.#ready) this.#refuse("a message before the handshake", false);
    else if (!isBinary) this.#refuse("a text message", this.#options.profile === "rust");
    else if (data.length === 0) this.#refuse("an empty message", false);
    else if (data[0] === 1) this.#takeAudio(data.subarray(1));
    // The Rust server passes over what it knows of and has no use for.
    else this.#refuse(`kind ${data[0]}`, this.#options.profile === "rust" && data[0] > 6);
  }

  /** The last minute and a half of the user. */
  received(): Int16Array {
    return joinSound(this.#received);
  }

  #refuse(what: string, fatal: boolean): void {
    this.violations.push(what);
    if (fatal) this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#options.end();
  }

  #takeAudio(bytes: Uint8Array): void {
    try {
      for (const packet of this.#reader.push(bytes)) {
        const pcm = this.#options.codec.decode(packet);
        this.receivedSamples += pcm.length;
        this.#received.push(pcm);
        if (this.#received.length * packetSamples > keptSamples) this.#received.shift();
        this.#pending = joinSound([this.#pending, pcm]);
      }
    } catch (error) {
      this.#refuse(String(error), true);
      return;
    }
    // No input, no output: the model is paced by what it hears.
    while (this.#pending.length >= stepSamples && !this.#over) {
      this.#pending = this.#pending.slice(stepSamples);
      this.#step();
    }
  }

  #step(): void {
    const { profile, maxSteps = 4500, send, codec } = this.#options;
    if (profile === "rust" && this.steps >= maxSteps) {
      this.#end();
      return;
    }
    const step = this.steps++;
    if (step < silentSteps) return;
    const { pcm = new Int16Array(stepSamples), text } = this.speak(step);
    // Python's writer puts the header into its first bytes; pages are numbered in the order in which they are made.
    const pages = this.#headed ? [] : [this.#writer.header()];
    this.#headed = true;
    for (let at = 0; at < stepSamples; at += packetSamples) {
      const packet = codec.encode(pcm.slice(at, at + packetSamples));
      pages.push(this.#writer.packet(packet, packetSamples));
    }
    if (profile === "rust") for (const page of pages) send(audio(page));
    else send(audio(...pages));
    if (text !== undefined) send(Buffer.concat([Buffer.from([2]), Buffer.from(text.replaceAll("▁", " "))]));
  }
}

function audio(...pages: Uint8Array[]): Uint8Array {
  return Buffer.concat([Buffer.from([1]), ...pages]);
}
