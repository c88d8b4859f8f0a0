// The responses of a session: which are under way, which were cut, and the epoch, which counts interruptions and voids all
// sound of before.

import { Pcm16Stream } from "../codec/pcm16.js";
import { MarkedText } from "./vllm-omni-text.js";

/** Responses that are remembered, and names of those that were cut. */
const maxReplies = 64;
const maxCut = 256;
/** Micro-turns after which an interruption that the service does not confirm is given up. */
const patience = 10;

/** One response. */
export interface OmniReply {
  readonly id: string;
  readonly pcm: Pcm16Stream;
  readonly text: MarkedText;
  /** Its end has not come. */
  live: boolean;
  sounded: boolean;
}

export class OmniReplies {
  readonly #replies = new Map<string, OmniReply>();
  readonly #cut = new Set<string>();
  #epoch = 0;
  /** What comes of a lower epoch is not wanted: an interruption of ours is on its way. */
  #fence = 0;
  #fenceTurns = 0;

  /** Those whose end has not come, in the order in which they came. */
  get live(): readonly OmniReply[] {
    return [...this.#replies.values()].filter((reply) => reply.live);
  }

  /** The reply that came last of those that sound. */
  get last(): OmniReply | undefined {
    return [...this.#replies.values()].findLast((reply) => reply.sounded);
  }

  /** Another session begins. */
  reset(epoch: number): void {
    this.#replies.clear();
    this.#cut.clear();
    this.#epoch = epoch;
    this.#fence = 0;
  }

  /**
   * An event tells the epoch.
   *
   * @returns whether it has risen: all that there was of replies is void
   */
  see(epoch: number): boolean {
    if (epoch <= this.#epoch) return false;
    this.#epoch = epoch;
    this.cutAll();
    return true;
  }

  /** The response of a name that is still wanted; made if it is new. */
  wanted(id: string, epoch: number | undefined): OmniReply | undefined {
    if (this.#cut.has(id)) return undefined;
    if (epoch !== undefined && epoch < Math.max(this.#epoch, this.#fence)) return undefined;
    const known = this.#replies.get(id);
    if (known !== undefined) return known;
    const reply = { id, pcm: new Pcm16Stream(), text: new MarkedText(), live: true, sounded: false };
    this.#replies.set(id, reply);
    const [oldest] = this.#replies.keys();
    if (this.#replies.size > maxReplies) this.#replies.delete(oldest);
    return reply;
  }

  /** The response of a name, if there is one and it was not cut. */
  known(id: string): OmniReply | undefined {
    return this.#replies.get(id);
  }

  /** Nothing more is wanted of a response. */
  cut(id: string): void {
    this.#replies.delete(id);
    this.#cut.add(id);
    const [oldest] = this.#cut;
    if (this.#cut.size > maxCut) this.#cut.delete(oldest);
  }

  cutAll(): void {
    for (const id of [...this.#replies.keys()]) this.cut(id);
  }

  /** We interrupt: the service counts its epoch up when it has done so. */
  expectRise(): void {
    this.#fence = this.#epoch + 1;
    this.#fenceTurns = 0;
  }

  /** The service does not do it. */
  noRise(): void {
    this.#fence = 0;
  }

  /** A micro-turn has passed. */
  tick(): void {
    if (this.#fence > this.#epoch && ++this.#fenceTurns >= patience) this.#fence = 0;
  }
}
