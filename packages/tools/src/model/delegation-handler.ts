// The handler of a background: what may be set of it, and what is loaded before the first job comes.

import { type Clock, systemClock } from "@microturn/core";
import { CallTable } from "../calls/call-table.js";
import { dropToolName } from "../context/drop-tool.js";
import type { Job, JobHandler } from "../jobs/job.js";
import { readSchema } from "../schema/read-schema.js";
import type { Tool, ToolSet } from "../tool.js";
import { DelegationWork, type LoadedModel, type Worker } from "./delegation-work.js";
import { givingWay, type MicroTurnsHere } from "./give-way.js";
import { importAiSdk, type LanguageModel, shownTool } from "./language-model.js";

/** How the background works. */
export interface DelegationHandlerOptions {
  /** Asked for every delegation that names no tool. Without one, only those that do can be done. */
  readonly model?: LanguageModel | undefined;
  /** What it may call. */
  readonly tools?: ToolSet | undefined;
  /** Follow {@link backgroundPrompt} in the system prompt; of the job, if they depend on it. */
  readonly instructions?: string | ((job: Job) => string | PromiseLike<string>) | undefined;
  /** Answers of the model for one delegation, 1 … 100; in the last it may call nothing. Default 8. */
  readonly maxSteps?: number | undefined;
  /** For each step; default what the model has. */
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  /** Other settings of `streamText` of the AI SDK: `providerOptions`, `headers`, `topP`, … */
  readonly callSettings?: Readonly<Record<string, unknown>> | undefined;
  /** A step is ended and tried again if the model sends nothing for this long, ms; four times as long while it thinks. Default 30 000. */
  readonly stallMs?: number | undefined;
  /** Whether the model is shown what was seen. `auto` (default): until it refuses an image. */
  readonly images?: "auto" | false | undefined;
  /**
   * Whether the model is given the user's own voice, as he asked for the work, as a WAV file. Most models refuse sound, and the work
   * fails then. Where workers do the work, the `backgroundModel` of the sessions must have `audio: true` as well. Default false.
   */
  readonly audio?: boolean | undefined;
  /** Calls that run at once. */
  readonly concurrency?: number | undefined;
  /**
   * A call that nobody has decided on by then is not made, ms, 1 … 2^31 - 1. Default in a process of its own 600 000: a session that is gone decides
   * nothing, so give it longer than the sessions wait for an answer.
   */
  readonly approvalTimeoutMs?: number | undefined;
  /** Which calls are allowed. */
  readonly allow?: ConstructorParameters<typeof CallTable>[0]["allow"];
  readonly clock?: Clock | undefined;
  /**
   * Hears every error of the AI SDK or a provider as it came, also those after which it goes on, and where sessions are those of
   * `transcribe`. It may hold keys and addresses, which is why logs and events have only our own words for it.
   */
  readonly onError?: ((error: unknown, job: Job) => void) | undefined;
}

/** Does delegations. */
export interface DelegationHandler extends JobHandler {
  /** Brings in the AI SDK and what the tools look like, so that nothing is loaded while a session talks. */
  load(): Promise<void>;
}

/**
 * A handler for the jobs of a background.
 *
 * A delegation whose `name` is that of a tool is a call of this tool with the arguments given: no model is asked, and its result is
 * the answer. For any other the model is asked, up to `maxSteps` times, and its words are the answer.
 *
 * A step that fails (the stream drops or stalls, the service is busy, nothing comes) is tried again, 3 times in all, after pauses of
 * 0.5 s and 1 s, or what the service asks for, at most 60 s. Words that were passed on by then stay; the model is asked for what
 * comes after them. If nothing helps, the job ends as `failed`, with a reason in words of ours.
 *
 * While other work of the conversation is under way, the model has one more tool, `drop_earlier_work`. It does nothing by
 * itself: its call and its result are logged like any other, and whoever follows the log ends the delegation that is named
 * in the arguments of the call.
 *
 * @throws RangeError if `maxSteps`, `stallMs` or `approvalTimeoutMs` is out of its range
 * @throws TypeError if a tool of yours is called `drop_earlier_work`
 */
export function delegationHandler(options: DelegationHandlerOptions): DelegationHandler {
  return handlerGivingWay(options);
}

/** A {@link delegationHandler} in a process where micro-turns are computed. */
export function handlerGivingWay(options: DelegationHandlerOptions, microTurns?: MicroTurnsHere): DelegationHandler {
  const giveWay = microTurns?.giveWay;
  const { model, tools = {}, maxSteps = 8, stallMs = 30_000, clock = systemClock, concurrency, allow } = options;
  const { approvalTimeoutMs = 600_000 } = options;
  if (!(Number.isInteger(maxSteps) && maxSteps >= 1 && maxSteps <= 100)) {
    throw new RangeError(`delegationHandler: maxSteps must be a whole number of 1 to 100, not ${maxSteps}`);
  }
  if (!(stallMs > 0)) throw new RangeError(`delegationHandler: stallMs must be more than 0, not ${stallMs}`);
  if (!(approvalTimeoutMs >= 1 && approvalTimeoutMs < 2 ** 31)) {
    throw new RangeError(`delegationHandler: approvalTimeoutMs must be 1 … ${2 ** 31 - 1}, not ${approvalTimeoutMs}`);
  }
  if (Object.hasOwn(tools, dropToolName)) {
    throw new TypeError(`delegationHandler: ${dropToolName} is the name of a tool of ours; give yours another one`);
  }
  const table = new CallTable({ tools, clock, giveWay, concurrency, allow });
  const settings = {
    ...options.callSettings,
    ...(options.maxOutputTokens === undefined ? {} : { maxOutputTokens: options.maxOutputTokens }),
    ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
  };
  const worker: Worker = {
    options,
    model: model && microTurns ? givingWay(model, microTurns, clock) : model,
    giveWay,
    tools,
    table,
    settings,
    maxSteps,
    stallMs,
    approvalTimeoutMs,
    clock,
    showImages: options.images !== false,
  };
  let loading: Promise<LoadedModel> | undefined;
  const load = () => {
    loading ??= loadModel(tools).catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  const handler: JobHandler = (run) => new DelegationWork(worker, model === undefined ? undefined : load, run).run();
  return Object.assign(handler, {
    load: async () => {
      if (model !== undefined) await load();
    },
  });
}

/** Tools for the model: what they are for and what they take. None has an `execute`, so that the AI SDK runs none. */
async function loadModel(tools: ToolSet): Promise<LoadedModel> {
  // Others than those of a provider that have no `execute` cannot be run by anybody.
  const known = Object.entries(tools).filter(([, tool]) => tool.execute !== undefined || isProvided(tool));
  const [sdk, entries] = await Promise.all([
    importAiSdk(),
    Promise.all(
      known.map(async ([name, tool]) => {
        if (isProvided(tool)) return { name, provided: { ...tool, execute: undefined } };
        return {
          name,
          description: tool.description,
          schema: await readSchema(tool.inputSchema, { input: true }).jsonSchema(),
        };
      }),
    ),
  ]);
  const shown = entries.map((entry) => [
    entry.name,
    "provided" in entry ? entry.provided : shownTool(sdk, entry.description, entry.schema),
  ]);
  return { sdk, tools: Object.fromEntries(shown) };
}

/** A tool that the provider knows already (`openai.tools.webSearch()`): it goes there as it is. */
function isProvided(tool: Tool): boolean {
  return (tool as { readonly type?: unknown }).type === "provider";
}
