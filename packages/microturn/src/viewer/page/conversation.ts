// The session as people read it: who said what, and when. Also the way in for those who cannot use the canvas.

import type { BackgroundLine } from "./background-panel.js";
import { make } from "./dom.js";
import { formatTime } from "./session-view.js";
import type { Phrase } from "./words.js";

/** Fills a list with both sides and the background in order of time; `onChoose` gets the micro-turn of a line that is chosen. */
export function showConversation(
  list: HTMLElement,
  heard: readonly Phrase[],
  said: readonly Phrase[],
  background: readonly BackgroundLine[],
  onChoose: (turn: number) => void,
): void {
  const lines = [
    ...heard.map((phrase) => ({ who: "user", name: "User", phrase })),
    ...background.map(({ name, timeMs, turn, text }) => ({
      ...{ who: "background", name },
      phrase: { startMs: timeMs, text, turn },
    })),
    ...said.map((phrase) => ({ who: "assistant", name: "Assistant", phrase })),
  ].sort((a, b) => a.phrase.startMs - b.phrase.startMs);
  list.replaceChildren(
    ...lines.map(({ who, name, phrase }) => {
      const button = make("button", `line ${who}`, [
        make("span", "time", formatTime(phrase.startMs).slice(0, -2)),
        make("span", "who", name),
        make("span", "words", phrase.text),
      ]);
      button.addEventListener("click", () => onChoose(phrase.turn));
      return make("li", "", [button]);
    }),
  );
  if (lines.length === 0) list.append(make("li", "muted", "No words were heard or said in this session."));
}
