// What was said and seen in the sessions of a conversation that are over, for the work that is asked for in later ones.
// All of it is on one clock, that of the conversation, which begins with its first session.

import type { Clock, DuplexSession } from "@microturn/core";
import { compactContext } from "../context/compact-context.js";
import type { ContextEntry, ContextImage, DelegationContext } from "../jobs/job.js";
import type { Kept, PastRoom } from "./past-room.js";
import type { SeenImages } from "./seen-images.js";

/** What a delegation carries of the conversation. */
export type TalkContext = Pick<DelegationContext, "entries" | "leftOut" | "images">;

/** A session on the clock of its conversation. */
export interface Part {
  readonly session: DuplexSession;
  readonly images: SeenImages;
  /** From the clock of the session to that of the conversation, ms. */
  readonly offsetMs: number;
  /** Its own words begin here: what was said before, when it went on from a snapshot, is known from other sessions. */
  readonly fromTurn: number;
}

const noImages: Promise<readonly ContextImage[]> = Promise.resolve([]);

export class PastTalk implements Kept {
  readonly #clock: Clock;
  readonly #room: PastRoom;
  readonly #bound: { readonly maxChars: number };
  readonly #maxImages: number;
  /** On the clock of the machine; undefined before the first session. */
  #begunMs: number | undefined;
  #entries: readonly ContextEntry[] = [];
  #leftOut = 0;
  #images = noImages;
  #seen = false;

  constructor(
    clock: Clock,
    room: PastRoom,
    { contextChars, maxImages }: { readonly contextChars: number; readonly maxImages: number },
  ) {
    this.#clock = clock;
    this.#room = room;
    this.#bound = { maxChars: contextChars };
    this.#maxImages = maxImages;
  }

  /** Whether nothing was said or seen. */
  get empty(): boolean {
    return this.#entries.length === 0 && !this.#seen;
  }

  /** Where a session that begins now stands: after all that was said, also if its clock runs faster than the machine's. */
  offsetOf(session: DuplexSession): number {
    const nowMs = this.#clock.now();
    this.#begunMs ??= nowMs - session.timeMs;
    const lastMs = this.#entries.at(-1)?.timeMs ?? 0;
    return Math.max(nowMs - this.#begunMs, lastMs) - session.timeMs;
  }

  /** Keeps what was said and seen in a session that is over. */
  keep(part: Part): void {
    const { entries, leftOut } = compactContext(this.#talk([part]), this.#bound);
    this.#entries = entries;
    this.#leftOut += leftOut;
    this.#hold([]);
    if (part.images.empty) return;
    this.#seen = true;
    const images = Promise.all([this.#images, imagesOf(part)]).then((seen) => {
      const last = this.#last(seen.flat());
      if (this.#images === images) this.#hold(last);
      return last;
    });
    this.#images = images;
  }

  clear(): void {
    this.#leftOut += this.#entries.length;
    this.#entries = [];
    this.#images = noImages;
    this.#seen = false;
    this.#hold([]);
  }

  /** All that was said, and the last that was seen. @param parts - the sessions that are there */
  async context(parts: readonly Part[]): Promise<TalkContext> {
    const { entries, leftOut } = compactContext(this.#talk(parts), this.#bound);
    const context = { entries, leftOut: this.#leftOut + leftOut };
    const images = await Promise.all([this.#images, ...parts.map(imagesOf)]);
    return { ...context, images: this.#last(images.flat()) };
  }

  /** @param images - those that are kept, once they are written */
  #hold(images: readonly ContextImage[]): void {
    const lengths = [...this.#entries.map(({ text }) => text.length), ...images.map(({ png }) => png.length)];
    this.#room.hold(
      this,
      lengths.reduce((sum, length) => sum + length, 0),
    );
  }

  /** In the order of time: of sessions at once, the one that ends first has not said all of it first. */
  #talk(parts: readonly Part[]): readonly ContextEntry[] {
    const said = parts.flatMap(entriesOf);
    return said.length === 0 ? this.#entries : [...this.#entries, ...said].sort(byTime);
  }

  #last(images: readonly ContextImage[]): readonly ContextImage[] {
    return this.#maxImages === 0 ? [] : [...images].sort(byTime).slice(-this.#maxImages);
  }
}

function entriesOf({ session, offsetMs, fromTurn }: Part): readonly ContextEntry[] {
  const { turnDurationMs } = session.capabilities;
  return session.conversation
    .filter(({ turnIndex }) => turnIndex >= fromTurn)
    .map(({ speaker, text, turnIndex }) => ({ speaker, text, timeMs: turnIndex * turnDurationMs + offsetMs }));
}

/** An image that cannot be written is not worth the work. */
async function imagesOf({ images, offsetMs }: Part): Promise<readonly ContextImage[]> {
  const seen = await images.encode().catch(() => []);
  return seen.map((image) => ({ ...image, timeMs: image.timeMs + offsetMs }));
}

function byTime(a: { readonly timeMs: number }, b: { readonly timeMs: number }): number {
  return a.timeMs - b.timeMs;
}
