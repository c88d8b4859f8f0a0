// The interaction model goes first: where it computes in the process of the background, the background waits for the end of the
// micro-turn, at every place where it has a choice. Else both would want the same cores, and the conversation would pay.

import type { Clock } from "@microturn/core";
import { settledWithin } from "../jobs/job-try.js";
import type { LanguageModel } from "./language-model.js";

/** The end of the micro-turn that is being computed; undefined if none is. Waited for once, so that nobody waits for good. */
export type GiveWay = () => Promise<void> | undefined;

/** Longest wait for one micro-turn, ms: an engine that hangs must not hold up the work for other sessions. */
const longestWaitMs = 1000;

/** Waits for no micro-turn longer than a second. */
export function givingWayInTime(giveWay: GiveWay, clock: Clock): GiveWay {
  /** By micro-turn: all who wait for it share a timer. */
  const waits = new WeakMap<Promise<void>, Promise<void>>();
  return () => {
    const computing = giveWay();
    if (computing === undefined) return undefined;
    const wait = waits.get(computing) ?? settledWithin(computing, longestWaitMs, clock);
    waits.set(computing, wait);
    return wait;
  };
}

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

/** Parts that pass at the end of one micro-turn at most: more than a model says in one. */
const partsAtOnce = 64;

function slowed(stream: ReadableStream<unknown>, giveWay: GiveWay): ReadableStream<unknown> {
  const reader = stream.getReader();
  type Read = Awaited<ReturnType<typeof reader.read>>;
  /** A part that is being read, for whoever reads next. */
  let reading: Promise<Read> | undefined;
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        const pass = ({ done, value }: Read) => {
          reading = undefined;
          if (done) controller.close();
          else controller.enqueue(value);
          return !done;
        };
        reading ??= reader.read();
        const first = await reading;
        const way = giveWay();
        await way;
        if (!pass(first) || way === undefined) return;
        // What came meanwhile goes on with it, also where the next micro-turn has begun: else an answer beside an engine without
        // time to spare would come at the pace of one part a micro-turn.
        const passed = othersTurn();
        for (let n = 1; n < partsAtOnce; n++) {
          reading = reader.read();
          // An error is for the next pull, as it comes after these parts.
          const part = await Promise.race([reading, passed]).catch(() => undefined);
          if (part === undefined || !pass(part)) return;
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Once the event loop has gone round. */
function othersTurn(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 0));
}
