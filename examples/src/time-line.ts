// Prints what happens in a session, micro-turn by micro-turn: what was heard of the user, what the assistant says, and what the
// background does meanwhile. All of it stands in the records of the micro-turns (rules 2 and 6 of docs/session-rules.md).

import type { BackgroundActivity, DuplexSession, TurnRecord } from "@microturn/core";

/** What was said in a session so far. */
export interface TimeLine {
  /** Words of the assistant. */
  readonly said: string;
}

/** Prints from now on, a line for each micro-turn in which something happens. */
export function printTimeLine(session: DuplexSession): TimeLine {
  const words: string[] = [];
  printLine("micro-turn", "user", "assistant", "background");
  session.on("turn-end", ({ turn }) => {
    const { input, output } = turn;
    if (output.text !== "") words.push(output.text);
    for (const { source, text } of input.text) if (source === "user") printLine(turn.index, `(types) ${text}`, "", "");
    const [first = "", ...others] = background(turn);
    if (output.heard + output.text + first !== "") printLine(turn.index, output.heard, output.text, first);
    for (const line of others) printLine("", "", "", line);
  });
  return {
    get said() {
      return words.join(" ");
    },
  };
}

function printLine(turn: number | string, user: string, assistant: string, background: string): void {
  console.log(`${String(turn).padStart(10)}  ${user.padEnd(24)}  ${assistant.padEnd(24)}  ${background}`.trimEnd());
}

function background({ input, output, background: activities = [] }: TurnRecord): string[] {
  const entered = input.text.filter(({ source }) => source === "background").map(({ text }) => `to be said: ${text}`);
  const asked = output.delegation === undefined ? [] : [`is asked: ${output.delegation.task}`];
  return [...entered, ...asked, ...activities.map(inWords).filter((line) => line !== "")];
}

function inWords(activity: BackgroundActivity): string {
  switch (activity.type) {
    case "tool-call":
      if (activity.state === "queued") return "";
      return `${activity.name} ${JSON.stringify(activity.arguments)} ${activity.state === "running" ? "begins" : "waits to be allowed"}`;
    case "tool-progress":
      return activity.text;
    case "tool-result":
      return `${activity.name} ${activity.outcome}: ${JSON.stringify(activity.result ?? activity.error)}`;
    case "background-delta":
      return `answers: ${activity.text}`;
    case "background-end":
      return activity.outcome === "done" ? "is done" : `${activity.outcome}: ${activity.error}`;
    default:
      return "";
  }
}
