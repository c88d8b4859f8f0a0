// A language model that does what a function says, made with the AI SDK's own test kit: the examples run without a network and
// always come to the same end. It is asked as a real one is, and answers as one does, a few letters at a time.

import { MockLanguageModelV3, simulateReadableStream } from "ai/test";

type ModelOptions = NonNullable<ConstructorParameters<typeof MockLanguageModelV3>[0]>;
type StreamFunction = Extract<ModelOptions["doStream"], (...given: never[]) => unknown>;
type Prompt = Parameters<StreamFunction>[0]["prompt"];
type StreamPart = Awaited<ReturnType<StreamFunction>>["stream"] extends ReadableStream<infer Part> ? Part : never;

/** What the model does next: it calls a function, or says something. */
export type ScriptedStep =
  | { readonly call: string; readonly input: Readonly<Record<string, unknown>> }
  | { readonly say: string };

/** What a script goes by. */
export interface ScriptedQuestion {
  /** The last words that the model was sent, with everything that stands around the question in them. */
  readonly asked: string;
  /** Pictures that it was sent, the conversation's. */
  readonly images: number;
  /** What the functions have given so far, oldest first. */
  readonly results: readonly string[];
}

/** @param next - the next step of the work */
export function scriptedLanguageModel(next: (question: ScriptedQuestion) => ScriptedStep): MockLanguageModelV3 {
  let calls = 0;
  return new MockLanguageModelV3({
    modelId: "script",
    async doStream({ prompt }) {
      const chunks = parts(next(read(prompt)), `call-${++calls}`);
      return { stream: simulateReadableStream({ chunks, initialDelayInMs: null, chunkDelayInMs: null }) };
    },
  });
}

function read(prompt: Prompt): ScriptedQuestion {
  let asked = "";
  let images = 0;
  const results: string[] = [];
  for (const message of prompt) {
    if (message.role === "system" || message.role === "assistant") continue;
    for (const part of message.content) {
      if (part.type === "text") asked = part.text;
      if (part.type === "file" && part.mediaType.startsWith("image/")) images++;
      if (part.type !== "tool-result") continue;
      const { output } = part;
      results.push(output.type === "text" ? output.value : JSON.stringify("value" in output ? output.value : null));
    }
  }
  return { asked, images, results };
}

function parts(step: ScriptedStep, toolCallId: string): StreamPart[] {
  const usage = {
    inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 0, text: 0, reasoning: 0 },
  };
  const calls = "call" in step;
  const unified = calls ? ("tool-calls" as const) : ("stop" as const);
  return [
    { type: "stream-start", warnings: [] },
    ...(calls
      ? [{ type: "tool-call" as const, toolCallId, toolName: step.call, input: JSON.stringify(step.input) }]
      : spoken(step.say)),
    { type: "finish", finishReason: { unified, raw: unified }, usage },
  ];
}

function spoken(text: string): StreamPart[] {
  const deltas = text.match(/.{1,8}/gsu) ?? [];
  return [
    { type: "text-start", id: "text" },
    ...deltas.map((delta) => ({ type: "text-delta" as const, id: "text", delta })),
    { type: "text-end", id: "text" },
  ];
}
