// The language model of the runs: the mock of the AI SDK's own test kit, which answers as the plan of its task says, and fails so.

import type { Clock } from "@microturn/core";
import { APICallError } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import type { DelegationPlan, ModelFault, StepPlan } from "./fault-plan.js";
import { type ProviderAnswer, type ProviderRequest, partsOfStep, playedStream } from "./provider-stream.js";

/** What is asked of the background for a delegation; the model finds its plan by it. */
export function taskOf(delegation: DelegationPlan): string {
  return `Do what is planned for ${delegation.id} now`;
}

/** Options of {@link faultModel}. */
export interface FaultModelOptions {
  readonly clock: Clock;
  /** The plan of a delegation, and the pause before each part of a stream. */
  find(delegation: string): { readonly delegation: DelegationPlan; readonly partMs: number };
}

/** Makes the model. */
export function faultModel({ clock, find }: FaultModelOptions): MockLanguageModelV3 {
  const tries = new Map<string, number>();
  return new MockLanguageModelV3({
    doStream: async (request) => {
      const { delegation, partMs } = find(delegationIn(request));
      const at = request.prompt.filter(({ role }) => role === "tool").length;
      const step = delegation.steps[at];
      if (step === undefined) throw new Error(`${delegation.id} was asked for step ${at}, which is not planned`);
      const place = `${delegation.id} ${at}`;
      const attempt = tries.get(place) ?? 0;
      tries.set(place, attempt + 1);
      return answer(step, step.faults[attempt], request, { clock, partMs });
    },
  });
}

function answer(
  step: StepPlan,
  fault: ModelFault | undefined,
  request: ProviderRequest,
  { clock, partMs }: { readonly clock: Clock; readonly partMs: number },
): ProviderAnswer {
  if (fault?.type === "refused") throw refusal(fault);
  const calls = step.calls.map(({ tool, subject }) => ({ name: tool, input: { subject } }));
  const parts = partsOfStep(textLeft(step, request), calls, 7);
  const { abortSignal: signal } = request;
  if (fault === undefined) return { stream: playedStream(parts, { clock, partMs, signal }) };
  const kept = parts.slice(0, Math.floor(fault.share * parts.length));
  return { stream: playedStream(kept, { clock, partMs, signal, broken: fault.how }) };
}

function refusal({ status, retryAfterMs }: Extract<ModelFault, { type: "refused" }>): APICallError {
  return new APICallError({
    message: "refused by plan",
    url: "http://localhost/",
    requestBodyValues: {},
    statusCode: status,
    responseHeaders: retryAfterMs > 0 ? { "retry-after-ms": String(retryAfterMs) } : {},
    isRetryable: true,
  });
}

/** The text of a step, or what is left of it when the model is asked to go on after a fault. */
function textLeft({ text, anew }: StepPlan, { prompt }: ProviderRequest): string {
  const wishes = prompt.filter(({ role }) => role === "user").length;
  if (wishes < 2 || prompt.at(-1)?.role !== "user" || anew) return text;
  const said = textOf(prompt.at(-2)).trim();
  return text.slice(text.indexOf(said) + said.length);
}

function delegationIn({ prompt }: ProviderRequest): string {
  const found = /<task>\s*Do what is planned for (\S+) now/.exec(textOf(prompt.find(({ role }) => role === "user")));
  if (found === null) throw new Error("the prompt has no task of a plan in it");
  return found[1] as string;
}

function textOf(message: ProviderRequest["prompt"][number] | undefined): string {
  if (message === undefined) return "";
  if (typeof message.content === "string") return message.content;
  return message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
}
