// What both sides say, as lines of text that grow word by word; it is what screen readers follow.

import { make } from "../../viewer/page/dom.js";
import { formatTime } from "../../viewer/page/session-view.js";
import { joinText } from "../../viewer/page/words.js";
import { lettersOf } from "./live-history.js";

/** Who says it. `note` is said by nobody. */
export type Speaker = "user" | "typed" | "assistant" | "note";

const names: Readonly<Record<Speaker, string>> = { user: "You", typed: "You", assistant: "mini", note: "" };
/** A speaker who is silent for longer than this begins a new line, micro-turns. */
const pauseTurns = 6;
/** The oldest lines go. */
const mostLines = 300;

interface Line {
  readonly words: HTMLElement;
  lastTurn: number;
}

/** The conversation as a list of lines in an element. */
export class ConversationLog {
  readonly #lines = make("div", "lines");
  readonly #last = new Map<Speaker, Line>();
  #turnMs = 200;

  /** @param element - the lines scroll in it */
  constructor(element: HTMLElement) {
    element.append(this.#lines);
    // Whoever has scrolled up to read is left there.
    let followsEnd = true;
    element.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = element;
      followsEnd = scrollHeight - scrollTop - clientHeight < 60;
    });
    // After the browser's own layout: at any other time, to know where the end is costs another one.
    new ResizeObserver(() => {
      if (followsEnd) element.scrollTop = element.scrollHeight;
    }).observe(this.#lines);
  }

  /** Forgets everything, for a new session. */
  begin(turnMs: number): void {
    this.#turnMs = turnMs;
    this.#last.clear();
    this.#lines.replaceChildren();
  }

  /** Adds words; they go on in the speaker's line, unless there was a pause. */
  add(speaker: Speaker, text: string, turnIndex: number): void {
    if (text.trim() === "") return;
    const last = this.#last.get(speaker);
    if (last !== undefined && speaker !== "typed" && speaker !== "note" && turnIndex - last.lastTurn <= pauseTurns) {
      const before = last.words.textContent ?? "";
      // A new node for new words: what was there is not read out again.
      last.words.append(joinText(before, text).slice(before.length));
      last.lastTurn = turnIndex;
    } else {
      this.#last.set(speaker, { words: this.#newLine(speaker, text, turnIndex), lastTurn: turnIndex });
    }
  }

  /** The assistant gave up the floor: its line ends here, and says so. */
  yield(): void {
    this.#last.get("assistant")?.words.append(make("span", "yields", "stops: you broke in"));
    this.#last.delete("assistant");
  }

  /** Takes the last words of the assistant out again: their sound was given up before anybody heard it. */
  takeBack(unheard: string): void {
    let left = lettersOf(unheard);
    const lines = [...this.#lines.querySelectorAll<HTMLElement>(".said.assistant")];
    for (let line = lines.pop(); line !== undefined && left > 0; line = lines.pop()) {
      const words = line.querySelector<HTMLElement>(".words");
      if (words === null) continue;
      left = takeEnd(words, left);
      if (words.textContent?.trim() === "") line.remove();
    }
    const last = this.#last.get("assistant");
    if (last !== undefined && !last.words.isConnected) this.#last.delete("assistant");
  }

  #newLine(speaker: Speaker, text: string, turnIndex: number): HTMLElement {
    const words = make("span", "words", text.trim());
    const who = make("span", "who", names[speaker]);
    const how = speaker === "typed" ? [make("span", "how", "typed")] : [];
    const time = make("span", "time", formatTime((turnIndex + 1) * this.#turnMs, true));
    this.#lines.append(make("p", `said ${speaker}`, [make("span", "head", [who, ...how, time]), words]));
    while (this.#lines.childElementCount > mostLines) this.#lines.firstElementChild?.remove();
    return words;
  }
}

/** Takes the last letters out of an element's own text, whatever spaces are between them. @returns how many there were too few */
function takeEnd(element: HTMLElement, letters: number): number {
  let left = letters;
  for (const node of [...element.childNodes].reverse()) {
    if (!(node instanceof Text)) continue;
    let end = node.data.length;
    while (left > 0 && end > 0) if (/\S/.test(node.data[--end])) left--;
    if (end === node.data.length) break;
    node.data = node.data.slice(0, end).trimEnd();
    if (node.data === "") node.remove();
  }
  return left;
}
