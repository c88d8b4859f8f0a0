// The work for one delegation, as the session sees it: hands it to the queue, follows its log, and tells and says what is in it.

import { type BackgroundActivity, type BackgroundEndActivity, DuplexError, type DuplexSession } from "@microturn/core";
import { dropToolName } from "../context/drop-tool.js";
import type { CallState, Job, JobEvent, JobMessage, JobOutcome, JobQueue, LoggedEvent } from "../jobs/job.js";
import type { Redaction } from "../redaction/redaction.js";
import { othersTurn, pause } from "../waiting.js";
import { Answer, type AnswerHost, takes } from "./answer.js";
import type { Approvals } from "./approvals.js";
import type { EarlierResults } from "./earlier-results.js";
import { Sentences } from "./sentences.js";
import type { Ending, WorkOrder } from "./work-order.js";

/** Says in words that the work for a delegation has failed; nothing if it gives undefined. */
export type SayFailure = (error: string) => string | undefined;

/** What work needs besides itself. */
export interface WorkHost extends AnswerHost {
  readonly jobs: JobQueue;
  readonly redaction: Redaction;
  readonly approvals: Approvals;
  /** Undefined: the usual words. */
  readonly sayFailure: SayFailure | undefined;
  /** What tools have found, for later work. */
  readonly results: EarlierResults;
  tell(work: Work, activity: BackgroundActivity): void;
  /** The model itself ends earlier work of the conversation. */
  drop(earlier: string, by: Work): void;
  session(): DuplexSession | undefined;
  over(work: Work): void;
}

/** Times that a log is reached for, without anything new in it, before the work counts as failed. */
const maxTries = 4;
const retryMs = 500;
const longestRetryMs = 4000;
/** Words that are looked at at once: a few tenths of a millisecond. */
const wordsAtOnce = 2048;
/** Events after which others get a turn. */
const eventsAtOnce = 64;
const usualFailure = "I could not find that out.";
/** Longest result of a call of a function; a session takes 65 536 characters, and how it ended may be added. */
const maxResultLength = 64_000;
const cutShort = " … The rest of the result was too long, and was left out.";

export class Work {
  readonly order: WorkOrder;
  readonly answer: Answer;
  readonly #host: WorkHost;
  readonly #controller = new AbortController();
  /** Nobody wants it any more, also before it is submitted. */
  readonly #givenUp = new AbortController();
  readonly #words: ReturnType<Redaction["words"]>;
  readonly #sentences = new Sentences();
  #ending: Ending | undefined;
  #submitted = false;
  #muted = false;
  #over = false;
  /** All words so far, where one result is wanted; and whether there was no room for more. */
  #result = "";
  #cut = false;
  #running: Promise<void> | undefined;
  /** Arguments of calls that have no result yet. */
  readonly #given = new Map<string, unknown>();

  constructor(order: WorkOrder, host: WorkHost) {
    const { id, event, session, policy } = order;
    this.order = order;
    this.#host = host;
    this.#words = host.redaction.words();
    this.answer = new Answer({ id, session, policy, delegation: event.id, name: event.name }, host);
  }

  /** Whether the job has ended, or nobody follows it any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether it is being given up. */
  get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** Begins. @param makeJob - the job, once it is known what was seen and said; its signal says that it is not wanted any more */
  start(makeJob: (signal: AbortSignal) => Promise<Job>): void {
    this.#running = this.#run(makeJob).catch((error: unknown) => this.#fail(error));
  }

  /** Gives it up: words that wait are taken back at once. Resolves when the worker has been told. */
  async cancel(ending: Ending): Promise<void> {
    if (this.#over || this.#ending !== undefined) return;
    this.#ending = ending;
    this.#givenUp.abort();
    this.#host.approvals.jobOver(this.order.id);
    this.answer.withdraw(ending.words);
    if (this.#submitted) await this.#send({ type: "cancel", outcome: ending.outcome, reason: ending.reason });
  }

  /** It never happened: cancels it, and tells nothing of it any more. */
  async undo(ending: Ending): Promise<void> {
    this.answer.withdraw(ending.words);
    if (!this.#over && !this.#muted) this.#tellEnd({ outcome: ending.outcome, error: ending.reason });
    this.#muted = true;
    await this.cancel(ending);
  }

  /** Stops following, after `cancel`. Resolves when nothing of it runs here. */
  async stop(ending: Ending): Promise<void> {
    const cancelled = this.cancel(ending);
    this.answer.withdraw(ending.words);
    // While it is being submitted it cannot be cancelled yet: it is as soon as it has been.
    if (this.#submitted || this.#over) this.#controller.abort();
    await Promise.allSettled([cancelled, this.#running]);
    this.#abandon();
  }

  async #run(makeJob: (signal: AbortSignal) => Promise<Job>): Promise<void> {
    const job = await makeJob(this.#givenUp.signal);
    const before = this.#ending;
    if (before !== undefined) return this.#end({ outcome: before.outcome, error: before.reason });
    await this.#host.jobs.submit(job);
    this.#submitted = true;
    const during = this.#ending as Ending | undefined;
    if (during !== undefined) await this.#send({ type: "cancel", outcome: during.outcome, reason: during.reason });
    await this.#follow();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#controller;
    let from = 0;
    for (let tries = 0; !this.#over; ) {
      try {
        for await (const logged of this.#host.jobs.follow(this.order.id, { from, signal })) {
          await this.#take(logged);
          from = logged.index + 1;
          tries = 0;
          if (this.#over || signal.aborted) return;
          if (from % eventsAtOnce === 0) await othersTurn();
        }
        throw new DuplexError("BACKGROUND_FAILED", "follow: the log of the job stopped before its end");
      } catch (error) {
        if (signal.aborted) return;
        if (++tries >= maxTries) throw error;
        await pause(retryMs * 2 ** (tries - 1), this.#host.clock, signal).catch(() => {});
      }
    }
  }

  async #take({ event }: LoggedEvent): Promise<void> {
    switch (event.type) {
      case "delta":
        return this.#delta(event.text);
      case "step":
        return this.#flush();
      case "call":
        this.#flush();
        return this.#call(event);
      case "progress": {
        const text = this.#host.redaction.text(event.text, "progress");
        this.#tell({ type: "tool-progress", delegation: this.order.event.id, call: event.call, text });
        if (event.spoken && text !== "") this.answer.sayProgress(text);
        return;
      }
      case "result":
        return this.#toolResult(event);
      case "end":
        return this.#end(event);
    }
  }

  async #delta(text: string): Promise<void> {
    for (let from = 0; from < text.length; from += wordsAtOnce) {
      if (from > 0) await othersTurn();
      const words = this.#words.push(text.slice(from, from + wordsAtOnce));
      this.#keep(words);
      this.#say(this.#sentences.push(words));
    }
  }

  /** What was said so far is complete. */
  #flush(): void {
    const words = this.#words.end();
    this.#keep(words);
    this.#say([...this.#sentences.push(words), ...this.#sentences.end()]);
    if (this.#result !== "" && !/\s$/.test(this.#result)) this.#keep(" ");
  }

  #say(sentences: readonly string[]): void {
    for (const text of sentences) {
      this.#tell({ type: "background-delta", delegation: this.order.event.id, text });
      if (this.order.event.name === undefined) this.answer.say(text);
    }
  }

  /** A function gives one result, and it may be data: what is in it stays as it is. */
  #keep(words: string): void {
    if (this.order.event.name === undefined) return;
    const room = maxResultLength - this.#result.length;
    this.#result += words.slice(0, room);
    const rest = words.slice(room);
    if (rest.trim() === "") return;
    this.#cut = true;
    this.#host.undelivered(this.answer, rest, "overflow");
  }

  #call({ type: _, key: __, ...state }: Extract<JobEvent, { type: "call" }>): void {
    const { redaction, approvals } = this.#host;
    const { event, id } = this.order;
    const told = redaction.value(state.arguments, "arguments");
    this.#given.set(state.call, state.arguments);
    this.#tell({ type: "tool-call", delegation: event.id, ...state, arguments: told });
    if (state.name === dropToolName) this.#dropEarlier(state);
    if (state.state !== "awaiting-approval") approvals.over(id, state.call);
    else if (this.#ending === undefined) this.#askFor(state, told);
  }

  #askFor(state: CallState, told: unknown): void {
    const { event, id, conversation } = this.order;
    const request = { type: "tool-call" as const, delegation: event.id, conversation, told, ...state };
    this.#host.approvals.ask(id, request, this.#host.session(), (verdict) =>
      this.#sendVerdict(
        verdict === true
          ? { type: "approve", call: state.call }
          : { type: "reject", call: state.call, reason: verdict },
      ),
    );
  }

  /** A verdict is given once, and the call waits for it: it is sent until it has arrived, or nobody follows the work any more. */
  async #sendVerdict(message: JobMessage): Promise<void> {
    const { signal } = this.#controller;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#host.jobs.send(this.order.id, message);
      } catch (error) {
        if (signal.aborted) throw error;
        await pause(Math.min(retryMs * 2 ** tries, longestRetryMs), this.#host.clock, signal).catch(() => {});
        if (signal.aborted) throw error;
      }
    }
  }

  #dropEarlier({ arguments: given }: CallState): void {
    const { delegation } = (typeof given === "object" && given !== null ? given : {}) as { delegation?: unknown };
    if (typeof delegation === "string" && this.#ending === undefined) this.#host.drop(delegation, this);
  }

  #toolResult({ type: _, ...ended }: Extract<JobEvent, { type: "result" }>): void {
    const { result, error, ...rest } = ended;
    const { redaction, approvals, results } = this.#host;
    if (!this.#muted) results.add(this.order, ended, this.#given.get(rest.call));
    this.#given.delete(rest.call);
    approvals.over(this.order.id, rest.call);
    this.#tell({
      ...{ type: "tool-result", delegation: this.order.event.id, ...rest },
      ...(result === undefined ? {} : { result: redaction.value(result, "result") }),
      ...(error === undefined ? {} : { error: redaction.text(error, "error") }),
    });
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    if (this.#controller.signal.aborted) {
      this.#abandon();
      return;
    }
    // Whoever has it should not go on with it: nobody listens.
    if (this.#submitted) void this.#send({ type: "cancel", outcome: "cancelled", reason: "its log cannot be reached" });
    this.#end({ outcome: "failed", error: error instanceof Error ? error.message : String(error) });
  }

  #end(outcome: JobOutcome): void {
    if (this.#over) return;
    this.#flush();
    const { name } = this.order.event;
    const error = outcome.outcome === "done" ? undefined : this.#host.redaction.text(outcome.error ?? "", "error");
    if (name !== undefined && !this.#muted) this.#answerCall(outcome, error ?? "");
    else if (outcome.outcome === "failed" && this.#ending === undefined) {
      const words = this.#failureWords(error ?? "", usualFailure);
      if (words !== undefined) this.answer.say(words);
    }
    this.#tellEnd({ outcome: outcome.outcome, error });
    this.#close();
  }

  #failureWords(error: string, usual: string): string | undefined {
    const { sayFailure } = this.#host;
    if (sayFailure === undefined) return usual;
    try {
      const words = sayFailure(error);
      return typeof words === "string" && words.trim() !== "" ? words : undefined;
    } catch {
      return usual;
    }
  }

  /** A service that called a function waits for exactly one result, whatever became of the work. */
  #answerCall(outcome: JobOutcome, error: string): void {
    if (this.#ending !== undefined) {
      this.#answerEndedCall(this.#ending);
      return;
    }
    const words = `${this.#result.trim()}${this.#cut ? cutShort : ""}`;
    // A call that fails tells so itself; words that were cut off do not.
    const told = words !== "" && error !== "" && words.includes(error);
    const ended = told ? "" : this.#howItEnded(outcome.outcome, error);
    this.answer.say([words, ended].filter((part) => part !== "").join(" "));
  }

  #howItEnded(outcome: JobOutcome["outcome"], error: string): string {
    const why = error === "" ? "." : `: ${error}`;
    switch (outcome) {
      case "done":
        return this.#result.trim() === "" ? "The call gave nothing." : "";
      case "failed":
        return this.#failureWords(error, `The call failed${why}`) ?? `The call failed${why}`;
      case "cancelled":
        return `The call was cancelled${why}`;
      case "superseded":
        return "Later work took the place of this call.";
    }
  }

  /** Its words were withdrawn; the service is told that, so that it does not wait. */
  #answerEndedCall({ outcome, reason, words, unanswered }: Ending): void {
    const { session, event } = this.order;
    if (this.#result.trim() !== "") this.#host.undelivered(this.answer, this.#result.trim(), words);
    if (session.closed || unanswered === true) return;
    try {
      session.deliver(this.#howItEnded(outcome, reason), "silent", { delegation: event.id }).catch(() => {});
    } catch {
      // It ends, or takes nothing: then it does not wait either.
    }
  }

  #tellEnd({
    outcome,
    error,
  }: {
    readonly outcome: BackgroundEndActivity["outcome"];
    readonly error: string | undefined;
  }): void {
    const { event, session, policy } = this.order;
    const unheard =
      outcome === "done" && !takes(this.#host.session() ?? session, policy)
        ? "nothing of it was delivered: the engine takes no text in this way"
        : undefined;
    const wrong = error === undefined || error === "" ? unheard : error;
    this.#tell({
      ...{ type: "background-end", delegation: event.id, outcome },
      ...(wrong === undefined ? {} : { error: wrong }),
    });
  }

  #tell(activity: BackgroundActivity): void {
    if (!this.#muted) this.#host.tell(this, activity);
  }

  /** Nobody follows it any more: what it had said is accounted for. */
  #abandon(): void {
    if (this.#over) return;
    this.#muted = true;
    this.#flush();
    if (this.#result.trim() !== "")
      this.#host.undelivered(this.answer, this.#result.trim(), this.#ending?.words ?? "closed");
    this.#close();
  }

  #close(): void {
    this.#over = true;
    this.#controller.abort();
    this.#host.approvals.jobOver(this.order.id);
    this.#host.over(this);
  }

  /** A worker that cannot be told ends by its own limits. */
  async #send(message: JobMessage): Promise<void> {
    await this.#host.jobs.send(this.order.id, message).catch(() => {});
  }
}
