// What the background of a session is at: the work that the model handed over, and the functions that are called for it, as lists that a
// component can show.

import type {
  BackgroundDeltaEvent,
  BackgroundEndEvent,
  DelegationEvent,
  ToolCallEvent,
  ToolProgressEvent,
  ToolResultEvent,
} from "@microturn/core";

/** Any event that tells of work in the background. */
export type BackgroundEvent =
  | DelegationEvent
  | ToolCallEvent
  | ToolProgressEvent
  | ToolResultEvent
  | BackgroundDeltaEvent
  | BackgroundEndEvent;

/** A call of a function, as far as it is known. */
export interface ToolCallView {
  /** Unique in the session: a key for lists. */
  readonly call: string;
  /** Id of the work that it is part of. */
  readonly delegation: string;
  /** Of the function. */
  readonly name: string;
  readonly arguments: unknown;
  /** Waiting or running until it has an outcome. */
  readonly state: ToolCallEvent["state"] | ToolResultEvent["outcome"];
  /** What it does cannot be undone: what somebody who approves has to know. */
  readonly irreversible: boolean;
  /** Counts from 1. */
  readonly attempt: number;
  /** What it told last of how far it is. */
  readonly progress?: string;
  /** Of a call that is `done`. */
  readonly result?: unknown;
  /** Why it is over and not `done`. */
  readonly error?: string;
  /** Micro-turn in which it was first told of. */
  readonly turnIndex: number;
}

/** Something that the model handed over. */
export interface WorkView {
  /** Unique in the session: a key for lists. */
  readonly delegation: string;
  /** In the model's words. */
  readonly task: string;
  /** `working` until it has an outcome. Where no background tells, it stays so. */
  readonly state: "working" | BackgroundEndEvent["outcome"];
  /** The answer so far. */
  readonly text: string;
  /** Why it failed. */
  readonly error?: string;
  /** Micro-turn in which it was handed over. */
  readonly turnIndex: number;
}

/** Both lists, oldest first. */
export interface BackgroundView {
  /** What the model handed over since the last start. */
  readonly work: readonly WorkView[];
  /** The functions that were called for that. */
  readonly toolCalls: readonly ToolCallView[];
}

/** The oldest go. */
const mostShown = 200;

/** Nothing yet. */
export const noBackground: BackgroundView = { work: [], toolCalls: [] };

/** The lists after an event; `view` itself is not changed. */
export function withEvent({ work, toolCalls }: BackgroundView, event: BackgroundEvent): BackgroundView {
  const view = { work, toolCalls };
  switch (event.type) {
    case "delegation": {
      const { id: delegation, task, turnIndex } = event;
      return { ...view, work: added(work, { delegation, task, state: "working", text: "", turnIndex }) };
    }
    case "tool-call": {
      const { call, delegation, name, state, irreversible, attempt, turnIndex } = event;
      const told = { call, delegation, name, arguments: event.arguments, state, irreversible, attempt };
      const known = toolCalls.some((one) => one.call === call);
      // Tried again: what the attempt before told is over.
      const again = (before: ToolCallView) => ({ ...told, turnIndex: before.turnIndex });
      return {
        ...view,
        toolCalls: known ? changed(toolCalls, { call }, again) : added(toolCalls, { ...told, turnIndex }),
      };
    }
    case "tool-progress":
      return { ...view, toolCalls: changed(toolCalls, event, (call) => ({ ...call, progress: event.text })) };
    case "tool-result": {
      const { outcome: state, result, error } = event;
      const end = { state, ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
      return { ...view, toolCalls: changed(toolCalls, event, (call) => ({ ...call, ...end })) };
    }
    case "background-delta": {
      const more = (one: WorkView) => ({ ...one, text: one.text === "" ? event.text : `${one.text} ${event.text}` });
      return { ...view, work: changed(work, event, more) };
    }
    case "background-end": {
      const { outcome: state, error } = event;
      const end = { state, ...(error === undefined ? {} : { error }) };
      return { ...view, work: changed(work, event, (one) => ({ ...one, ...end })) };
    }
  }
}

function added<Item>(list: readonly Item[], item: Item): readonly Item[] {
  return [...list, item].slice(-mostShown);
}

/** With another item in place of the one that is meant. */
function changed<Item extends WorkView | ToolCallView>(
  list: readonly Item[],
  meant: { readonly call?: string; readonly delegation?: string },
  change: (item: Item) => Item,
): readonly Item[] {
  const is = (item: Item) => ("call" in item ? item.call === meant.call : item.delegation === meant.delegation);
  return list.map((item) => (is(item) ? change(item) : item));
}
