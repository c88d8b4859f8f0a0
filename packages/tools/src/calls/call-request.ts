// What a call is asked for with, and how it ends.

import type { CallResult, CallState, JobEvent } from "../jobs/job.js";

/** A call of one tool, for one job. */
export interface CallRequest {
  /** {@link Job.id}. */
  readonly job: string;
  readonly conversation: string;
  readonly delegation: string;
  /** The same call has the same id in every try at the job; no other call of the job has it. */
  readonly call: string;
  /** Of the tool. */
  readonly name: string;
  /** As the model gave them: an object, or its JSON. */
  readonly arguments: unknown;
  /** Ends the call, with its reason. */
  readonly signal: AbortSignal;
  /** Appends to the log of the job; resolves once it is kept. */
  append(event: JobEvent): Promise<void>;
  /** Asks for approval; `awaiting-approval` is in the log by then. */
  approval(call: CallState): PromiseLike<Approval>;
  /** All that the job has logged up to now, in this try and earlier ones; it may grow. */
  readonly log: readonly JobEvent[];
}

/** What somebody said to a call that waits for approval. */
export type Approval = { readonly approved: true } | { readonly approved: false; readonly reason: string };

/** How a call ended. */
export type CallEnding = Omit<CallResult, "call" | "name">;

/** A call whose arguments fit, before anything of it has been done. */
export interface ProposedCall {
  readonly conversation: string;
  readonly delegation: string;
  readonly name: string;
  readonly arguments: unknown;
}

/** Whether a call is allowed: `true`, or `false` or a reason. */
export type AllowCall = (call: ProposedCall) => boolean | string | PromiseLike<boolean | string>;
