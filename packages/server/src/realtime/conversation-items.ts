// The items of a conversation, in order: what the client has written, what the user was heard to say, what the assistant said
// and which functions it called. The oldest go when there are too many.

import { type Fields, invalidValue } from "./fields.js";
import type { ItemSound } from "./item-sound.js";
import { RealtimeError } from "./realtime-error.js";

const maxItems = 1000;

export interface ConversationItem {
  readonly id: string;
  readonly type: string;
  readonly role?: string;
  status: "in_progress" | "completed" | "incomplete";
  /** What else is shown of it. */
  shown: Fields;
  /** Of a message of the assistant. */
  readonly sound?: ItemSound;
  /** The response that it came in. */
  readonly responseId?: string;
}

/** Where to put an item: after another, first, or (undefined) last. */
export type Place = string | "root" | undefined;

export class ConversationItems {
  readonly #items: ConversationItem[] = [];
  readonly #promised = new Set<string>();

  get(id: string): ConversationItem | undefined {
    return this.#items.find((item) => item.id === id);
  }

  /** The message of a response, the last if it has several. */
  messageOf(responseId: string): ConversationItem | undefined {
    return this.#items.findLast((item) => item.responseId === responseId && item.sound !== undefined);
  }

  get lastId(): string | null {
    return this.#items.at(-1)?.id ?? null;
  }

  /** An id of which the client has been told, and whose item comes later: it is taken. */
  promise(id: string): void {
    this.#promised.add(id);
  }

  /** Adds an item whose id was promised. @returns as {@link add} */
  addPromised(item: ConversationItem): string | null {
    this.#promised.delete(item.id);
    return this.add(item);
  }

  /**
   * @returns id of the item before it, null if there is none
   * @throws RealtimeError if its id is taken, or the place does not exist
   */
  add(item: ConversationItem, place?: Place): string | null {
    this.checkPlace(item.id, place);
    const at =
      place === undefined
        ? this.#items.length
        : place === "root"
          ? 0
          : this.#items.findIndex(({ id }) => id === place) + 1;
    this.#items.splice(at, 0, item);
    const before = this.#items[at - 1]?.id ?? null;
    if (this.#items.length > maxItems) this.#items.shift();
    return before;
  }

  /** @throws RealtimeError as {@link add} */
  checkPlace(id: string, place: Place): void {
    if (this.get(id) !== undefined || this.#promised.has(id))
      throw invalidValue("item.id", "an item has this id already");
    if (place === undefined || place === "root" || this.get(place) !== undefined) return;
    throw new RealtimeError("item_create_invalid_previous_item_id", "The item of 'previous_item_id' does not exist.", {
      param: "previous_item_id",
    });
  }

  /** @returns whether there was one */
  remove(id: string): boolean {
    const at = this.#items.findIndex((item) => item.id === id);
    if (at >= 0) this.#items.splice(at, 1);
    return at >= 0;
  }
}

/** An item as events carry it. */
export function shownItem({ id, type, role, status, shown }: ConversationItem): Fields {
  return { id, object: "realtime.item", type, status, ...(role === undefined ? {} : { role }), ...shown };
}
