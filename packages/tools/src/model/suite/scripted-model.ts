// For tests: a language model of the AI SDK's own test kit that plays a script, and one try at a job without a queue.
// Nothing of this is part of what the package exports.

import { continuePrompt } from "../../context/prompt.js";
import type { Job, JobEvent, JobHandler, JobMessage, JobRun } from "../../jobs/job.js";
import type { LanguageModel } from "../language-model.js";

/** A part of a provider's stream; the same in versions 3 and 4 of the AI SDK's contract. */
export type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A message as a provider gets it. */
export interface PromptMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string | readonly Part[];
}

/** What a provider is asked. */
export interface Request {
  readonly prompt: readonly PromptMessage[];
  readonly tools?: readonly { readonly name: string; readonly inputSchema: unknown }[];
  readonly toolChoice?: { readonly type: string };
  readonly abortSignal?: AbortSignal;
  readonly temperature?: number;
}

/** The mock model of one version of the AI SDK. */
export type MakeModel = (doStream: (request: Request) => Promise<{ stream: ReadableStream<Part> }>) => LanguageModel;

/** One step of a script: words, then calls. */
export interface ScriptStep {
  readonly text?: string;
  readonly calls?: readonly (readonly [name: string, input: unknown])[];
}

/** Parts of a step; the text in pieces of five characters. Ids of calls begin anew in each step, as with some local servers. */
export function stepParts({ text = "", calls = [] }: ScriptStep): Part[] {
  const words: Part[] = text === "" ? [] : [{ type: "text-start", id: "t" }];
  for (let at = 0; at < text.length; at += 5)
    words.push({ type: "text-delta", id: "t", delta: text.slice(at, at + 5) });
  if (text !== "") words.push({ type: "text-end", id: "t" });
  return [
    { type: "stream-start", warnings: [] },
    ...words,
    ...calls.map(([toolName, input], index) => ({
      type: "tool-call",
      toolCallId: `call_${index}`,
      toolName,
      input: typeof input === "string" ? input : JSON.stringify(input),
    })),
    finish(calls.length > 0 ? "tool-calls" : "stop"),
  ];
}

/** The end of a provider's stream. */
export function finish(unified: string): Part {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  };
  return { type: "finish", finishReason: { unified, raw: unified }, usage };
}

/** How a stream ends that does not come to its end. */
export type Break = "error" | "closed" | "hangs";

/** A stream of these parts. Only the last way to break it heeds the signal: as a connection that is still open. */
export function streamOf(parts: readonly Part[], broken?: Break, signal?: AbortSignal): ReadableStream<Part> {
  let next = 0;
  return new ReadableStream<Part>({
    pull(controller) {
      const part = parts[next++];
      if (part !== undefined) controller.enqueue(part);
      else if (broken === undefined || broken === "closed") controller.close();
      else if (broken === "error") controller.error(new TypeError("terminated: sk-secret"));
      else {
        return new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")), { once: true });
        });
      }
    },
  });
}

/** What is left to say, as different models take the wish to go on: after what was said, or from the beginning. */
export type Continues = "exactly" | "anew";

/**
 * Which step of a script a request is for, and with which words: goes by the results of tools in it, as a model would.
 */
export function stepFor(
  script: readonly ScriptStep[],
  { prompt }: Request,
  continues: Continues = "exactly",
): ScriptStep {
  const step = script[prompt.filter(({ role }) => role === "tool").length] ?? { text: "There is no such step." };
  if (textOf(prompt.at(-1)) !== continuePrompt || continues === "anew") return step;
  return { ...step, text: (step.text ?? "").slice(textOf(prompt.at(-2)).length) };
}

/** The words of a message. */
export function textOf(message: PromptMessage | undefined): string {
  if (typeof message?.content === "string") return message.content;
  const texts = partsOf(message).map((part) => (part.type === "text" ? String(part.text) : ""));
  return texts.join("");
}

/** The parts of a message. */
export function partsOf(message: PromptMessage | undefined): readonly Part[] {
  return typeof message?.content === "object" ? message.content : [];
}

/** A result of a tool as the model reads it: JSON, written out. */
export function readResult(output: unknown): unknown {
  const { type, value } = output as { readonly type: unknown; readonly value: string };
  return type === "text" ? JSON.parse(value) : { type };
}

/** A job of a conversation of one entry. */
export function jobOf(over: { delegation?: Partial<Job["delegation"]>; context?: Partial<Job["context"]> } = {}): Job {
  return {
    id: "job",
    conversation: "talk",
    delegation: { id: "d1", task: "the weather in Rome", ...over.delegation },
    context: {
      entries: [{ speaker: "user", text: "How is the weather in Rome?", timeMs: 400 }],
      leftOut: 0,
      images: [],
      underWay: [],
      ...over.context,
    },
  };
}

/** One try at a job. */
export interface Try {
  /** The log, as it grows. */
  readonly log: JobEvent[];
  readonly done: Promise<void>;
  send(message: JobMessage): void;
  /** The queue takes the job away. */
  stop(): void;
}

/**
 * Begins one try.
 *
 * @param options.keep - called before an event is kept; what it throws, `append` throws
 * @param options.kept - called after
 */
export function beginTry(
  handler: JobHandler,
  {
    job = jobOf(),
    log = [],
    messages = [],
    keep = async () => {},
    kept = async () => {},
  }: {
    readonly job?: Job;
    readonly log?: readonly JobEvent[];
    readonly messages?: readonly JobMessage[];
    readonly keep?: (event: JobEvent, index: number) => Promise<void>;
    readonly kept?: (event: JobEvent, index: number) => Promise<void>;
  } = {},
): Try {
  const events = [...log];
  const controller = new AbortController();
  const listeners = new Set<(message: JobMessage) => void>();
  const run: JobRun = {
    job,
    log,
    attempt: 1,
    signal: controller.signal,
    async append(event) {
      controller.signal.throwIfAborted();
      await keep(event, events.length);
      controller.signal.throwIfAborted();
      const index = events.push(JSON.parse(JSON.stringify(event)) as JobEvent) - 1;
      await kept(event, index);
    },
    onMessage(listener) {
      listeners.add(listener);
      for (const message of messages) listener(message);
      return () => listeners.delete(listener);
    },
  };
  return {
    log: events,
    done: handler(run),
    send: (message) => {
      for (const listener of listeners) listener(message);
    },
    stop: () => controller.abort(new Error("taken away")),
  };
}

/** The words of the answer. */
export function answerIn(log: readonly JobEvent[]): string {
  return log.map((event) => (event.type === "delta" ? event.text : "")).join("");
}
