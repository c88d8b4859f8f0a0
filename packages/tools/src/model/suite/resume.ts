// For tests: a job that goes on from its log says the same words, and does nothing twice.

import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { JobEvent } from "../../jobs/job.js";
import { tool } from "../../tool.js";
import type { Bench } from "./bench.js";
import {
  answerIn,
  type Break,
  beginTry,
  type Continues,
  type Request,
  type ScriptStep,
  stepFor,
  stepParts,
  streamOf,
} from "./scripted-model.js";

/** Going on from the log. */
export function resumeSuite(bench: Bench): void {
  const { finished, handlerOf, requests, scripted } = bench;

  describe("goes on from its log", () => {
    const script = [
      {
        text: "Let me look that up. ",
        calls: [
          ["weather", { city: "Rome" }],
          ["pay", { euros: 5 }],
        ] as const,
      },
      { text: "I have the weather, and ", calls: [["weather", { city: "Oslo" }]] as const },
      { text: "it is sunny in both cities until Sunday." },
    ];
    const whole = "Let me look that up. I have the weather, and it is sunny in both cities until Sunday.";

    function parts() {
      const paid: string[] = [];
      const looked: string[] = [];
      const tools = {
        weather: tool({
          inputSchema: z.object({ city: z.string() }),
          execute: ({ city }) => {
            looked.push(city);
            return 20;
          },
        }),
        pay: tool({
          inputSchema: z.object({ euros: z.number() }),
          irreversible: true,
          execute: (_, { idempotencyKey }) => {
            paid.push(idempotencyKey);
            return "paid";
          },
        }),
      };
      return { paid, looked, tools };
    }
    const approve = [{ type: "approve", call: "d1.1.1" }] as const;

    for (const continues of ["exactly", "anew"] as const) {
      for (const when of ["before", "after"] as const) {
        it(`after a crash ${when} every event, with a model that begins ${continues}: same words, nothing done twice`, async () => {
          const reference = parts();
          const answer = (request: Request) => stepParts(stepFor(script, request, continues));
          const full = beginTry(handlerOf(answer, { tools: reference.tools }), { messages: approve });
          await finished(full.done);
          expect(answerIn(full.log)).toBe(whole);
          expect(reference.paid).toHaveLength(1);
          expect(full.log.length).toBeGreaterThan(20);
          let unknown = 0;
          for (let k = 0; k < full.log.length; k++) {
            const { paid, looked, tools } = parts();
            const crash = async (_: JobEvent, index: number) => {
              if (index >= k) throw new Error("crashed");
            };
            const first = beginTry(handlerOf(answer, { tools }), {
              messages: approve,
              ...(when === "before" ? { keep: crash } : { kept: crash }),
            });
            const ended = when === "after" && k === full.log.length - 1;
            await expect(finished(first.done)).rejects.toThrow("crashed");
            const second = beginTry(handlerOf(answer, { tools }), { log: first.log, messages: approve });
            await finished(second.done);
            expect(answerIn(second.log)).toBe(whole);
            expect(second.log.at(-1)).toEqual({ type: "end", outcome: "done" });
            expect(second.log.filter(({ type }) => type === "end")).toHaveLength(1);
            expect(second.log.filter(({ type }) => type === "step")).toHaveLength(3);
            expect(second.log.slice(0, first.log.length)).toEqual(first.log);
            if (ended) expect(second.log).toEqual(first.log);
            const pay = second.log.filter((event) => event.type === "result" && event.name === "pay");
            expect(pay).toHaveLength(1);
            if ((pay[0] as { outcome?: string }).outcome === "unknown") unknown++;
            else expect(paid).toHaveLength(1);
            expect(paid.length).toBeLessThanOrEqual(1);
            expect(looked.length).toBeLessThanOrEqual(4);
          }
          expect(unknown).toBeGreaterThan(0);
        });
      }
    }

    it("after crash upon crash, one event further each time", async () => {
      const { paid, tools } = parts();
      let log: readonly JobEvent[] = [];
      for (let tries = 0; log.at(-1)?.type !== "end" && tries < 200; tries++) {
        const from = log.length;
        const one = beginTry(scripted(script, { tools }), {
          log,
          messages: approve,
          kept: async (event, index) => {
            if (index > from || event.type === "end") throw new Error("crashed");
          },
        });
        await finished(one.done).catch(() => {});
        expect(one.log.length).toBeGreaterThan(from);
        log = one.log;
      }
      expect(answerIn(log)).toBe(whole);
      expect(paid.length).toBeLessThanOrEqual(1);
    });

    it("asks no step again that is complete", async () => {
      const { tools } = parts();
      const full = beginTry(scripted(script, { tools }), { messages: approve });
      await finished(full.done);
      const lastStep = full.log.map(({ type }) => type).lastIndexOf("step");
      requests.length = 0;
      const again = beginTry(scripted(script, { tools }), { log: full.log.slice(0, lastStep + 1) });
      await finished(again.done);
      expect(requests).toEqual([]);
      expect(again.log).toEqual(full.log);
    });

    it("through 75 random scripts, streams that break and crashes: same words, nothing done twice", async () => {
      // Numerical Recipes' generator, seeded.
      let state = 6;
      const below = (n: number) => {
        state = (state * 1664525 + 1013904223) % 2 ** 32;
        return Math.floor((state / 2 ** 32) * n);
      };
      const vocabulary = ["It", "is", "sunny,", "and", "in", "Rome", "twenty", "degrees", "今天", "again", "again"];
      let crashes = 0;
      let breaks = 0;
      for (let run = 0; run < 75; run++) {
        // Words of a step are numbered, so that none of them repeats another by chance.
        const sentence = (step: number) =>
          `${Array.from({ length: 1 + below(8) }, (_, n) => `${vocabulary[below(vocabulary.length)]}${step}${n}`).join(" ")}.`;
        const script: ScriptStep[] = Array.from({ length: below(4) }, (_, step) => ({
          text: below(3) === 0 ? "" : `${sentence(step)} `,
          calls: Array.from({ length: 1 + below(3) }, (_, n) =>
            below(3) === 0 ? (["pay", { euros: step * 10 + n }] as const) : (["weather", { city: "Rome" }] as const),
          ),
        }));
        script.push({ text: sentence(9) });
        const { paid, tools } = parts();
        const continues: Continues = below(2) === 0 ? "exactly" : "anew";
        const broken = new Map<number, number>();
        const answer = (request: Request) => {
          const all = stepParts(stepFor(script, request, continues));
          const step = request.prompt.filter(({ role }) => role === "tool").length;
          const before = broken.get(step) ?? 0;
          if (before >= 2 || below(3) > 0) return all;
          broken.set(step, before + 1);
          breaks++;
          const how = (["error", "closed", "hangs"] as const satisfies readonly Break[])[below(3)];
          return streamOf(all.slice(0, below(all.length)), how, request.abortSignal);
        };
        const messages = script.flatMap(({ calls = [] }, step) =>
          calls.map((_, n) => ({ type: "approve", call: `d1.${step + 1}.${n}` }) as const),
        );
        let log: readonly JobEvent[] = [];
        for (let tries = 0; log.at(-1)?.type !== "end"; tries++) {
          const crashAt = tries < 4 && below(2) === 0 ? log.length + below(12) : Number.POSITIVE_INFINITY;
          const crash = async (_: JobEvent, index: number) => {
            if (index >= crashAt) throw new Error("crashed");
          };
          const one = beginTry(handlerOf(answer, { tools, stallMs: 1000 }), {
            ...{ log, messages },
            ...(below(2) === 0 ? { keep: crash } : { kept: crash }),
          });
          await finished(one.done).catch((error: Error) => {
            expect(error.message).toBe("crashed");
            crashes++;
          });
          log = one.log;
        }
        const whole = script.map(({ text = "" }) => text).join("");
        expect([run, answerIn(log), log.at(-1)]).toEqual([run, whole, { type: "end", outcome: "done" }]);
        expect(new Set(paid).size).toBe(paid.length);
        const asked = script.flatMap(({ calls = [] }) => calls).length;
        expect(log.filter(({ type }) => type === "result")).toHaveLength(asked);
      }
      expect(crashes).toBeGreaterThan(25);
      expect(breaks).toBeGreaterThan(25);
    });
  });
}
