// One try at one step of the background model: asks it, passes its words on as they come, and gives the messages that it added.
// Its calls are not run here, and not by the AI SDK: they run once the step is in the log, so that no try runs them twice.

import type { Clock } from "@microturn/core";
import type { ModelMessage, TextStreamPart, ToolSet } from "ai";
import { continuePrompt } from "../context/prompt.js";
import type { DeltaWriter } from "./delta-writer.js";
import { explainFault, ModelFault } from "./faults.js";
import type { AiSdk, LanguageModel } from "./language-model.js";
import { WholeWords, WithoutRepeating } from "./words.js";
import { toolResult } from "./work-so-far.js";

/** What a step needs. */
export interface StepRequest {
  readonly sdk: AiSdk;
  readonly model: LanguageModel;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: ToolSet;
  /** It must answer now: no tool may be called. */
  readonly last: boolean;
  /** No other try follows: what may be an answer counts as one. */
  readonly lastTry: boolean;
  /** Settings of `streamText`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Words of an earlier try at this step, which were passed on. */
  readonly said: string;
  /** Words of the whole answer so far, of complete steps too. */
  readonly answer: string;
  readonly writer: DeltaWriter;
  readonly signal: AbortSignal;
  readonly stallMs: number;
  readonly clock: Clock;
}

/** Thinking is silent: a model that says that it has begun to think may be quiet for so many times as long. */
const thinkingPatience = 4;

/**
 * Asks for one step.
 *
 * @returns messages to log with the step: assistant messages of the answer, and results of calls that cannot be made; before them,
 *   if words had been said, these and what was asked for then
 * @throws ModelFault if it fails; the reason of `signal` when that fires; what the writer met if words could not be kept
 */
export async function streamStep(request: StepRequest): Promise<readonly ModelMessage[]> {
  const { sdk, writer, signal } = request;
  signal.throwIfAborted();
  const attempt = new AbortController();
  const abort = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    attempt.signal.addEventListener("abort", () => reject(attempt.signal.reason), { once: true });
  });
  aborted.catch(() => {});
  const stall = new StallTimer(request, (fault) => attempt.abort(fault));
  const before = saidBefore(request.said);
  try {
    const answer = sdk.streamText({
      ...request.settings,
      model: request.model as never,
      system: request.system,
      messages: [...request.messages, ...before],
      ...(Object.keys(request.tools).length === 0 ? {} : { tools: request.tools }),
      ...(request.last && Object.keys(request.tools).length > 0 ? { toolChoice: "none" as const } : {}),
      stopWhen: sdk.stepCountIs(1),
      maxRetries: 0,
      abortSignal: attempt.signal,
      onError: () => {},
    });
    const step = new StepReader(request, stall);
    const parts = answer.fullStream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await Promise.race([parts.next(), aborted]);
        if (next.done) break;
        step.read(next.value);
        if (step.overruled) break;
      }
    } finally {
      // Not waited for: a provider that does not hear the signal would hold it up.
      parts.return?.().catch(() => {});
    }
    step.finish();
    await writer.settled();
    const added = step.overruled
      ? [{ role: "assistant" as const, content: step.text }]
      : withRefusals((await Promise.race([answer.response, aborted])).messages, step.refused);
    return added.length === 0 ? before.slice(0, 1) : [...before, ...added];
  } catch (error) {
    await writer.settled();
    signal.throwIfAborted();
    throw explainFault(error);
  } finally {
    signal.removeEventListener("abort", abort);
    stall.clear();
    attempt.abort(); // whatever the provider still holds open
  }
}

/**
 * An answer that was cut off, and the wish for the rest. Not an open message of the assistant for the model to go on in ("prefill"):
 * Claude from 4.6 on refuses one, Mistral wants it marked, and others take it for a finished turn.
 */
function saidBefore(said: string): readonly ModelMessage[] {
  if (said.trim() === "") return [];
  return [
    { role: "assistant", content: said.trimEnd() },
    { role: "user", content: continuePrompt },
  ];
}

/** Reads the parts of a step. */
class StepReader {
  /** Calls that cannot be made, by id: why. */
  readonly refused = new Map<string, string>();
  readonly #request: StepRequest;
  readonly #stall: StallTimer;
  readonly #words = new WholeWords();
  readonly #fresh: WithoutRepeating;
  /** It wants a call where it may not call any more: what it said by then is its answer. */
  overruled = false;
  text = "";
  #textIsOver = false;
  #called = false;
  #end: { readonly reason: string; readonly known: boolean } = { reason: "other", known: false };

  constructor(request: StepRequest, stall: StallTimer) {
    this.#request = request;
    this.#stall = stall;
    this.#fresh = new WithoutRepeating(request.said);
  }

  read(part: TextStreamPart<ToolSet>): void {
    this.#stall.heard(part.type);
    if (part.type === "finish-step") {
      const { usage, finishReason, rawFinishReason } = part;
      const known =
        rawFinishReason !== undefined || usage.inputTokens !== undefined || usage.outputTokens !== undefined;
      this.#end = { reason: finishReason, known };
    } else if (part.type === "error") {
      if ((part.error as Error | undefined)?.name !== "AI_ToolChoiceViolationError") throw explainFault(part.error);
      this.overruled = true;
      this.#end = { reason: "stop", known: true };
    } else if (part.type === "text-delta") {
      this.text += part.text;
      this.#request.writer.write(this.#words.push(this.#fresh.push(part.text)));
    } else if (part.type === "text-end") {
      this.#textIsOver = true;
    } else if (part.type !== "finish") {
      // A text that is followed by something was not cut off: its last word is whole.
      if (this.#textIsOver) this.#flush();
      if (part.type === "text-start" && (this.text !== "" || this.#request.said === ""))
        this.#request.writer.startPart();
      if (part.type === "tool-call") this.#readCall(part);
    }
  }

  /** The stream is over. @throws ModelFault if that was no answer */
  finish(): void {
    const { said, answer, lastTry } = this.#request;
    const { reason, known } = this.#end;
    if (reason === "error") throw new ModelFault("the language model broke off with an error");
    if (reason === "content-filter") {
      throw new ModelFault("the service of the language model withheld the answer", { retry: false });
    }
    // A stream that was cut ends like a complete one, but without a reason and without its usage. There are services that never
    // give either: a sentence that is complete is taken in the end.
    const cut = (reason === "other" || reason === "unknown") && !known;
    if (cut && !(lastTry && /[.!?…。！？]["”’)\]]?\s*$/.test(this.text))) {
      throw new ModelFault("the language model broke off in mid-answer");
    }
    const empty = this.text.trim() === "" && !this.#called;
    if (empty && said.trim() === "" && !(lastTry && answer.trim() !== "")) {
      throw new ModelFault("the language model gave no answer");
    }
    this.#flush();
  }

  #flush(): void {
    this.#textIsOver = false;
    const rest = this.#fresh.flush();
    this.#request.writer.write(this.#words.push(rest) + this.#words.flush());
  }

  #readCall(part: Extract<TextStreamPart<ToolSet>, { type: "tool-call" }>): void {
    this.#called = true;
    if (part.providerExecuted) return;
    const error = (part as { readonly invalid?: boolean; readonly error?: unknown }).error as Error | undefined;
    const fits = typeof part.input === "object" && part.input !== null && !Array.isArray(part.input);
    if (error?.name === "AI_NoSuchToolError") {
      this.refused.set(part.toolCallId, `there is no tool ${JSON.stringify(part.toolName)}`);
    } else if (error !== undefined || !fits) {
      this.refused.set(part.toolCallId, "the arguments are not a JSON object; call it again with arguments that are");
    }
  }
}

/** Messages fit for JSON, without results of the SDK; calls that cannot be made have ours. */
function withRefusals(
  messages: readonly ModelMessage[],
  refused: ReadonlyMap<string, string>,
): readonly ModelMessage[] {
  const plain = JSON.parse(JSON.stringify(messages)) as ModelMessage[];
  const added: ModelMessage[] = plain.filter((message) => message.role === "assistant");
  for (const message of [...added]) {
    if (message.role !== "assistant" || typeof message.content === "string") continue;
    for (const part of message.content) {
      if (part.type !== "tool-call") continue;
      const error = refused.get(part.toolCallId);
      if (error === undefined) continue;
      if (typeof part.input !== "object" || part.input === null || Array.isArray(part.input)) part.input = {};
      added.push({ role: "tool", content: [toolResult(part, { outcome: "failed", error })] });
    }
  }
  return added;
}

/** Ends a try that gives no sign of life. */
class StallTimer {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #onStall: (fault: ModelFault) => void;
  #cancel: () => void;
  #thinking = false;

  constructor({ clock, stallMs }: StepRequest, onStall: (fault: ModelFault) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#onStall = onStall;
    this.#cancel = this.#start();
  }

  heard(type: string): void {
    if (type === "reasoning-start" || type === "reasoning-end") this.#thinking = type === "reasoning-start";
    this.#cancel();
    this.#cancel = this.#start();
  }

  clear(): void {
    this.#cancel();
  }

  #start(): () => void {
    const ms = this.#thinking ? this.#stallMs * thinkingPatience : this.#stallMs;
    const fault = () => this.#onStall(new ModelFault(`the language model gave no sign of life for ${ms / 1000} s`));
    return this.#clock.setTimer(fault, this.#clock.now() + ms);
  }
}
