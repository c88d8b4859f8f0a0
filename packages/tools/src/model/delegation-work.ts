// Does one delegation: asks the background model step by step, runs the calls that it wants, logs all of it.
// The loop is ours and not that of the AI SDK: each step is in the log before the calls that it asked for run, and each result
// before the model sees it, so that every job can go on from its log, wherever it stopped.

import { type Clock, DuplexError } from "@microturn/core";
import type { ToolSet as AiToolSet } from "ai";
import type { CallTable } from "../calls/call-table.js";
import { delegationMessages } from "../context/delegation-messages.js";
import { dropToolName } from "../context/drop-tool.js";
import { dropToolDescription } from "../context/prompt.js";
import type { CallResult, Job, JobEvent, JobOutcome, JobRun } from "../jobs/job.js";
import { tell } from "../tell.js";
import type { ToolSet } from "../tool.js";
import { pause } from "../waiting.js";
import type { DelegationHandlerOptions } from "./delegation-handler.js";
import { DeltaWriter } from "./delta-writer.js";
import { ModelFault } from "./faults.js";
import type { GiveWay } from "./give-way.js";
import { JobInbox } from "./inbox.js";
import { type AiSdk, type LanguageModel, shownTool } from "./language-model.js";
import { streamStep } from "./model-step.js";
import { type AskedCall, directCall, readWork, type WorkSoFar } from "./work-so-far.js";

const tries = 3;
const firstPauseMs = 500;
const longestPauseMs = 60_000;

/** What all jobs of a handler share. */
export interface Worker {
  readonly options: DelegationHandlerOptions;
  readonly model: LanguageModel | undefined;
  readonly giveWay: GiveWay | undefined;
  readonly tools: ToolSet;
  readonly table: CallTable;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly maxSteps: number;
  readonly stallMs: number;
  readonly approvalTimeoutMs: number;
  readonly clock: Clock;
  /** Until the model refuses one. */
  showImages: boolean;
}

/** What is loaded before it is asked. */
export interface LoadedModel {
  readonly sdk: AiSdk;
  readonly tools: AiToolSet;
}

/** One try at one job. */
export class DelegationWork {
  readonly #worker: Worker;
  readonly #load: (() => Promise<LoadedModel>) | undefined;
  readonly #run: JobRun;
  readonly #job: Job;
  readonly #log: JobEvent[];
  readonly #inbox: JobInbox;
  readonly #writer: DeltaWriter;

  constructor(worker: Worker, load: (() => Promise<LoadedModel>) | undefined, run: JobRun) {
    this.#worker = worker;
    this.#load = load;
    this.#run = run;
    this.#job = run.job;
    this.#log = [...run.log];
    this.#inbox = new JobInbox(run, worker);
    this.#writer = new DeltaWriter((text) => this.#append({ type: "delta", text }), {
      said: this.#work.answer,
      onError: (error) => this.#inbox.stop(error),
    });
  }

  async run(): Promise<void> {
    if (this.#log.some((event) => event.type === "end")) return this.#inbox.close();
    try {
      const outcome = await this.#outcome();
      await this.#append({ type: "end", ...outcome });
    } finally {
      this.#inbox.stop(new DuplexError("ABORTED", "background: the work is over"));
      this.#inbox.close();
    }
  }

  async #outcome(): Promise<JobOutcome> {
    const { name } = this.#job.delegation;
    try {
      this.#inbox.signal.throwIfAborted();
      if (name !== undefined && this.#runs(name)) return await this.#callDirectly(name);
      return await this.#askModel();
    } catch (error) {
      this.#inbox.stop(error);
      this.#run.signal.throwIfAborted();
      const cancelled = this.#inbox.cancelled;
      if (cancelled !== undefined) return { outcome: cancelled.outcome, error: cancelled.reason };
      if (error instanceof ModelFault) return { outcome: "failed", error: error.message };
      if (DuplexError.is(error, "BACKGROUND_FAILED")) return { outcome: "failed", error: error.message };
      throw error;
    }
  }

  #runs(name: string): boolean {
    const { tools } = this.#worker;
    return Object.hasOwn(tools, name) && tools[name]?.execute !== undefined;
  }

  get #work(): WorkSoFar {
    return readWork(this.#log, this.#job.delegation.id);
  }

  async #append(event: JobEvent): Promise<void> {
    await this.#run.append(event);
    this.#log.push(event);
  }

  async #callDirectly(name: string): Promise<JobOutcome> {
    const { id, arguments: given } = this.#job.delegation;
    const call = directCall(id);
    const logged = this.#log.find((event) => event.type === "result" && event.call === call);
    const result = logged?.type === "result" ? logged : await this.#call({ call, name, arguments: given ?? {} });
    this.#inbox.signal.throwIfAborted();
    if (this.#work.answer === "") {
      this.#writer.write(answerOf(result));
      await this.#writer.settled();
    }
    if (result.outcome === "done") return { outcome: "done" };
    const error = result.error ?? result.outcome;
    return result.outcome === "cancelled" ? { outcome: "cancelled", error } : { outcome: "failed", error };
  }

  async #askModel(): Promise<JobOutcome> {
    if (this.#load === undefined) {
      const { name } = this.#job.delegation;
      const wanted = name === undefined ? "" : `, and no tool ${JSON.stringify(name)}`;
      return { outcome: "failed", error: `the background has no language model${wanted}` };
    }
    const loaded = await this.#load();
    for (;;) {
      const work = this.#work;
      if (work.answered || work.steps >= this.#worker.maxSteps) {
        if (work.answer.trim() !== "") return { outcome: "done" };
        return { outcome: "failed", error: `the language model came to no answer in ${work.steps} steps` };
      }
      if (work.calls.length > 0) await this.#callAll(work.calls);
      else await this.#step(loaded);
    }
  }

  async #step({ sdk, tools }: LoadedModel): Promise<void> {
    const { options, maxSteps, settings, stallMs, clock } = this.#worker;
    const { signal } = this.#inbox;
    const { instructions } = options;
    const told = typeof instructions === "function" ? await instructions(this.#job) : instructions;
    for (let attempt = 1; ; attempt++) {
      await this.#worker.giveWay?.();
      const work = this.#work;
      const images = this.#worker.showImages;
      const { audio } = options;
      const { system, messages } = delegationMessages(this.#job, { instructions: told, images, audio });
      try {
        const added = await streamStep({
          sdk,
          model: this.#worker.model as LanguageModel,
          system,
          messages: [...(messages as never), ...work.messages],
          tools: this.#withDropTool(sdk, tools),
          last: work.steps + 1 >= maxSteps,
          lastTry: attempt === tries,
          settings,
          said: work.said,
          answer: work.answer,
          writer: this.#writer,
          signal,
          stallMs,
          clock,
        });
        return await this.#append({ type: "step", messages: added });
      } catch (error) {
        if (!(error instanceof ModelFault)) throw error;
        tell(() => options.onError?.(error.cause ?? error, this.#job));
        if (error.images && images && this.#job.context.images.length > 0) {
          this.#worker.showImages = false;
          attempt--;
          continue;
        }
        if (!error.retry || attempt >= tries || error.retryAfterMs > longestPauseMs) throw error;
        await pause(Math.max(error.retryAfterMs, firstPauseMs * 2 ** (attempt - 1)), clock, signal);
      }
    }
  }

  #withDropTool(sdk: AiSdk, tools: AiToolSet): AiToolSet {
    const { underWay } = this.#job.context;
    if (underWay.length === 0) return tools;
    const delegation = { type: "string", enum: underWay.map((work) => work.delegation) };
    const schema = {
      type: "object",
      properties: { delegation },
      required: ["delegation"],
      additionalProperties: false,
    };
    return { ...tools, [dropToolName]: shownTool(sdk, dropToolDescription, schema) as AiToolSet[string] };
  }

  /** Runs calls side by side. When the log cannot be kept, all of them stop. */
  async #callAll(calls: readonly AskedCall[]): Promise<void> {
    const running = calls.map((call) =>
      this.#call(call).catch((error) => {
        this.#inbox.stop(error);
        throw error;
      }),
    );
    const settled = await Promise.allSettled(running);
    for (const one of settled) if (one.status === "rejected") throw one.reason;
    this.#inbox.signal.throwIfAborted();
  }

  #call(asked: AskedCall): Promise<CallResult> {
    if (asked.name === dropToolName) return this.#dropEarlier(asked);
    return this.#worker.table.call({
      job: this.#job.id,
      conversation: this.#job.conversation,
      delegation: this.#job.delegation.id,
      call: asked.call,
      name: asked.name,
      arguments: asked.arguments,
      signal: this.#inbox.signal,
      append: (event) => this.#append(event),
      approval: ({ call }) => this.#inbox.approval(call),
      log: this.#log,
    });
  }

  async #dropEarlier({ call, name, arguments: given }: AskedCall): Promise<CallResult> {
    const wanted = (given as { readonly delegation?: unknown } | undefined)?.delegation;
    const known = this.#job.context.underWay.some((work) => work.delegation === wanted);
    if (!known) {
      const error = `no work ${JSON.stringify(wanted ?? null)} is under way`;
      const result: CallResult = { call, name, outcome: "failed", error };
      await this.#append({ type: "result", ...result });
      return result;
    }
    if (!this.#log.some((event) => event.type === "call" && event.call === call)) {
      const state = { state: "running", irreversible: false, attempt: 1 } as const;
      await this.#append({ type: "call", key: call, call, name, arguments: { delegation: wanted }, ...state });
    }
    const result: CallResult = { call, name, outcome: "done", result: { dropped: wanted } };
    await this.#append({ type: "result", ...result });
    return result;
  }
}

/** The result of a call as an answer. */
function answerOf({ outcome, result, error }: CallResult): string {
  switch (outcome) {
    case "done":
      return typeof result === "string" ? result : (JSON.stringify(result) ?? "");
    case "rejected":
      return `That was not allowed${because(error)}`;
    case "timed-out":
      return "That took too long, and was given up.";
    case "unknown":
      return "Whether that happened cannot be told. It is not tried again.";
    case "cancelled":
      return "";
    default:
      return `That did not work${because(error)}`;
  }
}

function because(error: string | undefined): string {
  return error === undefined ? "." : `: ${error}`;
}
