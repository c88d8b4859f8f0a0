// What the user said, item by item: services transcribe items beside each other, so that words of a later one may come first.

/** Items that wait for an earlier one; then that is given up. */
const maxWaiting = 8;
const maxCharacters = 8192;

interface Item {
  readonly id: string;
  text: string;
  /** Characters of it that were given. */
  given: number;
  done: boolean;
}

export class OrderedTranscripts {
  #items: Item[] = [];
  #anyGiven = false;

  /** An item of the user is there; its words come later. @returns words that waited for one that is given up for it */
  expect(id: string): string {
    this.#item(id);
    return this.#take();
  }

  /** Items that wait for their words, or for those of an earlier one. */
  get waiting(): number {
    return this.#items.length;
  }

  /** Words of an item that go on from those before. @returns words to tell now */
  add(id: string, text: string): string {
    const item = this.#item(id);
    if (item.text.length < maxCharacters) item.text += text.slice(0, maxCharacters);
    return this.#take();
  }

  /** An item is complete, or its transcript failed. @param text - all of it, where it is given again */
  done(id: string, text?: string): string {
    const item = this.#item(id);
    item.done = true;
    // What was given stays as it was: a whole that says it otherwise comes too late.
    const given = item.text.slice(0, item.given);
    if (text?.startsWith(given)) item.text = text.slice(0, maxCharacters);
    return this.#take();
  }

  /** Nothing more comes of any. */
  clear(): void {
    this.#items = [];
  }

  #item(id: string): Item {
    const known = this.#items.find((item) => item.id === id);
    if (known !== undefined) return known;
    const item: Item = { id, text: "", given: 0, done: false };
    this.#items.push(item);
    if (this.#items.length > maxWaiting) this.#items[0].done = true;
    return item;
  }

  #take(): string {
    let taken = "";
    while (this.#items.length > 0) {
      const first = this.#items[0];
      const more = first.text.slice(first.given);
      if (more !== "" && first.given === 0 && this.#anyGiven) taken += " ";
      taken += more;
      if (more !== "") this.#anyGiven = true;
      first.given = first.text.length;
      if (!first.done) break;
      this.#items.shift();
    }
    return taken;
  }
}
