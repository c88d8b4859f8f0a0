// What the session reducer goes by: its state, what happens to it, and what it asks the shell to do. Plain data.

import type { BackgroundActivity } from "../background.js";
import type { ImageFrame, PlaybackPosition, TextInput, TurnOutput } from "../engine.js";
import type { DuplexError } from "../errors.js";
import type { Stretch, UnheardSound } from "./conversation.js";
import type { DeliveryPolicy, PendingDelivery } from "./delivery.js";
import type { SessionEndReason, SessionEvent } from "./events.js";
import { silentVoice, type UserVoice } from "./user-voice.js";

/** What to do when the engine cannot keep up (rule 3). */
export type DeadlinePolicy =
  /** Waiting micro-turns are merged into one step; the output of all but the last is silence. */
  | "catch-up"
  /** Images are left out first; micro-turns are merged only when that is not enough. */
  | "shed-video"
  /** The first missed deadline ends the session with `TURN_LATE`. */
  | "strict";

/** How fast micro-turns run. */
export type Pace =
  /** As a live conversation: none before its time, each with a deadline. */
  | "realtime"
  /** As fast as input comes and the engine can, without deadlines: files, tests, evaluation. */
  | "as-fast-as-input";

/** What holds for the whole session. */
export interface SessionRules {
  /** Input samples per micro-turn. */
  readonly turnSamples: number;
  readonly turnDurationMs: number;
  readonly outputSampleRate: number;
  readonly outputTurnSamples: number;
  /** Time from the last input sample of a micro-turn to its deadline, ms. */
  readonly budgetMs: number;
  readonly deadline: DeadlinePolicy;
  readonly pace: Pace;
  /** A source that pauses for longer than this starts a new real-time schedule, ms. */
  readonly pauseMs: number;
  /** Images held at most; the oldest goes first. */
  readonly maxImages: number;
  /** {@link EngineCapabilities.saysText} */
  readonly saysText: boolean;
  /** Whether the engine tells words of the user. */
  readonly understands: boolean;
}

/** State of a session between two events. Never changed in place. */
export interface SessionState {
  readonly rules: SessionRules;
  readonly phase: "open" | "finishing" | "ended";
  /** Input samples since open, padding not counted. */
  readonly received: number;
  /** Micro-turns that exist: complete ones, and after `finish` the padded one and the tail. */
  readonly complete: number;
  /** First micro-turn that no step has taken yet. */
  readonly next: number;
  /** Wall time at which each of the micro-turns `next … complete - 1` was complete; those of the tail share the last entry. */
  readonly arrivals: readonly number[];
  /** The real-time schedule: micro-turn `turn` ends at wall time `atMs`. */
  readonly anchor: { readonly turn: number; readonly atMs: number } | undefined;
  readonly lastAudioMs: number;
  readonly running: RunningStep | undefined;
  /** Reasons for not starting a step now: snapshots under way, readers that are behind. */
  readonly holds: number;
  readonly images: readonly ImageFrame[];
  readonly text: readonly TextInput[];
  readonly deliveries: readonly PendingDelivery[];
  /** Those that entered lately, with the micro-turn: whoever began at the same time as they is let finish (rule 6). */
  readonly entered: readonly { readonly delivery: PendingDelivery; readonly turn: number }[];
  /** The answer that the assistant is giving, by its delegation; undefined once somebody has spoken besides. */
  readonly answer: { readonly delegation: string; readonly since: number } | undefined;
  /** What the background did that no record has yet, with the micro-turn whose record will. */
  readonly told: readonly { readonly activity: BackgroundActivity; readonly turn: number }[];
  /** Levels of the micro-turns `next … complete - 1`, as far as they are known. */
  readonly levels: readonly number[];
  readonly voice: UserVoice;
  /** The next micro-turn must be silent. */
  readonly interrupted: boolean;
  readonly fence: number;
  /** Last micro-turn in which either side was heard to speak. */
  readonly lastVoice: number;
  /** Whether the assistant spoke in the last micro-turn. */
  readonly speaking: boolean;
  /** How far the assistant's sound was heard; undefined as long as no player tells (rule 4). */
  readonly played: PlaybackPosition | undefined;
  /** Sound that was flushed before it was heard. */
  readonly unheard: readonly UnheardSound[];
  readonly conversation: readonly Stretch[];
}

/** A step that the engine works on. */
export interface RunningStep {
  readonly plan: StepPlan;
  /** The fence when it began: if the session's is higher by the time it ends, its sound is stale (rule 5). */
  readonly fence: number;
  readonly startedMs: number;
  /** Deadline of the first and of the last micro-turn in it. */
  readonly firstDueMs: number;
  readonly lastDueMs: number;
}

/** A step as the shell hands it to the engine; the audio is read by position. */
export interface StepPlan {
  /** Index of the last micro-turn. */
  readonly index: number;
  readonly turns: number;
  /** First input sample; `turns * turnSamples` are needed, those from `received` on are padding. */
  readonly fromSample: number;
  readonly images: readonly ImageFrame[];
  readonly droppedImages: number;
  readonly text: readonly TextInput[];
  readonly deliveries: readonly number[];
  readonly stale: readonly TextInput[];
  readonly forceListen: boolean;
  readonly played: PlaybackPosition | undefined;
}

/** Something that happens to a session. `nowMs` is wall time. */
export type SessionInput =
  | {
      readonly type: "audio";
      readonly samples: number;
      /** Of the micro-turns that are complete with it: mean squares of their loudest 20 ms. Default: silent ones. */
      readonly levels?: readonly number[];
      readonly nowMs: number;
    }
  | { readonly type: "image"; readonly image: ImageFrame }
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "deliver";
      readonly id: number;
      readonly text: string;
      readonly policy: DeliveryPolicy;
      readonly delegation?: string;
    }
  | { readonly type: "withdraw"; readonly id: number }
  | { readonly type: "background"; readonly activity: BackgroundActivity }
  | { readonly type: "played"; readonly position: PlaybackPosition; readonly fence: number }
  | { readonly type: "interrupt" }
  | { readonly type: "finish"; readonly tailTurns: number; readonly levels?: readonly number[]; readonly nowMs: number }
  | { readonly type: "hold" }
  | { readonly type: "release"; readonly nowMs: number }
  | { readonly type: "tick"; readonly nowMs: number }
  | {
      readonly type: "step-done";
      readonly output: TurnOutput;
      /** The input audio of the whole step. */
      readonly audio: Float32Array;
      readonly nowMs: number;
    }
  | { readonly type: "fail"; readonly error: DuplexError }
  | { readonly type: "rewind"; readonly turn: number; readonly conversation: readonly Stretch[] }
  | { readonly type: "close" };

/** Something that the shell must do. */
export type SessionEffect =
  | { readonly type: "step"; readonly plan: StepPlan }
  /** Send a `tick` at this wall time; replaces the time asked for before. */
  | { readonly type: "wake"; readonly atMs: number }
  | { readonly type: "emit"; readonly event: SessionEvent }
  /** Send a `tick` once everything that the listeners of the events so far have caused is dealt with. */
  | { readonly type: "proceed" }
  | { readonly type: "end"; readonly reason: SessionEndReason; readonly error?: DuplexError };

/** What one event leads to. */
export interface Reduction {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** State of a session that begins before micro-turn `turn`. */
export function initialState(
  rules: SessionRules,
  from: { turn: number; fence: number; conversation: readonly Stretch[] } = {
    turn: 0,
    fence: 0,
    conversation: [],
  },
): SessionState {
  return {
    rules,
    phase: "open",
    received: from.turn * rules.turnSamples,
    complete: from.turn,
    next: from.turn,
    arrivals: [],
    anchor: undefined,
    lastAudioMs: Number.NEGATIVE_INFINITY,
    running: undefined,
    holds: 0,
    images: [],
    text: [],
    deliveries: [],
    entered: [],
    answer: undefined,
    told: [],
    levels: [],
    voice: silentVoice(from.turn),
    interrupted: false,
    fence: from.fence,
    lastVoice: from.turn - 1,
    speaking: false,
    played: undefined,
    unheard: [],
    conversation: from.conversation,
  };
}
