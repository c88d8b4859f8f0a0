// Everything a session tells its listeners: one union, discriminated by `type`.

import type {
  BackgroundDeltaActivity,
  BackgroundDropActivity,
  BackgroundEndActivity,
  ToolCallActivity,
  ToolProgressActivity,
  ToolResultActivity,
} from "../background.js";
import type { Delegation, EngineCapabilities } from "../engine.js";
import type { DuplexError } from "../errors.js";
import type { TurnRecord } from "./turn.js";

/** What every event carries. */
export interface SessionEventBase {
  /** The micro-turn that it belongs to. */
  readonly turnIndex: number;
  /**
   * On the session clock, ms. For `turn-start` the start of the micro-turn; for what a micro-turn gives, the moment from
   * which its sound is heard: the end of the micro-turn.
   */
  readonly timeMs: number;
}

/** First event of a session. It is sent after `open` resolved, before anything else. */
export interface SessionStartEvent extends SessionEventBase {
  readonly type: "session-start";
  readonly capabilities: EngineCapabilities;
}

/** The engine begins a step. */
export interface TurnStartEvent extends SessionEventBase {
  readonly type: "turn-start";
  /** Micro-turns in the step; `turnIndex` is the last of them. */
  readonly turns: number;
}

/** Sound of one micro-turn. Sent for silent ones too, so that a player that writes them one after the other keeps time. */
export interface SpeechEvent extends SessionEventBase {
  readonly type: "speech";
  /**
   * Mono PCM of one micro-turn at the engine's output rate. It belongs to the handler, which may transfer it (to an audio
   * thread): each gets a copy, and the record of the micro-turn keeps its own.
   */
  readonly pcm: Float32Array;
  readonly sampleRate: number;
  /** Every sample is 0. */
  readonly silent: boolean;
  /** See {@link FlushEvent}. */
  readonly fence: number;
}

/** New words of the assistant. */
export interface TextDeltaEvent extends SessionEventBase {
  readonly type: "text-delta";
  readonly text: string;
  /** That of their sound: words with a lower fence than the last {@link FlushEvent} has are not heard any more. */
  readonly fence: number;
}

/** New words understood of the user. */
export interface HeardDeltaEvent extends SessionEventBase {
  readonly type: "heard-delta";
  readonly text: string;
}

/** A step missed its deadline (rule 3). The session goes on, unless its policy is `strict`. */
export interface TurnLateEvent extends SessionEventBase {
  readonly type: "turn-late";
  /** How far behind its deadline the oldest micro-turn of the step was when its output was there, ms. */
  readonly lateMs: number;
  /** Micro-turns whose output was skipped: the step merged them with the last one. */
  readonly skippedTurns: number;
  /** Images left out to save time (policy `shed-video`). */
  readonly droppedImages: number;
  /** Complete micro-turns that waited when the step ended. */
  readonly queuedTurns: number;
}

/** End of a micro-turn: its whole record. */
export interface TurnEndEvent extends SessionEventBase {
  readonly type: "turn-end";
  readonly turn: TurnRecord;
}

/** The assistant gave up the floor in mid-reply (rule 5). A `flush` follows. */
export interface YieldEvent extends SessionEventBase {
  readonly type: "yield";
  /** The new fence; what is queued has a lower one. */
  readonly fence: number;
}

/** Sound with a lower fence than this must not be played any more, queued or still under way (rule 5). */
export interface FlushEvent extends SessionEventBase {
  readonly type: "flush";
  readonly fence: number;
  readonly reason: "yield" | "interrupt" | "rewind";
  /**
   * Words that `text-delta` has told and whose sound is dropped by this before it was heard, joined with spaces: the tail of
   * what was said (rule 4). After a rewind, of what was said before its border. "" if there are none, or if no player tells.
   */
  readonly unheard: string;
}

/** A stretch of words of one speaker. */
export interface ConversationEntry {
  readonly speaker: "user" | "assistant" | "background";
  readonly text: string;
  /** Micro-turn of its first word. */
  readonly turnIndex: number;
}

/** The model hands work to the background, with the conversation so far (rule 6). */
export interface DelegationEvent extends SessionEventBase, Delegation {
  readonly type: "delegation";
  /** Unique in the session; its results name it. */
  readonly id: string;
  /** The last words of both sides, oldest first, in at most 256 stretches; those of the assistant as far as they were heard (rule 4). */
  readonly conversation: readonly ConversationEntry[];
}

/** The model no longer wants the work of a delegation: its service took the call back. An interruption alone cancels nothing (rule 6). */
export interface DelegationCancelEvent extends SessionEventBase {
  readonly type: "delegation-cancel";
  /** {@link DelegationEvent.id} */
  readonly id: string;
}

/** The background calls a function: it waits its turn, waits to be approved, or has begun. */
export interface ToolCallEvent extends SessionEventBase, ToolCallActivity {}

/** A function that runs says how far it is. */
export interface ToolProgressEvent extends SessionEventBase, ToolProgressActivity {}

/** A call of a function is over. */
export interface ToolResultEvent extends SessionEventBase, ToolResultActivity {}

/** Words of the background's answer, as they come; `delivery` tells when they enter. */
export interface BackgroundDeltaEvent extends SessionEventBase, BackgroundDeltaActivity {}

/** Words of the background's answer that have not entered and never will. */
export interface BackgroundDropEvent extends SessionEventBase, BackgroundDropActivity {}

/** The background has done the work of a delegation, or gave it up. */
export interface BackgroundEndEvent extends SessionEventBase, BackgroundEndActivity {}

/** A delivery entered a micro-turn, or never will (rule 6). */
export interface DeliveryEvent extends SessionEventBase {
  readonly type: "delivery";
  readonly id: number;
  readonly outcome: DeliveryOutcome;
}

/** What became of a delivery: entered at `turnIndex`, or dropped. */
export type DeliveryOutcome =
  | { readonly kind: "entered"; readonly turnIndex: number }
  | { readonly kind: "dropped"; readonly reason: "stale" | "withdrawn" | "session-end" };

/** The session went back to the start of micro-turn `turnIndex` (rule 10). A `flush` follows. */
export interface RewindEvent extends SessionEventBase {
  readonly type: "rewind";
}

/** Audio was refused whole, and the session and `session.audio` go on without it: not usable, or more than can be held. */
export interface InputRefusedEvent extends SessionEventBase {
  readonly type: "input-refused";
  /** `AUDIO_INVALID` or `INPUT_OVERFLOW`. */
  readonly error: DuplexError;
}

/** The session failed and ends; `session-end` follows. */
export interface ErrorEvent extends SessionEventBase {
  readonly type: "error";
  readonly error: DuplexError;
}

/** Why a session ended. */
export type SessionEndReason = "closed" | "finished" | "error";

/** Last event of a session. */
export interface SessionEndEvent extends SessionEventBase {
  readonly type: "session-end";
  readonly reason: SessionEndReason;
}

/** Any event of a session. */
export type SessionEvent =
  | SessionStartEvent
  | TurnStartEvent
  | SpeechEvent
  | TextDeltaEvent
  | HeardDeltaEvent
  | TurnLateEvent
  | TurnEndEvent
  | YieldEvent
  | FlushEvent
  | DelegationEvent
  | DelegationCancelEvent
  | ToolCallEvent
  | ToolProgressEvent
  | ToolResultEvent
  | BackgroundDeltaEvent
  | BackgroundDropEvent
  | BackgroundEndEvent
  | DeliveryEvent
  | RewindEvent
  | InputRefusedEvent
  | ErrorEvent
  | SessionEndEvent;

/** Handlers by event type. `speech` hands over the PCM first, ready for a player; every other one gets its event. */
export type SessionHandlers = {
  [Type in SessionEvent["type"]]: Type extends "speech"
    ? (pcm: Float32Array, event: SpeechEvent) => void
    : (event: Extract<SessionEvent, { type: Type }>) => void;
};
