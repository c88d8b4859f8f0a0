// A background that has much to do: eight delegations at a time, each of a model that streams words and calls functions
// that take a while, say how far they are, and give kilobytes. All of it goes the way that an application's work goes.

import { type Delegation, type DuplexSession, systemClock } from "@microturn/core";
import { type BackgroundModel, backgroundModel, tool } from "@microturn/tools";
import { MockLanguageModelV3 } from "ai/test";
import { z } from "zod";
import { type ProviderPart, partsOfStep, playedStream } from "./provider-stream.js";
import { SeededRandom } from "./seeded-random.js";

const delegationsAtOnce = 8;
/** Of a delegation, before its answer. */
const callingSteps = 5;
const callsOfStep = 1;
/** 40 tokens a second. */
const tokenMs = 25;
const tokenChars = 5;
/** 0.4 s of words before a call, twice as many in the end. */
const wordsOfStep = "Looking at what is known, one place after the next for you. And at what is not. ";
const progressMs = 200;

const found = z.object({
  query: z.string().min(1),
  hits: z.array(z.object({ title: z.string(), score: z.number().min(0).max(1), tags: z.array(z.string()) })),
});

/** What is under way and has been done. */
export interface BackgroundLoad {
  /** Calls that run now, and answers of the model that stream now. */
  calls: number;
  streams: number;
  /** Calls that have ended, signs of life, and words that were delivered. */
  callsDone: number;
  progress: number;
  words: number;
}

/** Work for a session, on and off. */
export class BusyBackground {
  readonly load: BackgroundLoad = { calls: 0, streams: 0, callsDone: 0, progress: 0, words: 0 };
  readonly background: BackgroundModel;
  readonly #random = new SeededRandom(1);
  readonly #waiting: Delegation[] = [];
  #underWay = 0;
  #count = 0;
  #on = false;

  constructor() {
    this.background = backgroundModel({
      model: this.#model(),
      tools: { search: this.#search() },
      concurrency: delegationsAtOnce * callsOfStep,
      // What waits while the user speaks is given up at some time, so that a block leaves nothing to the next.
      deliver: { dropIfStaleMs: 2000 },
    });
  }

  /** What an engine hands over in this micro-turn. */
  next = (): Delegation | undefined => this.#waiting.shift();

  /** Counts what a session tells, and hands over the next when one is done. */
  watch(session: DuplexSession): void {
    session.on("tool-result", () => {
      this.load.callsDone++;
    });
    session.on("tool-progress", () => {
      this.load.progress++;
    });
    session.on("background-delta", ({ text }) => {
      this.load.words += text.split(" ").length;
    });
    session.on("background-end", () => {
      this.#underWay--;
      this.#fill();
    });
  }

  start(): void {
    this.#on = true;
    this.#fill();
  }

  /** Cancels all that is under way. */
  async stop(): Promise<void> {
    this.#on = false;
    this.#underWay -= this.#waiting.length;
    this.#waiting.length = 0;
    await Promise.all(this.background.running.map(({ delegation }) => this.background.cancel(delegation)));
  }

  #fill(): void {
    for (; this.#on && this.#underWay < delegationsAtOnce; this.#underWay++) {
      this.#waiting.push({ id: `busy-${++this.#count}`, task: "look at everything that is known of this" });
    }
  }

  #model(): MockLanguageModelV3 {
    const model = new MockLanguageModelV3({
      doStream: async ({ prompt, abortSignal: signal }) => {
        // No provider keeps all that it was ever asked, as this one does.
        model.doStreamCalls.length = 0;
        const step = prompt.filter(({ role }) => role === "tool").length;
        const isLast = step >= callingSteps;
        const calls = Array.from({ length: isLast ? 0 : callsOfStep }, (_, n) => ({
          name: "search",
          input: { query: `part ${n} of step ${step}`, limit: this.#random.between(4, 80) },
        }));
        const parts = partsOfStep(isLast ? wordsOfStep.repeat(2) : wordsOfStep, calls, tokenChars);
        this.load.streams++;
        let isOpen = true;
        const over = () => {
          if (isOpen) this.load.streams--;
          isOpen = false;
        };
        signal?.addEventListener("abort", over, { once: true });
        const stream = playedStream(parts, { clock: systemClock, partMs: tokenMs, signal });
        const watched = new TransformStream<ProviderPart, ProviderPart>({
          transform(part, controller) {
            if (part.type === "finish") over();
            controller.enqueue(part);
          },
        });
        return { stream: stream.pipeThrough(watched) };
      },
    });
    return model;
  }

  #search() {
    return tool({
      description: "Searches what is known.",
      inputSchema: z.object({ query: z.string(), limit: z.number().int().min(1).max(100) }),
      outputSchema: found,
      execute: async ({ query, limit }, { abortSignal, progress }) => {
        const untilMs = performance.now() + this.#random.between(200, 1000);
        this.load.calls++;
        try {
          for (let n = 1; performance.now() < untilMs; n++) {
            await sleep(Math.min(progressMs, untilMs - performance.now()));
            abortSignal.throwIfAborted();
            progress(`${n} places looked at`);
          }
        } finally {
          this.load.calls--;
        }
        return { query, hits: Array.from({ length: limit }, (_, n) => hit(n)) };
      },
    });
  }
}

/** Some 250 bytes of JSON. */
function hit(n: number) {
  const tags = Array.from({ length: 8 }, (_, tag) => `about-${(n * 7 + tag * 13) % 97}`);
  return {
    title: `What was written about the matter in place ${n}, as far as it is known there`,
    score: 1 / (n + 1),
    tags,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
