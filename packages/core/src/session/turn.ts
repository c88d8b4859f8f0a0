// The record of one micro-turn: what came in and what went out, in one place (rule 2).

import type { BackgroundActivity } from "../background.js";
import type {
  Delegation,
  EngineTiming,
  ImageFrame,
  PlaybackPosition,
  TextInput,
  TurnInside,
  UnsaidText,
} from "../engine.js";

/**
 * One micro-turn of a session, both directions in it. All who read it get the same record: copy its PCM before you change or
 * transfer it, if others read too. The session itself (events, `rewind`, its trace) does not depend on it any more.
 */
export interface TurnRecord {
  /** Counts from 0; micro-turn n covers input samples `[n * turnSamples, (n + 1) * turnSamples)`. */
  readonly index: number;
  /** Start on the session clock, ms: `index * turnDurationMs`. */
  readonly startMs: number;
  readonly input: TurnRecordInput;
  readonly output: TurnRecordOutput;
  readonly timing: TurnTiming;
  /** What the background told in this micro-turn, in order (rule 6); absent if nothing. */
  readonly background?: readonly BackgroundActivity[];
  /** Whatever the engine showed of its inside; absent in a skipped micro-turn. */
  readonly inside?: TurnInside;
}

/** What was heard, seen, typed and delivered in one micro-turn. */
export interface TurnRecordInput {
  /** Mono PCM of this micro-turn at the engine's input rate; after merging, a part of a buffer that the step's records share. */
  readonly audio: Float32Array;
  /** Samples at the end of `audio` that are padding after the end of the input, not input. */
  readonly paddedSamples: number;
  readonly images: readonly ImageFrame[];
  readonly text: readonly TextInput[];
  /** Ids of the deliveries whose text entered here (rule 6). */
  readonly deliveries: readonly number[];
  /** Results that would have entered from here on and are too old by their policy (rule 6); absent if none. */
  readonly stale?: readonly TextInput[];
  /** The model was told to be silent in this micro-turn. */
  readonly forceListen: boolean;
  /** How far the assistant's sound had been heard when the step began, if a player tells (rule 4). */
  readonly played?: PlaybackPosition;
}

/** What the assistant decided, said and understood in one micro-turn; it is played from `startMs + turnDurationMs` on. */
export interface TurnRecordOutput {
  readonly decision: "listen" | "speak";
  /** Mono PCM of one micro-turn at the engine's output rate; all zero in silence. */
  readonly speech: Float32Array;
  readonly text: string;
  readonly heard: string;
  /** What it was told to say and gave up here (rule 6). */
  readonly unsaid?: readonly UnsaidText[];
  /** Work that is handed over here; with an id, which the session gives where the engine gives none. */
  readonly delegation?: Delegation & { readonly id: string };
  /** Ids of delegations whose work is not wanted any more; absent if none. */
  readonly cancelled?: readonly string[];
  /** The assistant gave up the floor in mid-reply here (rule 5). */
  readonly yielded: boolean;
  /** Sound of this micro-turn with a lower fence than the session's present one must not be played (rule 5). */
  readonly fence: number;
  /** Late input was merged over this micro-turn: its output is silence, and no `speech` event was sent for it (rule 3). */
  readonly skipped: boolean;
}

/** When one micro-turn was due, when it was done, and where the time went. All in ms. */
export interface TurnTiming extends EngineTiming {
  /** Micro-turns in the step that this one was part of: 1, or more after merging. */
  readonly stepTurns: number;
  /** From the start of the step to its end, on the wall clock. */
  readonly stepMs: number;
  /** `stepMs` less what the engine accounts for: the session's and the event loop's own share. */
  readonly sessionMs: number;
  /**
   * Time left when the output was there. With pace `realtime`: the deadline (last sample in, plus the budget) minus the
   * end of the step, negative when late. With pace `as-fast-as-input`: the budget minus `stepMs`.
   */
  readonly slackMs: number;
  /** Whether the deadline was missed; always false with pace `as-fast-as-input`. */
  readonly late: boolean;
}
