// Calls that wait for somebody to allow them. Nothing is allowed by itself: who does not answer in time has said no.

import type { Clock, DuplexSession, ToolCallActivity } from "@microturn/core";

/** A call that waits, with its arguments as the model gave them. */
export interface ApprovalRequest extends ToolCallActivity {
  readonly conversation: string;
  /** The arguments as events tell them: without what is secret, and not longer than about 4 KB. For what is shown or said. */
  readonly told: unknown;
}

/** What an {@link Approve} gets besides the call. */
export interface ApprovalContext {
  /** The session that the user is in now; undefined if none is there. */
  readonly session: DuplexSession | undefined;
  /** Fires when no answer is wanted any more: the time is up, the work is cancelled, or somebody else has answered. */
  readonly signal: AbortSignal;
}

/** Decides on a call: `true` allows it, `false` or a reason in words does not. If it throws, the call is not allowed. */
export type Approve = (
  call: ApprovalRequest,
  context: ApprovalContext,
) => boolean | string | PromiseLike<boolean | string>;

/** Sends the verdict to the work. */
export type SendVerdict = (verdict: true | string) => Promise<void>;

interface Pending {
  readonly request: ApprovalRequest;
  readonly send: SendVerdict;
  readonly controller: AbortController;
  readonly stopTimer: () => void;
}

export class Approvals {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #approve: Approve | undefined;
  readonly #pending = new Map<string, Pending>();

  constructor(clock: Clock, options: { readonly timeoutMs: number; readonly approve: Approve | undefined }) {
    this.#clock = clock;
    this.#timeoutMs = options.timeoutMs;
    this.#approve = options.approve;
  }

  /** Calls that wait, oldest first. */
  get waiting(): readonly ApprovalRequest[] {
    return Array.from(this.#pending.values(), ({ request }) => request);
  }

  /**
   * A call waits.
   *
   * @param job - id of the job that it is part of
   */
  ask(job: string, request: ApprovalRequest, session: DuplexSession | undefined, send: SendVerdict): void {
    const key = keyOf(job, request.call);
    if (this.#pending.has(key)) return;
    const controller = new AbortController();
    const stopTimer = this.#clock.setTimer(() => {
      void this.#settle(key, pending, "nobody allowed it in time").catch(() => {});
    }, this.#clock.now() + this.#timeoutMs);
    const pending: Pending = { request, send, controller, stopTimer };
    this.#pending.set(key, pending);
    const approve = this.#approve;
    if (approve === undefined) return;
    void (async () => {
      try {
        const verdict = await approve(request, { session, signal: controller.signal });
        await this.#settle(key, pending, verdict === true ? true : asReason(verdict));
      } catch {
        await this.#settle(key, pending, asReason(false)).catch(() => {});
      }
    })();
  }

  /** A call is over, or begins: no answer is wanted any more. */
  over(job: string, call: string): void {
    const key = keyOf(job, call);
    this.#forget(key, this.#pending.get(key));
  }

  /** All calls of a job are over. */
  jobOver(job: string): void {
    for (const [key, pending] of this.#pending) if (key.startsWith(keyOf(job, ""))) this.#forget(key, pending);
  }

  /**
   * Answers for somebody.
   *
   * @returns false if no such call waits
   * @throws TypeError if several conversations have a call of this name that waits, and none is named
   */
  async answer(call: string, conversation: string | undefined, verdict: true | string): Promise<boolean> {
    const found = [...this.#pending].filter(
      ([, { request }]) =>
        request.call === call && (conversation === undefined || request.conversation === conversation),
    );
    if (found.length > 1) {
      throw new TypeError(
        `approve: ${found.length} calls "${call}" wait; name the conversation of the one that is meant`,
      );
    }
    for (const [key, pending] of found) await this.#settle(key, pending, verdict);
    return found.length === 1;
  }

  async #settle(key: string, pending: Pending, verdict: true | string): Promise<void> {
    if (this.#pending.get(key) !== pending) return;
    this.#forget(key, pending);
    await pending.send(verdict);
  }

  #forget(key: string, pending: Pending | undefined): void {
    if (pending === undefined) return;
    this.#pending.delete(key);
    pending.stopTimer();
    pending.controller.abort();
  }
}

function keyOf(job: string, call: string): string {
  return `${job}\n${call}`;
}

function asReason(verdict: unknown): string {
  return typeof verdict === "string" && verdict !== "" ? verdict : "it was not allowed";
}
