// The background contract: who does the work that the model hands over, and what it tells of it (rule 6).
// `backgroundModel` of @microturn/tools is one. It brings results in by `session.deliver`, like any application.

import type { DuplexSession } from "./session/duplex-session.js";

/** Does the work that the model of a session hands over. One may serve many sessions. */
export interface Background {
  /**
   * Gets ready while the engine of a session loads, so that nothing is loaded while it talks.
   *
   * @throws DuplexError whatever keeps it from working; the session is not opened then
   */
  load?(options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Begins to work for a session, before its first event: it listens to its `delegation` events and delivers what it finds.
   *
   * @param tell - makes an activity known: an event, and part of the record of the micro-turn in which it was told. Does
   *   nothing once the session has ended
   */
  attach(session: DuplexSession, tell: (activity: BackgroundActivity) => void): BackgroundAttachment;
  /**
   * What a trace may hold of something that was handed over or handed back: the task or the arguments of a delegation, or words of
   * an answer. Default all of it.
   */
  redact?(value: unknown): unknown;
}

/** A background at work for one session. */
export interface BackgroundAttachment {
  /** The session has ended. Always resolves; the session waits for it, at most 5 s. */
  close(): Promise<void>;
}

/** Something that a background did. Plain data, fit for JSON; what must stay secret has been taken out. */
export type BackgroundActivity =
  | ToolCallActivity
  | ToolProgressActivity
  | ToolResultActivity
  | BackgroundDeltaActivity
  | BackgroundDropActivity
  | BackgroundEndActivity;

/** A call of a function has a new state. */
export interface ToolCallActivity {
  readonly type: "tool-call";
  /** {@link DelegationEvent.id} of the work that it is part of. */
  readonly delegation: string;
  /** Unique in the session; the same in everything that is told of the call. */
  readonly call: string;
  /** Of the function. */
  readonly name: string;
  readonly arguments: unknown;
  /** It waits for its turn, waits for somebody to approve it, or has begun. */
  readonly state: "queued" | "awaiting-approval" | "running";
  /** What it does cannot be undone. */
  readonly irreversible: boolean;
  /** Counts from 1; more than 1 when it is tried again. */
  readonly attempt: number;
}

/** A call that runs says how far it is. */
export interface ToolProgressActivity {
  readonly type: "tool-progress";
  readonly delegation: string;
  readonly call: string;
  readonly text: string;
}

/** A call is over. */
export interface ToolResultActivity {
  readonly type: "tool-result";
  readonly delegation: string;
  readonly call: string;
  readonly name: string;
  /**
   * `done`; `failed`: it threw, or gave what cannot be used; `timed-out`; `cancelled`; `rejected`: it was not allowed to
   * begin; `unknown`: it began, and whether it happened cannot be told, so that it is not tried again.
   */
  readonly outcome: "done" | "failed" | "timed-out" | "cancelled" | "rejected" | "unknown";
  /** Of a call that is done. */
  readonly result?: unknown;
  /** Of any other: what is wrong, in words. */
  readonly error?: string;
}

/** Words of the answer, as they come; each is delivered, and the record of the micro-turn that it enters has it as input. */
export interface BackgroundDeltaActivity {
  readonly type: "background-delta";
  readonly delegation: string;
  readonly text: string;
}

/** Words of an answer that have not entered, and never will. */
export interface BackgroundDropActivity {
  readonly type: "background-drop";
  readonly delegation: string;
  readonly text: string;
  /** Why: too old by its policy, its work was ended or undone, the engine cannot take it, or there is too much of it. */
  readonly reason: "stale" | "cancelled" | "superseded" | "rewind" | "unsupported" | "overflow";
}

/** The work for a delegation is over. */
export interface BackgroundEndActivity {
  readonly type: "background-end";
  readonly delegation: string;
  /** `superseded`: later work took its place. */
  readonly outcome: "done" | "failed" | "cancelled" | "superseded";
  /** What is wrong, in words, if it failed. */
  readonly error?: string;
}
