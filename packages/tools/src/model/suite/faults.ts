// For tests: streams that break, services that are busy or refuse, and answers that are none.

import { describe, expect, it } from "vitest";
import { continuePrompt } from "../../context/prompt.js";
import { tool } from "../../tool.js";
import { apiError, secret } from "./api-error.js";
import { type Bench, weather, words } from "./bench.js";
import {
  answerIn,
  type Break,
  beginTry,
  type Continues,
  finish,
  type ScriptStep,
  stepFor,
  stepParts,
  streamOf,
  textOf,
} from "./scripted-model.js";

/** What providers do wrong. */
export function faultsSuite(bench: Bench): void {
  const { finished, handlerOf, requests, scripted } = bench;

  describe("faults of the provider", () => {
    const script: readonly ScriptStep[] = [
      { text: "Let me look. ", calls: [["weather", { city: "Rome" }]] },
      { text: words },
    ];
    const whole = `Let me look. ${words}`;

    for (const broken of ["error", "closed", "hangs"] as const satisfies readonly Break[]) {
      for (const continues of ["exactly", "anew"] as const satisfies readonly Continues[]) {
        it(`goes on after a stream that is cut (${broken}) at every part, with a model that begins ${continues}`, async () => {
          const most = Math.max(...script.map((step) => stepParts(step).length));
          for (const breakStep of [0, 1]) {
            for (let at = 0; at < most; at++) {
              requests.length = 0;
              let cut = false;
              let ran = 0;
              const looks = tool({ inputSchema: weather.inputSchema, execute: () => ++ran });
              const handler = handlerOf(
                (request) => {
                  const all = stepParts(stepFor(script, request, continues));
                  const step = request.prompt.filter(({ role }) => role === "tool").length;
                  if (cut || step !== breakStep || at >= all.length) return all;
                  cut = true;
                  return streamOf(all.slice(0, at), broken, request.abortSignal);
                },
                { tools: { weather: looks }, stallMs: 1000 },
              );
              const one = beginTry(handler);
              await finished(one.done);
              expect([answerIn(one.log), one.log.at(-1)]).toEqual([whole, { type: "end", outcome: "done" }]);
              expect(ran).toBe(1);
              expect(requests.length).toBe(cut ? 3 : 2);
            }
          }
        });
      }
    }

    it("asks for the rest with what was said as a message of the model, and never leaves that one open", async () => {
      const all = stepParts({ text: words });
      const handler = handlerOf((request, index) =>
        index === 0 ? streamOf(all.slice(0, 6), "error") : stepParts(stepFor([{ text: words }], request)),
      );
      const one = beginTry(handler);
      await finished(one.done);
      const [said, wish] = requests[1]?.prompt.slice(-2) ?? [];
      expect([said?.role, wish?.role, textOf(wish)]).toEqual(["assistant", "user", continuePrompt]);
      expect(words.startsWith(textOf(said))).toBe(true);
      const step = one.log.find((event) => event.type === "step");
      expect(step?.messages.map((message) => (message as { role: string }).role)).toEqual([
        "assistant",
        "user",
        "assistant",
      ]);
    });

    it("tries three times, with pauses that double, and then fails in words", async () => {
      const at: number[] = [];
      const handler = handlerOf(() => {
        at.push(bench.clock.now());
        return apiError(503);
      });
      const one = beginTry(handler);
      await finished(one.done, 100);
      expect(at).toEqual([0, 500, 1500]);
      expect(one.log).toEqual([
        { type: "end", outcome: "failed", error: "the service of the language model is overloaded (503)" },
      ]);
    });

    it("waits as long as the service asks for, at most a minute", async () => {
      for (const [headers, ms] of [
        [{ "retry-after": "20" }, 20_000],
        [{ "retry-after-ms": "2500" }, 2500],
      ] as const) {
        const began = bench.clock.now();
        const at: number[] = [];
        const handler = handlerOf((_, index) => {
          at.push(bench.clock.now() - began);
          return index === 0 ? apiError(429, { headers }) : stepParts({ text: words });
        });
        requests.length = 0;
        const one = beginTry(handler);
        await finished(one.done, 500);
        expect(at).toEqual([0, ms]);
        expect(answerIn(one.log)).toBe(words);
      }
      const one = beginTry(handlerOf(() => apiError(429, { headers: { "retry-after": "61" } })));
      await finished(one.done);
      expect(one.log.at(-1)).toMatchObject({
        outcome: "failed",
        error: "the service of the language model limits its use (429)",
      });
    });

    it("does not try again what cannot go better", async () => {
      for (const status of [400, 401, 403, 404]) {
        requests.length = 0;
        const one = beginTry(handlerOf(() => apiError(status)));
        await finished(one.done);
        expect(requests).toHaveLength(1);
        expect(one.log.at(-1)).toMatchObject({ outcome: "failed", error: expect.stringContaining(`(${status})`) });
      }
    });

    it("goes on after an error that comes in the stream", async () => {
      const error = { type: "overloaded_error", message: `Overloaded ${secret}` };
      const handler = handlerOf((request, index) =>
        index === 0
          ? [...stepParts({ text: words }).slice(0, 5), { type: "error", error }, finish("error")]
          : stepParts(stepFor([{ text: words }], request)),
      );
      const one = beginTry(handler);
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
    });

    it("tells its own words only, and `onError` the rest", async () => {
      const heard: unknown[] = [];
      for (const error of [apiError(401), apiError(500), new TypeError(`fetch failed ${secret}`)]) {
        const one = beginTry(handlerOf(() => error, { onError: (one) => heard.push(one) }));
        await finished(one.done);
        expect(one.log.at(-1)).toMatchObject({ outcome: "failed" });
        expect(JSON.stringify(one.log)).not.toContain("secret");
      }
      expect(heard).toHaveLength(1 + 3 + 3);
      expect(String((heard[0] as Error).message)).toContain(secret);
    });

    it("lets a model think four times as long as it may be silent", async () => {
      const thinking = [
        { type: "stream-start", warnings: [] },
        { type: "reasoning-start", id: "r" },
      ];
      const at: number[] = [];
      const handler = handlerOf(
        (request) => {
          at.push(bench.clock.now());
          return streamOf(thinking, "hangs", request.abortSignal);
        },
        { stallMs: 1000 },
      );
      const one = beginTry(handler);
      await finished(one.done, 100);
      expect(at).toEqual([0, 4500, 9500]);
      expect(one.log.at(-1)).toMatchObject({ error: "the language model gave no sign of life for 4 s" });
    });

    it("asks again when nothing came, and fails when nothing ever comes", async () => {
      const once = beginTry(handlerOf((_, index) => stepParts(index === 0 ? {} : { text: words })));
      await finished(once.done);
      expect(answerIn(once.log)).toBe(words);
      requests.length = 0;
      const never = beginTry(handlerOf(() => stepParts({ text: " \n" })));
      await finished(never.done);
      expect(requests).toHaveLength(3);
      expect(never.log).toEqual([{ type: "end", outcome: "failed", error: "the language model gave no answer" }]);
    });

    it("takes silence for the end of an answer that was given before a call", async () => {
      const one = beginTry(
        scripted([{ text: "I set it. ", calls: [["weather", { city: "Rome" }]] }, {}], { tools: { weather } }),
      );
      await finished(one.done);
      expect(answerIn(one.log)).toBe("I set it. ");
      expect(one.log.at(-1)).toEqual({ type: "end", outcome: "done" });
    });

    it("says that an answer was withheld", async () => {
      const one = beginTry(handlerOf(() => [{ type: "stream-start", warnings: [] }, finish("content-filter")]));
      await finished(one.done);
      expect(one.log.at(-1)).toMatchObject({ error: "the service of the language model withheld the answer" });
    });

    it("takes a complete sentence of a service that never says why it ended, after three tries", async () => {
      const bare = {
        type: "finish",
        finishReason: { unified: "other" },
        usage: { inputTokens: {}, outputTokens: {} },
      };
      const handler = handlerOf((request) => [
        ...stepParts(stepFor([{ text: words }], request, "anew")).slice(0, -1),
        bare,
      ]);
      const one = beginTry(handler);
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
      expect(one.log.at(-1)).toEqual({ type: "end", outcome: "done" });
    });
  });
}
