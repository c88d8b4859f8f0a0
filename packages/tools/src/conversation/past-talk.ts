// What was said and seen in the sessions of a conversation that are over, for the work that is asked for in later ones.
// All of it is on one clock, that of the conversation, which begins with its first session.

import type { Clock, DuplexSession } from "@microturn/core";
import { compactContext } from "../context/compact-context.js";
import type { ContextEntry, ContextImage, DelegationContext } from "../jobs/job.js";
import type { SeenImages } from "./seen-images.js";

/** What a delegation carries of the conversation. */
export type TalkContext = Pick<DelegationContext, "entries" | "leftOut" | "images">;

/** A session on the clock of its conversation. */
export interface Part {
  readonly session: DuplexSession;
  readonly images: SeenImages;
  /** From the clock of the session to that of the conversation, ms. */
  readonly offsetMs: number;
}

export class PastTalk {
  readonly #clock: Clock;
  readonly #bound: { readonly maxChars?: number };
  readonly #maxImages: number;
  /** On the clock of the machine; undefined before the first session. */
  #begunMs: number | undefined;
  #entries: readonly ContextEntry[] = [];
  #leftOut = 0;
  #images: Promise<readonly ContextImage[]> = Promise.resolve([]);

  constructor(
    clock: Clock,
    { contextChars, maxImages }: { readonly contextChars: number | undefined; readonly maxImages: number },
  ) {
    this.#clock = clock;
    this.#bound = contextChars === undefined ? {} : { maxChars: contextChars };
    this.#maxImages = maxImages;
  }

  /** Whether nothing was said. */
  get empty(): boolean {
    return this.#entries.length === 0;
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
    const before = this.#images;
    this.#images = imagesOf(part).then(async (images) => this.#last([...(await before), ...images]));
  }

  /** All that was said, and the last that was seen. @param parts - the sessions that are there */
  async context(parts: readonly Part[]): Promise<TalkContext> {
    const { entries, leftOut } = compactContext(this.#talk(parts), this.#bound);
    const past = this.#images;
    const images = await Promise.all(parts.map(imagesOf));
    return { entries, leftOut: this.#leftOut + leftOut, images: this.#last([...(await past), ...images.flat()]) };
  }

  #talk(parts: readonly Part[]): readonly ContextEntry[] {
    const said = parts.flatMap((part) => entriesOf(part, this.empty));
    if (said.length === 0) return this.#entries;
    return parts.length === 1 ? [...this.#entries, ...said] : [...this.#entries, ...said].sort(byTime);
  }

  #last(images: readonly ContextImage[]): readonly ContextImage[] {
    return this.#maxImages === 0 ? [] : [...images].sort(byTime).slice(-this.#maxImages);
  }
}

/** @param isFirst - whether nothing was said before: else what the session began with, when it went on from a snapshot, is known */
function entriesOf({ session, offsetMs }: Part, isFirst: boolean): readonly ContextEntry[] {
  const { turnDurationMs } = session.capabilities;
  const said = isFirst
    ? session.conversation
    : session.conversation.filter(({ turnIndex }) => turnIndex >= session.firstTurn);
  return said.map(({ speaker, text, turnIndex }) => ({
    ...{ speaker, text, timeMs: turnIndex * turnDurationMs + offsetMs },
  }));
}

/** An image that cannot be written is not worth the work. */
async function imagesOf({ images, offsetMs }: Part): Promise<readonly ContextImage[]> {
  const seen = await images.encode().catch(() => []);
  return seen.map((image) => ({ ...image, timeMs: image.timeMs + offsetMs }));
}

function byTime(a: { readonly timeMs: number }, b: { readonly timeMs: number }): number {
  return a.timeMs - b.timeMs;
}
