// The interaction model goes first: where it computes in the process of the background, the background waits for the end of the
// micro-turn, at every place where it has a choice. Else both would want the same cores, and the conversation would pay.

import type { LanguageModel } from "./language-model.js";

/** The end of the micro-turn that is being computed; undefined if none is. Waited for once, so that nobody waits for good. */
export type GiveWay = () => Promise<void> | undefined;

/** What is used of a language model of the AI SDK, of any version: parts as they come. */
interface StreamingModel {
  readonly specificationVersion: string;
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: unknown;
  doGenerate(options: unknown): unknown;
  doStream(options: unknown): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

/**
 * A language model whose answer gives way before each part. It waits where the parts come in, so that the AI SDK has nothing to do
 * meanwhile. A model that is named by its id is looked up by the AI SDK, and stays as it is.
 */
export function givingWay(model: LanguageModel, giveWay: GiveWay): LanguageModel {
  if (typeof model === "string") return model;
  const asked = model as StreamingModel;
  const { specificationVersion, provider, modelId } = asked;
  return {
    ...{ specificationVersion, provider, modelId },
    get supportedUrls() {
      return asked.supportedUrls;
    },
    doGenerate: (options: unknown) => asked.doGenerate(options),
    async doStream(options: unknown) {
      const { stream, ...rest } = await asked.doStream(options);
      return { ...rest, stream: slowed(stream, giveWay) };
    },
  } as StreamingModel;
}

function slowed(stream: ReadableStream<unknown>, giveWay: GiveWay): ReadableStream<unknown> {
  const reader = stream.getReader();
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        await giveWay();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
