// The contract between a session and whoever does its background work: a job, its log, and the queue that carries both.
// The log is the truth. Everything that happens in a job is appended to it before anybody acts on it, so that a job whose worker
// died goes on from its log on another, and whoever follows it sees each event once. `localJobs` keeps jobs in this process,
// `bullmqJobs` on Redis; one conformance suite holds for both.

import type { ToolCallActivity, ToolResultActivity } from "@microturn/core";

/** Work for one delegation, with everything that is needed to do it. Plain data, fit for JSON. */
export interface Job {
  /** The same work has the same id: a job that is known is not taken a second time. */
  readonly id: string;
  /** The conversation that it belongs to: survives the sessions that carry it. */
  readonly conversation: string;
  readonly delegation: JobDelegation;
  readonly context: DelegationContext;
}

/** What was asked for. */
export interface JobDelegation {
  readonly id: string;
  /** In words. */
  readonly task: string;
  /** Of the function that the interaction model called, if it calls functions, with the arguments as it gave them. */
  readonly name?: string;
  readonly arguments?: unknown;
}

/** The conversation as the background sees it: whole, unless it is longer than its bound. */
export interface DelegationContext {
  /** Oldest first, times on the clock of the conversation, which begins with its first session. */
  readonly entries: readonly ContextEntry[];
  /** Entries that were left out in the middle, by the rule of `compactContext`. */
  readonly leftOut: number;
  /** What was seen last, oldest first. */
  readonly images: readonly ContextImage[];
  /** The user's own voice, as he asked for it; absent if that was not wanted, or nothing was heard. */
  readonly audio?: ContextAudio;
  /** What he asked for as text, by the recogniser of the application; absent if there is none, or it could not tell. */
  readonly transcription?: string;
  /** What tools have found for the conversation before, oldest first; absent if nothing. */
  readonly results?: readonly EarlierResult[];
  /** Other work of the conversation that is not over. */
  readonly underWay: readonly { readonly delegation: string; readonly task: string }[];
}

/** Words of one speaker. */
export interface ContextEntry {
  readonly speaker: "user" | "assistant" | "background";
  readonly text: string;
  /** When the first word was said, ms. */
  readonly timeMs: number;
}

/** What a call of a tool gave, for another delegation. */
export interface EarlierResult {
  /** `{ tool, arguments, outcome, result }`, or `error` in place of a result; one that is long is cut in its middle. */
  readonly json: string;
  /** When it came, ms. */
  readonly timeMs: number;
}

/** An image that the session saw. */
export interface ContextImage {
  /** PNG, in base64. */
  readonly png: string;
  readonly timeMs: number;
}

/** Sound of the user. */
export interface ContextAudio {
  /** WAV, 16 bits, mono, at the rate of the session's engine; in base64. */
  readonly wav: string;
  /** When it begins, ms. */
  readonly timeMs: number;
  readonly durationMs: number;
}

/** Something that happened in a job; its place in the log counts from 0. */
export type JobEvent =
  /** Words of the answer. */
  | { readonly type: "delta"; readonly text: string }
  /** A call has a new state. `running` is in the log before the tool runs. */
  | ({ readonly type: "call"; readonly key: string } & CallState)
  | { readonly type: "progress"; readonly call: string; readonly text: string; readonly spoken: boolean }
  | ({ readonly type: "result" } & CallResult)
  /** A step of the background model is complete: messages of the AI SDK that the conversation with it has grown by. */
  | { readonly type: "step"; readonly messages: readonly unknown[] }
  /** Last event. */
  | ({ readonly type: "end" } & JobOutcome);

/** {@link ToolCallActivity} without the delegation, which the job has. */
export type CallState = Omit<ToolCallActivity, "type" | "delegation">;

/** {@link ToolResultActivity} without the delegation, which the job has. */
export type CallResult = Omit<ToolResultActivity, "type" | "delegation">;

/** How a job ended. */
export type JobOutcome =
  | { readonly outcome: "done" }
  | { readonly outcome: "failed"; readonly error: string }
  | { readonly outcome: "cancelled" | "superseded"; readonly error?: string };

/** An event with its place in the log. */
export interface LoggedEvent {
  readonly index: number;
  readonly event: JobEvent;
}

/** What the session's side tells a job that runs. */
export type JobMessage =
  | { readonly type: "approve"; readonly call: string }
  | { readonly type: "reject"; readonly call: string; readonly reason: string }
  | { readonly type: "cancel"; readonly outcome: "cancelled" | "superseded"; readonly reason: string };

/** Carries jobs to workers and their logs back. */
export interface JobQueue {
  /** Puts a job in; one whose id is known already changes nothing. @throws DuplexError `BACKGROUND_FAILED` if it cannot be kept */
  submit(job: Job): Promise<void>;
  /**
   * The log of a job from place `from` on, each event once and in order, as it grows; returns after the event `end`.
   *
   * @param options.from - default 0
   * @param options.signal - stops following, with its reason; the job goes on
   * @throws DuplexError `BACKGROUND_FAILED` if the job is not known (any more), or its log cannot be reached;
   *   `SESSION_CLOSED` when the queue is closed
   */
  follow(id: string, options?: { readonly from?: number; readonly signal?: AbortSignal }): AsyncIterable<LoggedEvent>;
  /** Tells a job something, once or more often; one that is over, or not known, does not hear it. */
  send(id: string, message: JobMessage): Promise<void>;
  /** Lets go of what it holds; jobs of a durable queue go on. Double close is fine. */
  close(): Promise<void>;
}

/** One try at a job, as its worker sees it. */
export interface JobRun {
  readonly job: Job;
  /** What earlier tries have logged; empty at the first. */
  readonly log: readonly JobEvent[];
  /** Counts from 1. */
  readonly attempt: number;
  /** Fires when this try must stop at once: its queue closes, another worker has taken over, or it has failed. Nothing it appends counts any more. */
  readonly signal: AbortSignal;
  /**
   * Appends to the log, after all that was appended before. Resolves once it is kept; act on what it says only after that.
   *
   * @throws DuplexError `ABORTED` after `signal` and after `end`; `BACKGROUND_FAILED` when the log is full: only `end` is taken then
   * @throws TypeError if JSON cannot hold the event
   */
  append(event: JobEvent): Promise<void>;
  /** Calls back for every message that was sent to the job, also those from before this try; returns how to stop. */
  onMessage(listener: (message: JobMessage) => void): () => void;
}

/**
 * Does jobs. It must append an `end`, also after `cancel`. If it throws, the job is tried again by the rule of its queue, and
 * ends as `failed` when that is used up.
 */
export type JobHandler = (run: JobRun) => Promise<void>;
