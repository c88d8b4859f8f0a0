// What the page shows of the background: each piece of work with its calls, the words of its answer, and where they entered.

import type {
  BackgroundDropActivity,
  BackgroundEndActivity,
  ToolCallActivity,
  ToolResultActivity,
} from "@microturn/core";

/** A place on the time line. A trace tells the micro-turn; the order within it is shown by places within its first half. */
export interface Moment {
  /** Micro-turn of the recording, counted from 0. */
  readonly turn: number;
  readonly timeMs: number;
}

/** From here on a call is in another state, or is tried again. */
export interface CallPhase extends Moment {
  readonly state: ToolCallActivity["state"];
  readonly attempt: number;
}

/** Words that came at a moment. */
export interface Words extends Moment {
  readonly text: string;
}

/** A call of a function. */
export interface CallView {
  readonly id: string;
  readonly name: string;
  readonly arguments: unknown;
  readonly irreversible: boolean;
  readonly start: Moment;
  readonly end: Moment;
  /** Empty if only its result was told. */
  readonly phases: readonly CallPhase[];
  readonly progress: readonly Words[];
  /** Absent if no result was told. */
  readonly outcome?: ToolResultActivity["outcome"];
  readonly result?: unknown;
  readonly error?: string;
}

/** A result, or a piece of one, that entered the conversation, or was dropped. */
export interface Entry extends Words {
  readonly silent: boolean;
  /** Why it never entered; absent if it did. */
  readonly dropped?: BackgroundDropActivity["reason"];
  /** The micro-turn in which the background told its last words, if that can be told; it waited from then on. */
  readonly told?: Moment;
}

/** Work that was handed over, and what became of it. */
export interface WorkView {
  readonly id: string;
  /** "" if no delegation of the recording is known: it may begin after it. */
  readonly task: string;
  /** Of the function that was called, and its arguments. */
  readonly name?: string;
  readonly arguments?: unknown;
  /** Whether a delegation of the recording has this id. */
  readonly known: boolean;
  readonly start: Moment;
  readonly end: Moment;
  /** The last of its own end, its calls and its entries. */
  readonly last: Moment;
  /** `answered`: a result entered, and no background told of it; `open`: the recording ends first. */
  readonly outcome: BackgroundEndActivity["outcome"] | "answered" | "open";
  readonly error?: string;
  readonly calls: readonly CallView[];
  readonly deltas: readonly Words[];
  readonly entries: readonly Entry[];
}

/** The background of a session. */
export interface BackgroundView {
  /** In the order in which they began. */
  readonly works: readonly WorkView[];
  /** Results that name no work. */
  readonly loose: readonly Entry[];
  /** Micro-turns in which anything of it happened, in order. */
  readonly turns: readonly number[];
  /** Things that are beyond the limits of what is shown. */
  readonly left: number;
}
