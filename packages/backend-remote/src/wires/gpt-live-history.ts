// What a new GPT-Live session is told of the conversation so far: text only, within the limits of `input[]`.

/** Who said it; `developer` for what the application adds. */
export type GptLiveRole = "developer" | "user" | "assistant";

/** A message of the conversation before a session. */
export interface GptLiveMessage {
  readonly role: GptLiveRole;
  readonly text: string;
}

/** A message as `session.start` takes it. */
export interface GptLiveInputItem {
  readonly type: "message";
  readonly role: GptLiveRole;
  readonly content: readonly { readonly type: "input_text" | "output_text"; readonly text: string }[];
}

const maxMessages = 128;
/** Of the service's 8,192; its tokens are estimated here, so some are left. */
const maxTokens = 7000;
/** Most of one append. */
const maxAppendTokens = 450;
const maxMessageCharacters = 4000;

/**
 * Tokens of a text, rather too many than too few: three bytes of UTF-8 are one, where English has four and other scripts two
 * to three.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(new TextEncoder().encode(text).length / 3);
}

/** Cuts a text into pieces that one append takes, at the ends of sentences or words where there are any. */
export function splitForAppend(text: string): string[] {
  const pieces: string[] = [];
  let rest = text.trim();
  while (rest !== "") {
    const most = charactersWithin(rest, maxAppendTokens);
    let cut = rest.length;
    if (most < rest.length) {
      const head = rest.slice(0, most);
      const ends = [...head.matchAll(/[.!?。！？\n]\s/g)].map(({ index }) => index + 1);
      const sentence = ends.at(-1) ?? 0;
      const word = head.lastIndexOf(" ");
      cut = sentence > most / 2 ? sentence : word > 0 ? word : most;
    }
    pieces.push(rest.slice(0, cut).trim());
    rest = rest.slice(cut).trim();
  }
  return pieces;
}

/** Remembers a conversation as text: what was there before it, and its last words. */
export class TextHistory {
  readonly #before: readonly GptLiveMessage[];
  #since: GptLiveMessage[] = [];

  constructor(before: readonly GptLiveMessage[]) {
    this.#before = before;
  }

  /** Adds words; those of one speaker go on until another speaks. */
  add(role: GptLiveRole, text: string): void {
    if (text === "") return;
    const last = this.#since.at(-1);
    if (last?.role === role && last.text.length + text.length <= maxMessageCharacters) {
      this.#since[this.#since.length - 1] = { role, text: last.text + text };
      return;
    }
    this.#since.push({ role, text: text.slice(0, maxMessageCharacters) });
    if (this.#since.length > maxMessages) this.#since.shift();
  }

  /** The last words of the user, at most `most` characters. */
  lastOfUser(most: number): string {
    const text = this.#since.findLast(({ role }) => role === "user")?.text.trim() ?? "";
    return text.length <= most ? text : text.slice(-most).replace(/^\S*\s/, "");
  }

  /** What fits, the newest first chosen; in order. */
  items(): GptLiveInputItem[] {
    const all = [...this.#before, ...this.#since].filter(({ text }) => text.trim() !== "");
    const chosen: GptLiveInputItem[] = [];
    let tokens = 0;
    for (const { role, text } of all.reverse()) {
      // Its role and marks count, too.
      const more = estimateTokens(text) + 8;
      if (chosen.length === maxMessages || tokens + more > maxTokens) break;
      tokens += more;
      const type = role === "assistant" ? "output_text" : "input_text";
      chosen.push({ type: "message", role, content: [{ type, text: text.trim() }] });
    }
    return chosen.reverse();
  }
}

/** Characters at the start of a text that are at most so many tokens; never half a surrogate pair. */
function charactersWithin(text: string, tokens: number): number {
  let length = 0;
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > 3 * tokens) break;
    length += character.length;
  }
  return length;
}
