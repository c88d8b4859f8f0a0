// Runs the calls of tools, from what a model asked for to one logged result, whatever the tool, the model and the process do.

import { type Clock, systemClock } from "@microturn/core";
import type { CallResult } from "../jobs/job.js";
import type { GiveWay } from "../model/give-way.js";
import { describe } from "../schema/json-value.js";
import type { ToolSet } from "../tool.js";
import { orAborted, settledWithin } from "../waiting.js";
import { readArguments } from "./call-arguments.js";
import type { JournalCall } from "./call-journal.js";
import { canonicalJson, logKey } from "./call-key.js";
import type { AllowCall, CallEnding, CallRequest } from "./call-request.js";
import { type CallSlot, CallSlots } from "./call-slots.js";
import { CallsUnderWay } from "./calls-under-way.js";
import { earlierEnding, loggedResult, unknownEnding } from "./earlier-calls.js";
import { OngoingCall } from "./ongoing-call.js";
import { type ReadTool, readTool } from "./read-tool.js";
import { leftBehindMs, runAttempts } from "./run-attempts.js";

/** What a {@link CallTable} is made from. */
export interface CallTableOptions {
  readonly tools: ToolSet;
  /** Calls that run at once, over all tools; default 8. */
  readonly concurrency?: number | undefined;
  /** Default {@link systemClock}. */
  readonly clock?: Clock | undefined;
  /** Waited for before a tool runs and before its result is looked at; default never. */
  readonly giveWay?: GiveWay | undefined;
  /** Asked for every call whose arguments fit; one that is not allowed is `rejected`. Default: all are. */
  readonly allow?: AllowCall | undefined;
}

/** `close` waits for logs to take the last results for so long, ms. */
const closeMs = 5000;

/**
 * Runs calls of tools for any number of jobs.
 *
 * - A call has one id in every try at its job. One with a result in the log gives that and does nothing; one without runs again,
 *   with the same idempotency key (`job/call`) and the next attempt number.
 * - An irreversible call runs once per job and key: the same again gives the earlier ending, waits for the one under way, or is
 *   `unknown` if the log breaks off after it began. Where it never began, it may be asked for again.
 * - A call that is ended has its result at once; its slot is free when the tool has stopped, after 1 s at the latest. What the
 *   tool does after its end is swallowed.
 *
 * @example
 * const table = new CallTable({ tools: { weather } });
 * const result = await table.call({ ...request, name: "weather", arguments: '{"city":"Rome"}' });
 */
export class CallTable {
  readonly #tools: ReadonlyMap<string, ReadTool>;
  readonly #clock: Clock;
  readonly #giveWay: GiveWay;
  readonly #allow: AllowCall | undefined;
  readonly #slots: CallSlots;
  readonly #underWay = new CallsUnderWay();
  /** By job and id. */
  readonly #calls = new Map<string, { readonly call: OngoingCall; readonly result: Promise<CallResult> }>();
  /** Each resolves when a slot is free whose call is over. */
  readonly #leftBehind = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /**
   * @throws TypeError if a tool's name or schema cannot be used
   * @throws RangeError if a limit is out of its range
   */
  constructor({ tools, concurrency = 8, clock = systemClock, giveWay, allow }: CallTableOptions) {
    if (!(concurrency >= 1)) throw new RangeError(`CallTable: expected concurrency of at least 1, got ${concurrency}`);
    // Tools that have no `execute` run elsewhere: at the provider of the model.
    const own = Object.entries(tools).filter(([, tool]) => tool.execute !== undefined);
    this.#tools = new Map(own.map(([name, tool]) => [name, readTool(name, tool)]));
    this.#clock = clock;
    this.#giveWay = giveWay ?? (() => undefined);
    this.#allow = allow;
    this.#slots = new CallSlots(concurrency, (name) => this.#tools.get(name)?.limits.concurrency ?? 1);
  }

  /**
   * Brings in what the schemas of the tools need, so that nothing is loaded during a call.
   *
   * @throws TypeError if one of them cannot be used
   */
  async load(): Promise<void> {
    const tools = [...this.#tools.values()];
    await Promise.all(tools.flatMap(({ input, output }) => [input.load(), output?.load()]));
  }

  /** Calls that have a slot: those that run, and those left behind whose slots are not free yet. */
  get running(): number {
    return this.#slots.running;
  }

  /**
   * Runs a call. Its result is in the log when this resolves; it is `failed`, not an error here, whatever the tool does.
   *
   * @throws what `request.append` throws
   */
  call(request: CallRequest): Promise<CallResult> {
    const logged = loggedResult(request.log, request.call);
    if (logged !== undefined) return Promise.resolve(logged);
    const place = JSON.stringify([request.job, request.call]);
    const known = this.#calls.get(place);
    if (known !== undefined) return known.result;
    const call = new OngoingCall(request, this.#tools.get(request.name)?.tool);
    if (this.#closing !== undefined) call.end(closed);
    this.#underWay.enter(call);
    const result = this.#run(call).finally(() => this.#calls.delete(place));
    this.#calls.set(place, { call, result });
    return result;
  }

  /**
   * Ends a call.
   *
   * @param job - of the call, where ids of several jobs are the same
   * @returns whether one was under way
   */
  cancel(callId: string, reason: string, job?: string): boolean {
    let found = false;
    for (const { call } of this.#calls.values()) {
      if (call.request.call !== callId || (job !== undefined && call.request.job !== job)) continue;
      found = true;
      call.end(reason);
    }
    return found;
  }

  /**
   * Ends all calls and waits for their results and, for 1 s, for their tools; calls that are asked for later end at once. Always
   * resolves, after 6 s if a log takes nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const results: Promise<CallResult>[] = [];
    for (const { call, result } of this.#calls.values()) {
      results.push(result);
      call.end(closed);
    }
    await settledWithin(Promise.allSettled(results), closeMs, this.#clock);
    await Promise.all(this.#leftBehind);
  }

  async #run(call: OngoingCall): Promise<CallResult> {
    let ending: CallEnding = unknownEnding("its log cannot be written");
    try {
      ending = await this.#endingOf(call);
    } catch (error) {
      const { failure } = call.journal;
      if (failure === undefined) {
        ending = call.signal.aborted ? call.ended() : { outcome: "failed", error: describe(error) };
      } else {
        ending = call.ended();
        throw failure.error;
      }
    } finally {
      this.#underWay.leave(call, ending);
      call.decide(ending);
    }
    return call.journal.result(ending);
  }

  /** Everything before the tool runs, each check before what it may make needless. Throws the signal's reason if it is ended. */
  async #endingOf(call: OngoingCall): Promise<CallEnding> {
    const { request, signal } = call;
    const read = this.#tools.get(request.name);
    if (read === undefined)
      return failed(`there is no tool ${JSON.stringify(request.name).slice(0, 80)} that can be run here`);
    const { tool } = read;

    await orAborted(this.#giveWay(), signal);
    const given = readArguments(request.arguments);
    if (!given.ok) return failed(`its arguments cannot be used: ${given.problem}`);
    const input = await orAborted(read.input.validate(given.value), signal);
    if (!input.ok) return failed(`its arguments do not fit: ${input.problem}`);
    call.key = logKey(
      request.name,
      tool.key === undefined ? canonicalJson(given.value) : String(tool.key(input.value)),
    );
    const journalCall = { key: call.key, arguments: given.value, irreversible: call.irreversible };

    const refusal = await this.#refusal(call, given.value);
    if (refusal !== undefined) return { outcome: "rejected", error: refusal };
    const other = await this.#otherEnding(call, read, journalCall);
    if (other !== undefined) return other;

    const { needsApproval = call.irreversible } = tool;
    const asked = { toolCallId: request.call, messages: [] as [] };
    const needed = typeof needsApproval === "function" ? needsApproval(input.value, asked) : needsApproval;
    if ((await orAborted(needed, signal)) !== false) {
      await call.journal.state(journalCall, "awaiting-approval");
      const waiting = call.journal.stateOf(journalCall, "awaiting-approval");
      const answer = await orAborted(request.approval(waiting), signal);
      if (answer.approved !== true) return { outcome: "rejected", error: answer.reason };
    }

    const slot = await this.#slot(call, journalCall);
    try {
      return await runAttempts(call, {
        read,
        input: input.value,
        journalCall,
        clock: this.#clock,
        giveWay: this.#giveWay,
      });
    } finally {
      this.#freeWhenSettled(slot, call.settled);
    }
  }

  /** Why the call is not allowed. A permission that cannot be told is none. */
  async #refusal({ request, signal }: OngoingCall, given: unknown): Promise<string | undefined> {
    if (this.#allow === undefined) return undefined;
    const { conversation, delegation, name } = request;
    const asked = { conversation, delegation, name, arguments: given };
    let allowed: boolean | string;
    try {
      allowed = await orAborted(this.#allow(asked), signal);
    } catch (error) {
      signal.throwIfAborted();
      return `whether it is allowed cannot be told: ${describe(error, 300)}`;
    }
    if (allowed === true) return undefined;
    return typeof allowed === "string" ? allowed : `${name} is not allowed here`;
  }

  /**
   * The ending of another call that this one has no need or no right to repeat. Without one the call is registered, in the same
   * breath in which that was found out, so that no two can pass.
   */
  async #otherEnding(call: OngoingCall, { tool }: ReadTool, journalCall: JournalCall): Promise<CallEnding | undefined> {
    const { request, irreversible, key } = call;
    for (;;) {
      const same = this.#underWay.same(call);
      let leader: OngoingCall | undefined;
      if (irreversible) {
        leader = same.find((one) => one.request.job === request.job);
        const ended = this.#underWay.endedInJob(call);
        if (ended !== undefined) return ended;
        const earlier = leader === undefined ? earlierEnding(request.log, { id: request.call, key }) : undefined;
        if (earlier !== undefined) return earlier;
      }
      if (leader === undefined && same.length > 0) {
        if (tool.duplicates === "reject") return { outcome: "rejected", error: "the same call is under way already" };
        if (tool.duplicates === "replace") for (const one of same) one.end("a later call took its place");
        if (tool.duplicates === "join") leader = same[0];
      }
      if (leader === undefined) {
        this.#underWay.register(call);
        return undefined;
      }
      await call.journal.state(journalCall, "queued");
      const ending = await orAborted(leader.ending, call.signal);
      // Nobody else's end ends this one.
      if (ending.outcome !== "cancelled") return ending;
    }
  }

  async #slot(call: OngoingCall, journalCall: JournalCall): Promise<CallSlot> {
    const { request, journal, signal } = call;
    const slot = this.#slots.take(request.name);
    if (slot !== undefined) return slot;
    // It has its place in the row before its state is kept, as the log may be slow.
    const turn = this.#slots.wait(request.name, signal);
    turn.catch(() => {});
    try {
      await journal.state(journalCall, "queued");
    } catch (error) {
      turn.then((late) => late.release()).catch(() => {});
      throw error;
    }
    return turn;
  }

  #freeWhenSettled(slot: CallSlot, settled: Promise<void>): void {
    const freed = settledWithin(settled, leftBehindMs, this.#clock).then(() => {
      this.#leftBehind.delete(freed);
      slot.release();
    });
    this.#leftBehind.add(freed);
  }
}

const closed = "the background is closed";

function failed(error: string): CallEnding {
  return { outcome: "failed", error };
}
