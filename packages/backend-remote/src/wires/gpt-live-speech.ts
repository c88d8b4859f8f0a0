// GPT-Live sends one stream of sound without names, silence included: where a reply begins and ends is told by its energy.
// Its words come with times on the session's timeline, apart from the sound.

import type { WireEvents } from "../wire.js";

/** Sound below this peak is silence: about the noise of 16-bit speech synthesis, -54 dBFS. */
const quietPeak = 0.002;
/** A pause up to this is part of a reply. LiveKit's adapter to GPT-Live takes the same; OpenAI says nothing about it. */
const pauseMs = 800;
/** The same while a reply is dropped: the sooner it is over, the less of the next one is lost. */
const droppedPauseMs = 500;
/** Sound before the first loud sample that belongs to it. */
const leadMs = 60;
/** Micro-turns without any sound after which a reply is over. */
const stalledUnits = 4;
/** Micro-turns that words wait for their sound. */
const patientUnits = 10;
const maxHeldWords = 256;
const maxPieceLength = 4096;
const longestReplyMs = 3_600_000;

/** Cuts the sound of one session into replies, and puts words to them. All replies have the name "". */
export class SpeechGate {
  readonly #samplesPerMs: number;
  #events: WireEvents | undefined;
  #open = false;
  #dropping = false;
  /** Silence before a reply, the last of it. */
  #lead: Float32Array = new Float32Array(0);
  /** Silence at the end of what came last. */
  #quiet = 0;
  /** Sound of the reply that is under way, or was last. */
  #samples = 0;
  /** Where the reply begins on the timeline, ms, as its first words say. */
  #startMs: number | undefined;
  /** Where the last one ended. */
  #endMs: number | undefined;
  #words: { readonly text: string; readonly startMs: number | undefined }[] = [];
  #unitsSinceSound = 0;
  #unitsSinceWords = 0;

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
  }

  /** Another connection: a reply that was under way is over, and the timeline starts anew. */
  reset(events: WireEvents): void {
    this.#events = events;
    this.#end();
    this.#lead = new Float32Array(0);
    this.#words = [];
    this.#samples = 0;
    this.#endMs = undefined;
  }

  /** Whether sound is on its way that is not silence. */
  get open(): boolean {
    return this.#open;
  }

  /** What is under way, and what comes of it, is not passed on. */
  drop(): void {
    if (!this.#open) return;
    this.#dropping = true;
    this.#words = [];
  }

  /** @param pcm - given away */
  sound(pcm: Float32Array): void {
    this.#unitsSinceSound = 0;
    let from = 0;
    while (from < pcm.length) from = this.#open ? this.#goOn(pcm, from) : this.#await(pcm, from);
  }

  /**
   * @param startMs - on the session's timeline
   * @returns false if they belong to what is dropped
   */
  words(piece: string, startMs: number | undefined): boolean {
    if (this.#dropping) return false;
    const text = piece.slice(0, maxPieceLength);
    if (this.#open) this.#say(text, startMs);
    else if (this.#isLate(startMs)) this.#sayAtOnce(text);
    else if (this.#words.length < maxHeldWords) {
      if (this.#words.length === 0) this.#unitsSinceWords = 0;
      this.#words.push({ text, startMs });
    }
    return true;
  }

  /** A micro-turn of the user was sent: time goes on, also when nothing comes. */
  unit(): void {
    this.#unitsSinceSound++;
    this.#unitsSinceWords++;
    if (this.#open && this.#unitsSinceSound >= stalledUnits) this.#end();
    if (this.#words.length === 0 || this.#unitsSinceWords < patientUnits) return;
    for (const { text } of this.#words) this.#sayAtOnce(text);
    this.#words = [];
  }

  /** Outside of a reply: looks for its beginning. @returns how much was used */
  #await(pcm: Float32Array, from: number): number {
    let at = from;
    while (at < pcm.length && Math.abs(pcm[at]) < quietPeak) at++;
    const most = Math.round(leadMs * this.#samplesPerMs);
    const silence = pcm.subarray(Math.max(from, at - most), at);
    const before = this.#lead.subarray(Math.max(0, this.#lead.length + silence.length - most));
    const lead = new Float32Array(before.length + silence.length);
    lead.set(before);
    lead.set(silence, before.length);
    this.#lead = lead;
    if (at < pcm.length) this.#begin();
    return at;
  }

  #begin(): void {
    this.#open = true;
    this.#quiet = 0;
    this.#samples = 0;
    this.#startMs = undefined;
    for (const { text, startMs } of this.#words) this.#say(text, startMs);
    this.#words = [];
    this.#pass(this.#lead);
    this.#lead = new Float32Array(0);
  }

  /** Inside of a reply: passes sound on until its end. @returns how much was used */
  #goOn(pcm: Float32Array, from: number): number {
    const most = Math.round((this.#dropping ? droppedPauseMs : pauseMs) * this.#samplesPerMs);
    let at = from;
    while (at < pcm.length && this.#quiet < most) {
      this.#quiet = Math.abs(pcm[at]) < quietPeak ? this.#quiet + 1 : 0;
      at++;
    }
    this.#pass(pcm.slice(from, at));
    if (this.#quiet >= most) this.#end();
    return at;
  }

  #pass(pcm: Float32Array): void {
    this.#samples += pcm.length;
    if (!this.#dropping && pcm.length > 0) this.#events?.audio(pcm, "");
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#endMs = this.#startMs === undefined ? undefined : this.#startMs + this.#samples / this.#samplesPerMs;
    if (!this.#dropping) this.#events?.replyEnd("");
    this.#dropping = false;
  }

  #say(text: string, startMs: number | undefined): void {
    if (startMs === undefined) {
      this.#events?.text(text, "");
      return;
    }
    // The first words and the first sound of a reply belong together, whatever the timeline counts.
    this.#startMs ??= startMs;
    this.#events?.text(text, "", Math.min(longestReplyMs, Math.max(0, startMs - this.#startMs)));
  }

  /** Words that have no sound any more to wait for. */
  #sayAtOnce(text: string): void {
    this.#events?.text(text, "");
    this.#events?.replyEnd("");
  }

  /** Whether words belong to the reply that was last. */
  #isLate(startMs: number | undefined): boolean {
    if (this.#samples === 0) return false;
    if (startMs === undefined || this.#endMs === undefined) return this.#unitsSinceSound <= stalledUnits;
    return startMs < this.#endMs;
  }
}
