// A language model of the AI SDK's contract (version 3) that follows a rule: it calls the function that the task names, and says
// what that gave. It stands for the background model where the interaction model delegates in words.

import type { BackgroundModelOptions } from "@microturn/tools";
import type { Ask } from "./service-under-test.js";

type LanguageModel = Exclude<NonNullable<BackgroundModelOptions["model"]>, string>;

interface Message {
  readonly role: string;
  readonly content: string | readonly Part[];
}
type Part = { readonly type: string } & Readonly<Record<string, unknown>>;

/** An ask in words, as {@link askingModel} understands them. */
export function inWords({ name, arguments: given }: Ask): string {
  return `${name} ${JSON.stringify(given)}`;
}

/** Makes the model. */
export function askingModel(): LanguageModel {
  const doStream = async ({ prompt }: { readonly prompt: readonly Message[] }) => {
    const parts: Part[] = [{ type: "stream-start", warnings: [] }, ...answer(prompt)];
    const calls = parts.some(({ type }) => type === "tool-call");
    const unified = calls ? "tool-calls" : "stop";
    const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
    parts.push({ type: "finish", finishReason: { unified, raw: unified }, usage });
    return {
      stream: new ReadableStream<Part>({
        start(controller) {
          for (const part of parts) controller.enqueue(part);
          controller.close();
        },
      }),
    };
  };
  const model = { specificationVersion: "v3", provider: "rule", modelId: "rule", supportedUrls: {}, doStream };
  return { ...model, doGenerate: () => Promise.reject(new Error("only streams are asked for")) } as LanguageModel;
}

function answer(prompt: readonly Message[]): readonly Part[] {
  const results = prompt.flatMap(({ role, content }) => (role === "tool" ? (content as readonly Part[]) : []));
  if (results.length > 0) return words(results.map(({ output }) => resultOf(output)).join(" "));
  const asked = prompt.map(textOf).join("\n");
  // The last words are the task; a service may put earlier ones before it, and others follow as JSON in JSON.
  const ask = [...asked.matchAll(/(\w+) (\{(?:"\w+":[^{}\\]*)?\})/g)].at(-1);
  if (ask === undefined) return words("There is nothing to do.");
  return [{ type: "tool-call", toolCallId: "call-0", toolName: ask[1], input: ask[2] }];
}

function words(text: string): readonly Part[] {
  return [
    { type: "text-start", id: "t" },
    ...(text.match(/.{1,500}/gs) ?? []).map((delta) => ({ type: "text-delta", id: "t", delta })),
    { type: "text-end", id: "t" },
  ];
}

function textOf({ content }: Message): string {
  if (typeof content === "string") return content;
  return content.map(({ text }) => (typeof text === "string" ? text : "")).join("\n");
}

function resultOf(output: unknown): string {
  const { value } = output as { readonly value: string };
  const { result, error } = JSON.parse(value) as { readonly result?: unknown; readonly error?: string };
  if (error !== undefined) return `It did not work: ${error}`;
  return typeof result === "string" ? result : JSON.stringify(result);
}
