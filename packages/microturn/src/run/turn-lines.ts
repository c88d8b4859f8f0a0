// A session as lines of text: one per micro-turn that brings something, one for each quiet stretch between them.

import type { BackgroundActivity, TurnRecord } from "@microturn/core";
import type { Ink } from "../io.js";
import { briefJson, briefText } from "../viewer/page/brief.js";

/** Of what the background tells in one micro-turn; the rest is counted. */
const mostTold = 6;
/** Characters of arguments, results and words. */
const mostShown = 60;

/** How to print. */
export interface TurnLineOptions {
  readonly ink: Ink;
  /** Print every micro-turn, also those in which nothing happens. */
  readonly every: boolean;
  readonly turnMs: number;
  /** Characters per line; default 100. */
  readonly columns?: number;
}

/** Turns records into lines, in order. */
export class TurnLines {
  readonly #options: TurnLineOptions;
  readonly #textColumns: number;
  #quietFrom: TurnRecord | undefined;
  #quietTurns = 0;
  #decision: "listen" | "speak" = "listen";

  constructor(options: TurnLineOptions) {
    this.#options = options;
    this.#textColumns = Math.max(18, Math.floor((Math.min(options.columns ?? 100, 140) - 34) / 2));
  }

  /** The head of the table. */
  head(): string {
    const { ink } = this.#options;
    return ink.dim(`${"time".padStart(9)}        ${this.#cell("heard")} ${this.#cell("said")} ${"step".padStart(7)}`);
  }

  /** The lines that a record gives; none while a quiet stretch goes on. */
  push(turn: TurnRecord): string[] {
    const changed = turn.output.decision !== this.#decision;
    this.#decision = turn.output.decision;
    const news =
      changed ||
      turn.output.heard.trim() !== "" ||
      turn.output.text.trim() !== "" ||
      turn.output.delegation !== undefined ||
      turn.input.text.length > 0 ||
      turn.background !== undefined ||
      turn.timing.late;
    if (!news && !this.#options.every) {
      this.#quietFrom ??= turn;
      this.#quietTurns++;
      return [];
    }
    return [...this.end(), this.#line(turn)];
  }

  /** The line of a quiet stretch that is under way. */
  end(): string[] {
    const from = this.#quietFrom;
    if (from === undefined) return [];
    const { ink, turnMs } = this.#options;
    const seconds = ((this.#quietTurns * turnMs) / 1000).toFixed(1);
    const doing = from.output.decision === "speak" ? "speaking" : "listening";
    this.#quietFrom = undefined;
    this.#quietTurns = 0;
    return [`${ink.dim(clock(from.startMs).padStart(9))}  ${this.#bar(from)}  ${ink.dim(`${doing}, ${seconds} s`)}`];
  }

  #line(turn: TurnRecord): string {
    const { ink } = this.#options;
    const { output, timing } = turn;
    const step = output.skipped ? "skipped" : `${timing.stepMs.toFixed(0)} ms`;
    const notes = [
      timing.late ? ink.bad(`late by ${(-timing.slackMs).toFixed(0)} ms`) : "",
      timing.stepTurns > 1 && !output.skipped ? ink.bad(`${timing.stepTurns} micro-turns merged`) : "",
      output.yielded ? "gives up the floor" : "",
      ...(output.unsaid ?? []).map(({ words }) => (words === "" ? "" : `did not say: ${printable(words)}`)),
      output.delegation === undefined ? "" : `delegates: ${taskOf(output.delegation)}`,
      ...this.#told(turn.background ?? []),
      ...turn.input.text.map(
        (piece) => `${piece.source === "user" ? "typed" : "from the background"}: ${printable(piece.text)}`,
      ),
    ].filter((note) => note !== "");
    return [
      `${ink.dim(clock(turn.startMs).padStart(9))}  ${this.#bar(turn)}  `,
      `${ink.user(this.#cell(printable(output.heard)))} ${ink.assistant(this.#cell(printable(output.text)))} `,
      `${ink.dim(step.padStart(7))}${notes.length === 0 ? "" : `  ${notes.join("; ")}`}`,
    ].join("");
  }

  /** What the background tells, one note for each, and a number for what is beyond the first. */
  #told(activities: readonly BackgroundActivity[]): string[] {
    const notes = activities.slice(0, mostTold).map((activity) => this.#note(activity));
    if (activities.length > mostTold) notes.push(`and ${activities.length - mostTold} more of the background`);
    return notes;
  }

  #note(activity: BackgroundActivity): string {
    const { ink } = this.#options;
    switch (activity.type) {
      case "tool-call": {
        const { name, state, attempt } = activity;
        const begins = state === "running" ? "" : state === "queued" ? ", queued" : ", waits for approval";
        const again = attempt > 1 ? `, try ${attempt}` : "";
        return `call ${briefText(name, mostShown)} ${briefJson(activity.arguments, mostShown)}`.trim() + begins + again;
      }
      case "tool-progress":
        return `call: ${briefText(activity.text, mostShown)}`;
      case "tool-result": {
        const { name, outcome, result, error } = activity;
        const what = error === undefined ? briefJson(result, mostShown) : briefText(error, mostShown);
        const note = `${briefText(name, mostShown)} ${outcome}${what === "" ? "" : `: ${what}`}`;
        return outcome === "done" ? note : ink.bad(note);
      }
      case "background-delta":
        return `the background tells: ${briefText(activity.text, mostShown)}`;
      case "background-drop":
        return `the background drops (${activity.reason}): ${briefText(activity.text, mostShown)}`;
      case "background-end": {
        const error = activity.error === undefined ? "" : `: ${briefText(activity.error, mostShown)}`;
        const note = `the background: ${activity.outcome}${error}`;
        return activity.outcome === "failed" ? ink.bad(note) : note;
      }
    }
  }

  /** Four marks, one per output position; the decision four times when the engine does not show them. */
  #bar({ inside, output }: TurnRecord): string {
    const { ink } = this.#options;
    const controls = inside?.controls ?? new Uint8Array(4).fill(output.decision === "speak" ? 2 : 1);
    return Array.from(controls, (control) =>
      control === 2 ? ink.assistant("█") : control === 3 ? ink.bold("◆") : ink.dim("·"),
    ).join("");
  }

  #cell(text: string): string {
    const width = this.#textColumns;
    return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
  }
}

/** What is asked for; of a function, the call too. */
function taskOf({ task, name, arguments: given }: NonNullable<TurnRecord["output"]["delegation"]>): string {
  const call = name === undefined ? "" : `${briefText(name, mostShown)} ${briefJson(given, mostShown)}`.trim();
  return [printable(task), call === "" ? "" : `(${call})`].filter((part) => part !== "").join(" ");
}

/** Text that can move no cursor and change no colour: control characters become spaces. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
}

/** `m:ss.t`, tenths of seconds. */
export function clock(ms: number): string {
  const tenths = Math.round(ms / 100);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
