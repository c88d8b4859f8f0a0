// The interaction model goes first: where it computes in the process of the background, the background waits for the end of the
// micro-turn, at every place where it has a choice, and asks little of the processor. Else both would want the same cores, and the
// conversation would pay.

import type { Clock } from "@microturn/core";
import type { LanguageModel } from "./language-model.js";
import { PacedParts } from "./paced-parts.js";

/** The end of the micro-turn that goes first; undefined if none does. Waited for once, so that nobody waits for good. */
export type GiveWay = () => Promise<void> | undefined;

/** The micro-turns that are computed in this process. */
export interface MicroTurnsHere {
  readonly giveWay: GiveWay;
  /** Whether there may be one at any time. */
  readonly any: () => boolean;
}

/** What is used of a language model of the AI SDK, of any version: `streamText` asks for no more. */
interface StreamingModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: unknown;
  doStream(options: unknown): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

/**
 * A language model whose answer gives way before each part. It waits where the parts come in, so that the AI SDK has nothing to do
 * meanwhile. A model that is named by its id is looked up by the AI SDK, and stays as it is.
 */
export function givingWay(model: LanguageModel, microTurns: MicroTurnsHere, clock: Clock): LanguageModel {
  if (typeof model === "string") return model;
  const asked = model as StreamingModel;
  const { specificationVersion, provider, modelId } = asked;
  return {
    ...{ specificationVersion, provider, modelId },
    get supportedUrls() {
      return asked.supportedUrls;
    },
    async doStream(options: unknown) {
      const answer = await asked.doStream(options);
      const parts = new PacedParts(answer.stream, microTurns, clock);
      return { ...answer, stream: new ReadableStream(parts, { highWaterMark: 0 }) };
    },
  } as StreamingModel;
}
