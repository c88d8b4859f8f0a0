// The background in words: for what the pointer is on, for the inspector, and for screen readers.

import type { BackgroundView, CallPhase, CallView, Entry, Moment, Words, WorkView } from "./background-view.js";
import { briefJson, briefText } from "./brief.js";
import { formatTime } from "./session-view.js";

const states: Readonly<Record<CallPhase["state"], string>> = {
  queued: "queued",
  "awaiting-approval": "waits for approval",
  running: "running",
};

/** Characters of a text at most: in a line over the time line, in the inspector. */
export const room = { line: 120, full: 1_500 } as const;

/** Start of a micro-turn, to a tenth of a second: more is not known of when something was told. */
export function clockOf({ turn }: Moment, turnMs: number): string {
  return formatTime(turn * turnMs).slice(0, -2);
}

/** Seconds between two micro-turns. */
export function secondsBetween(from: Moment, to: Moment, turnMs: number): string {
  return `${(((to.turn - from.turn) * turnMs) / 1000).toFixed(1)} s`;
}

/** What was asked for. */
export function taskOf({ task, name, known, id }: WorkView, most: number): string {
  const words = briefText(task, most) || (name === undefined ? "" : briefText(name, most));
  if (words !== "") return words;
  return known ? "work without words" : `work without a delegation here (${briefText(id, 40) || "no name"})`;
}

export function nameOf({ name, id }: CallView): string {
  return briefText(name, 60) || briefText(id, 60) || "a call without a name";
}

/** What became of a call, in a word or two. */
export function outcomeOf({ outcome }: CallView): string {
  return outcome === "timed-out" ? "timed out" : (outcome ?? "no result");
}

/** What became of work. */
export function workOutcomeOf({ outcome }: WorkView): string {
  return outcome === "open" ? "not over" : outcome;
}

/** What a call did, and from when on. */
export function coursesOf({ phases, end, outcome }: CallView, turnMs: number): string {
  const shown = phases.slice(0, 12).map((phase, i) => {
    const until = phases[i + 1] ?? end;
    const attempt = phase.attempt > 1 ? `, try ${phase.attempt}` : "";
    return `${states[phase.state]}${attempt} from ${clockOf(phase, turnMs)} for ${secondsBetween(phase, until, turnMs)}`;
  });
  if (phases.length > shown.length) shown.push(`and ${phases.length - shown.length} more`);
  if (phases.length === 0) shown.push("its beginning was not told");
  shown.push(outcome === undefined ? "no result was told" : `over at ${clockOf(end, turnMs)}`);
  return shown.join("; ");
}

/** A call in lines: its name, arguments, result or error, times. */
export function callLines(call: CallView, turnMs: number, most: number): string[] {
  const progress = call.progress.at(-1);
  return [
    `${nameOf(call)}: ${outcomeOf(call)}${call.irreversible ? " (cannot be undone)" : ""}`,
    ...(call.arguments === undefined ? [] : [`arguments ${briefJson(call.arguments, most)}`]),
    ...(call.result === undefined ? [] : [`result ${briefJson(call.result, most)}`]),
    ...(call.error === undefined ? [] : [`error: ${briefText(call.error, most)}`]),
    coursesOf(call, turnMs),
    ...(progress === undefined ? [] : [`last told: ${briefText(progress.text, most)}`]),
  ];
}

/** Work in lines. */
export function workLines(work: WorkView, turnMs: number, most: number): string[] {
  const { start, end, calls, deltas, entries, error } = work;
  const failed = calls.filter((call) => call.outcome !== "done").length;
  const waits = entries.flatMap(({ told, turn }) => (told === undefined ? [] : [turn - told.turn]));
  const longest = waits.reduce((longer, wait) => Math.max(longer, wait), 0);
  return [
    taskOf(work, most),
    `${workOutcomeOf(work)}; from ${clockOf(start, turnMs)} for ${secondsBetween(start, end, turnMs)}`,
    ...(work.arguments === undefined
      ? []
      : [`${briefText(work.name ?? "", 60)} ${briefJson(work.arguments, most)}`.trim()]),
    ...(error === undefined ? [] : [`error: ${briefText(error, most)}`]),
    ...(calls.length === 0 ? [] : [`${count(calls.length, "call")}${failed === 0 ? "" : `, ${failed} not done`}`]),
    ...(deltas.length + entries.length === 0
      ? []
      : [`words came ${count(deltas.length, "time")}, and entered ${count(entries.length, "time")}`]),
    ...(waits.length === 0 ? [] : [`the longest wait to enter was ${((longest * turnMs) / 1000).toFixed(1)} s`]),
  ];
}

/** Words of an answer, in lines. */
export function deltaLines(delta: Words, turnMs: number, most: number): string[] {
  return [`the background told at ${clockOf(delta, turnMs)}`, briefText(delta.text, most)];
}

/** What entered, in lines. */
export function entryLines(entry: Entry, turnMs: number, most: number): string[] {
  const silent = entry.silent ? ", to know and not to say" : "";
  if (entry.dropped !== undefined) {
    return [
      `never entered: ${entry.dropped} at ${clockOf(entry, turnMs)}${waited(entry, turnMs)}`,
      briefText(entry.text, most),
    ];
  }
  return [`entered at ${clockOf(entry, turnMs)}${silent}${waited(entry, turnMs)}`, briefText(entry.text, most)];
}

function waited(entry: Entry, turnMs: number): string {
  return entry.told === undefined ? "" : `, after a wait of ${secondsBetween(entry.told, entry, turnMs)}`;
}

const mostNews = 6;

/** What happened of the background in a micro-turn, in order, for a sentence about it. */
export function newsOf(background: BackgroundView, turn: number, turnMs: number): string[] {
  const news: { timeMs: number; words: () => string }[] = [];
  const here = (moment: Moment, words: () => string) => {
    if (moment.turn === turn) news.push({ timeMs: moment.timeMs, words });
  };
  const enters = (entry: Entry) =>
    here(entry, () => `“${briefText(entry.text, room.line)}” entered${waited(entry, turnMs)}`);
  for (const entry of background.loose) enters(entry);
  for (const work of background.works) {
    if (work.start.turn > turn || work.last.turn < turn) continue;
    for (const call of work.calls) {
      if (call.start.turn > turn || call.end.turn < turn) continue;
      const name = nameOf(call);
      for (const phase of call.phases) here(phase, () => `call ${name} ${states[phase.state]}`);
      for (const told of call.progress) here(told, () => `call ${name}: ${briefText(told.text, room.line)}`);
      if (call.outcome !== undefined) here(call.end, () => `call ${name} ${outcomeOf(call)}`);
    }
    for (const delta of work.deltas) here(delta, () => `the background told “${briefText(delta.text, room.line)}”`);
    for (const entry of work.entries) enters(entry);
    if (work.outcome !== "open" && work.outcome !== "answered") {
      here(work.end, () => `work ${work.outcome}: ${taskOf(work, room.line)}`);
    }
  }
  news.sort((a, b) => a.timeMs - b.timeMs);
  const shown = news.slice(0, mostNews).map(({ words }) => words());
  return news.length > mostNews ? [...shown, `and ${news.length - mostNews} more of the background`] : shown;
}

/** `1 call`, `2 calls`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
