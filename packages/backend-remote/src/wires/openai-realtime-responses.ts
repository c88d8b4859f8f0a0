// One response at a time: when one may be asked for, and which of those that come are wanted.

/** What the keeper of responses does on the wire. */
export interface ResponseActions {
  /** Sends `response.create`. */
  create(): void;
  /** Sends `response.cancel`. */
  cancel(responseId: string): void;
}

/** Micro-turns after which a response that does not come is no longer waited for. */
const patience = { asked: 75, expected: 25 };
/** Names of responses that are not wanted any more; what still comes of them is passed over. */
const maxUnwanted = 256;

export class RealtimeResponses {
  readonly #actions: ResponseActions;
  #active: string | undefined;
  /** A response is about to come: we asked for it, or the service answers by itself. */
  #coming: { readonly why: "asked" | "expected"; turns: number } | undefined;
  /** It is to be cancelled as soon as it has a name: a cancel before has no effect. */
  #cancelComing = false;
  /** Items that want an answer, and whether the service has them; and those of them that a response was asked for. */
  readonly #unanswered = new Map<string, boolean>();
  #asked: readonly string[] = [];
  #again = false;
  readonly #unwanted = new Set<string>();

  constructor(actions: ResponseActions) {
    this.#actions = actions;
  }

  /** A response is to answer an item that was just sent; with no name, whatever there is. */
  want(itemId?: string): void {
    if (itemId === undefined) this.#again = true;
    else this.#unanswered.set(itemId, false);
    this.#createIfFree();
  }

  /** The service has an item. A response that begins later knows it. */
  itemAdded(itemId: string): void {
    if (this.#unanswered.has(itemId)) this.#unanswered.set(itemId, true);
  }

  /** The service answers by itself, soon. */
  expect(): void {
    if (this.#active === undefined) this.#coming ??= { why: "expected", turns: 0 };
  }

  /** The user speaks: what the service was about to answer is not answered yet. */
  userSpeaks(): void {
    if (this.#coming?.why !== "expected") return;
    this.#coming = undefined;
    this.#cancelComing = false;
  }

  /** The reply that is under way, or about to come, is not wanted, nor one to what was sent so far. */
  interrupt(): void {
    this.#again = false;
    this.#unanswered.clear();
    if (this.#active !== undefined) {
      if (this.#unwanted.has(this.#active)) return;
      this.reject(this.#active);
      this.#actions.cancel(this.#active);
    } else if (this.#coming !== undefined) this.#cancelComing = true;
  }

  /** The service has cut the reply that is under way; nothing more of it is wanted. */
  cut(): void {
    if (this.#active !== undefined) this.reject(this.#active);
  }

  /** Nothing more of a response is wanted. */
  reject(responseId: string): void {
    this.#unwanted.add(responseId);
    const [oldest] = this.#unwanted;
    if (this.#unwanted.size > maxUnwanted) this.#unwanted.delete(oldest);
  }

  created(responseId: string): void {
    const asked = this.#coming?.why === "asked";
    this.#active = responseId;
    this.#coming = undefined;
    if (this.#cancelComing) {
      this.#cancelComing = false;
      this.reject(responseId);
      this.#actions.cancel(responseId);
      return;
    }
    this.#again = false;
    for (const [id, added] of this.#unanswered) if (added) this.#unanswered.delete(id);
    if (asked) for (const id of this.#asked) this.#unanswered.delete(id);
  }

  /** Whether what comes of a response is to be heard. */
  isWanted(responseId: string): boolean {
    return !this.#unwanted.has(responseId);
  }

  done(responseId: string): void {
    if (this.#active === responseId) this.#active = undefined;
    this.#createIfFree();
  }

  /**
   * `response.create` was refused.
   *
   * @param busy - because another is under way: what that does not answer is asked for again after it
   */
  refused(busy: boolean): void {
    if (this.#coming?.why === "asked") {
      this.#coming = undefined;
      this.#cancelComing = false;
    }
    if (!busy) for (const id of this.#asked) this.#unanswered.delete(id);
  }

  /**
   * There was nothing to cancel: what we took for active is over, unless another has begun meanwhile.
   *
   * @param eventId - of the event that was refused; has the name of the response in it
   */
  noneActive(eventId: string): void {
    const active = this.#active;
    if (active !== undefined && eventId !== "" && !eventId.includes(active)) return;
    this.#active = undefined;
    this.#createIfFree();
  }

  /** A micro-turn has passed. */
  tick(): void {
    if (this.#coming === undefined || ++this.#coming.turns < patience[this.#coming.why]) return;
    this.#coming = undefined;
    this.#cancelComing = false;
    this.#createIfFree();
  }

  /** Another connection begins. @returns whether something wanted an answer that had not begun */
  reset(): boolean {
    const wanted = this.#again || this.#unanswered.size > 0;
    this.#active = undefined;
    this.#coming = undefined;
    this.#cancelComing = false;
    this.#again = false;
    this.#asked = [];
    this.#unanswered.clear();
    this.#unwanted.clear();
    return wanted;
  }

  #createIfFree(): void {
    if (this.#active !== undefined || this.#coming !== undefined) return;
    if (this.#unanswered.size === 0 && !this.#again) return;
    this.#again = false;
    this.#asked = [...this.#unanswered.keys()];
    this.#coming = { why: "asked", turns: 0 };
    this.#actions.create();
  }
}
