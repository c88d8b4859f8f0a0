// The background in the document: in the inspector, as lines of the conversation, and as a legend.

import type { BackgroundView, CallView, Moment, WorkView } from "./background-view.js";
import {
  callLines,
  count,
  deltaLines,
  entryLines,
  nameOf,
  outcomeOf,
  room,
  taskOf,
  workLines,
  workOutcomeOf,
} from "./background-words.js";
import { briefText } from "./brief.js";
import { make } from "./dom.js";
import { phrases } from "./words.js";

/** Of each kind in the inspector; the rest is counted. */
const most = { works: 5, calls: 8, words: 6 } as const;
/** Lines in the conversation. */
const mostLines = 1_000;

/** All about the work that is under way in a micro-turn, or undefined if none is. */
export function backgroundPanel(background: BackgroundView, turn: number, turnMs: number): HTMLElement | undefined {
  const during = (start: Moment, end: Moment) => start.turn <= turn && end.turn >= turn;
  const works = background.works.filter(({ start, last }) => during(start, last));
  const loose = background.loose.filter((entry) => entry.turn === turn);
  if (works.length + loose.length === 0) return undefined;
  const panel = make("div", "background", [make("h4", "", "Background")]);
  const lines = (texts: readonly string[]) => texts.map((text) => make("p", "", text));
  const words = <T extends Moment>(list: readonly T[], tell: (item: T) => string[]): HTMLElement[] =>
    cut(
      list.filter((item) => item.turn === turn),
      most.words,
      (item) => make("div", "told", lines(tell(item))),
    );
  const entry = (item: BackgroundView["loose"][number]) => entryLines(item, turnMs, room.full);
  const callBox = (call: CallView) => {
    const box = make("div", `call outcome-${call.outcome ?? "open"}`, lines(callLines(call, turnMs, room.full)));
    return box;
  };
  const workBox = (work: WorkView) =>
    make("div", `work outcome-${work.outcome}`, [
      ...lines(workLines(work, turnMs, room.full)),
      ...words(work.deltas, (delta) => deltaLines(delta, turnMs, room.full)),
      ...words(work.entries, entry),
      ...cut(
        work.calls.filter(({ start, end }) => during(start, end)),
        most.calls,
        callBox,
      ),
    ]);
  panel.append(...words(loose, entry), ...cut(works, most.works, workBox));
  return panel;
}

function cut<T>(list: readonly T[], limit: number, box: (item: T) => HTMLElement): HTMLElement[] {
  const shown = list.slice(0, limit).map(box);
  if (list.length > limit) shown.push(make("p", "muted", `and ${list.length - limit} more`));
  return shown;
}

/** A line of the conversation. */
export interface BackgroundLine {
  readonly timeMs: number;
  readonly turn: number;
  readonly name: string;
  readonly text: string;
}

/** Work as it was handed over, and results where they entered, for the conversation. */
export function backgroundLines({ works, loose }: BackgroundView, turnMs: number): BackgroundLine[] {
  const lines: BackgroundLine[] = [];
  for (const work of works) {
    const { timeMs, turn } = work.start;
    const calls = work.calls.slice(0, 4).map((call) => `${nameOf(call)} ${outcomeOf(call)}`);
    if (work.calls.length > calls.length) calls.push(`${count(work.calls.length - calls.length, "more call")}`);
    const text = [taskOf(work, 300), workOutcomeOf(work), ...calls].join(" · ");
    lines.push({ timeMs, turn, name: "Task", text });
  }
  for (const entries of [loose, ...works.map((work) => work.entries)]) {
    for (const { turn, text } of phrases(entries)) {
      // Before the words that it makes the assistant say in that micro-turn.
      lines.push({ timeMs: turn * turnMs, turn, name: "Result", text: briefText(text, room.full) });
    }
  }
  lines.sort((a, b) => a.timeMs - b.timeMs);
  const left = lines.splice(mostLines).length;
  const last = lines.at(-1);
  if (left > 0 && last !== undefined)
    lines.push({ ...last, name: "Background", text: `${left} more lines are not shown` });
  return lines;
}

const legend: readonly (readonly [swatch: string, words: string])[] = [
  ["work", "work, until it is over"],
  ["queued", "call queued"],
  ["approval", "waits for approval"],
  ["running", "runs"],
  ["done", "done"],
  ["failed", "failed, timed out"],
  ["stopped", "cancelled, rejected, superseded"],
  ["unknown", "outcome unknown"],
  ["delta", "words came"],
  ["entry", "they entered; hollow: not to be said"],
];

/** Fills the legend below the time line. */
export function showLegend(list: HTMLElement, { works, turns, left }: BackgroundView): void {
  list.hidden = false;
  list.replaceChildren(
    ...legend.map(([swatch, words]) => {
      const mark = make("i", `swatch swatch-${swatch}`);
      const item = make("li", "", [mark]);
      item.append(words);
      return item;
    }),
  );
  if (left > 0) list.append(make("li", "muted", `${left} more activities are beyond what is shown`));
  list.setAttribute(
    "aria-label",
    `Legend of the background: ${count(works.length, "piece")} of work, told of in ${count(turns.length, "micro-turn")}`,
  );
}

/** When the next (1) or last (-1) micro-turn was in which anything of the background happened. */
export function nextNews({ turns }: BackgroundView, from: number, direction: 1 | -1): number | undefined {
  return direction === 1 ? turns.find((turn) => turn > from) : turns.findLast((turn) => turn < from);
}
