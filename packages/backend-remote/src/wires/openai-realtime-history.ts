// A conversation as text, for the connection after the one that knew it by ear.

/** Who said it. */
export type RealtimeRole = "system" | "user" | "assistant";

interface Entry {
  readonly id: string;
  readonly role: RealtimeRole;
  text: string;
  /** Of the assistant: its sound so far, ms. */
  soundMs: number;
}

const maxEntries = 128;
const maxCharacters = 24_000;
const maxEntryLength = 4000;

export class RealtimeHistory {
  #entries: Entry[] = [];

  /** An item takes its place; its words may come later, in any order. */
  place(id: string, role: RealtimeRole, text = ""): void {
    this.#entry(id, role).text = text.slice(0, maxEntryLength);
  }

  /** Words of an item, which go on from those before. */
  add(id: string, role: RealtimeRole, text: string): void {
    const entry = this.#entry(id, role);
    entry.text = (entry.text + text).slice(0, maxEntryLength);
  }

  /** Sound of an item of the assistant. */
  addSound(id: string, ms: number): void {
    this.#entry(id, "assistant").soundMs += ms;
  }

  /** Sound of an item that has come, ms; 0 for one that is not known. */
  soundOf(id: string): number {
    return this.#entries.find((entry) => entry.id === id)?.soundMs ?? 0;
  }

  /** No more than this of an item was heard: its words are cut in proportion, at the end of one. */
  cut(id: string, heardMs: number): void {
    const entry = this.#entries.find((one) => one.id === id);
    if (entry === undefined) return;
    const share = entry.soundMs === 0 ? 0 : Math.min(1, heardMs / entry.soundMs);
    if (share === 1) return;
    const most = Math.floor(entry.text.length * share);
    const end = entry.text.lastIndexOf(" ", most);
    entry.text = end <= 0 ? "" : `${entry.text.slice(0, end)} …`;
    entry.soundMs = heardMs;
  }

  remove(id: string): void {
    this.#entries = this.#entries.filter((entry) => entry.id !== id);
  }

  /** The last of it that fits, in order. */
  items(): { readonly role: RealtimeRole; readonly text: string }[] {
    const chosen: { role: RealtimeRole; text: string }[] = [];
    let characters = 0;
    for (const { role, text } of this.#entries.toReversed()) {
      if (text.trim() === "") continue;
      characters += text.length;
      if (characters > maxCharacters) break;
      chosen.push({ role, text: text.trim() });
    }
    return chosen.reverse();
  }

  #entry(id: string, role: RealtimeRole): Entry {
    const known = this.#entries.find((entry) => entry.id === id);
    if (known !== undefined) return known;
    const entry: Entry = { id, role, text: "", soundMs: 0 };
    this.#entries.push(entry);
    if (this.#entries.length > maxEntries) this.#entries.shift();
    return entry;
  }
}
