// For tests: what a job is told while it runs: to stop, and what was decided of a call.

import { settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { tool } from "../../tool.js";
import { apiError } from "./api-error.js";
import { type Bench, words } from "./bench.js";
import { beginTry, type Part, stepParts, streamOf } from "./scripted-model.js";

/** What a job is told while it runs. */
export function messagesSuite(bench: Bench): void {
  const { finished, handlerOf, requests, scripted, until } = bench;

  describe("is told", () => {
    const cancel = { type: "cancel", outcome: "superseded", reason: "what about Oslo?" } as const;
    const end = { type: "end", outcome: "superseded", error: "what about Oslo?" };
    const ask = tool({ inputSchema: z.object({}), needsApproval: true, execute: () => "done" });
    const askScript = [{ text: "One moment. ", calls: [["ask", {}]] as const }, { text: words }];

    it("to stop, before it began", async () => {
      const one = beginTry(scripted([{ text: words }]), { messages: [cancel] });
      await finished(one.done);
      expect(one.log).toEqual([end]);
      expect(requests).toEqual([]);
    });

    it("to stop, while the model talks, hangs, or the pause after a fault goes on", async () => {
      const parts = stepParts({ text: words }).slice(0, 6);
      let signal: AbortSignal | undefined;
      const talking = beginTry(
        handlerOf((request) => {
          signal = request.abortSignal;
          return streamOf(parts, "hangs", request.abortSignal);
        }),
      );
      await until(() => talking.log.length > 0);
      talking.send(cancel);
      await talking.done;
      expect(talking.log.at(-1)).toEqual(end);
      expect(signal?.aborted).toBe(true);

      const deaf = beginTry(handlerOf(() => new ReadableStream<Part>()));
      await until(() => requests.length === 2);
      for (let turn = 0; turn < 20; turn++) await settled();
      deaf.send(cancel);
      await deaf.done;
      expect(deaf.log).toEqual([end]);

      const waiting = beginTry(handlerOf(() => apiError(429, { headers: { "retry-after": "30" } })));
      await until(() => requests.length === 3);
      for (let turn = 0; turn < 20; turn++) await settled();
      waiting.send(cancel);
      await waiting.done;
      expect(waiting.log).toEqual([end]);
    });

    it("to stop, while a call runs", async () => {
      let aborted = false;
      const hang = tool({
        inputSchema: z.object({}),
        execute: (_, { abortSignal }) =>
          new Promise((_, reject) => {
            abortSignal.addEventListener("abort", () => {
              aborted = true;
              reject(abortSignal.reason);
            });
          }),
      });
      const one = beginTry(scripted([{ calls: [["hang", {}]] }], { tools: { hang } }));
      await until(() => one.log.some((event) => event.type === "call" && event.state === "running"));
      one.send(cancel);
      await finished(one.done);
      expect(aborted).toBe(true);
      expect(one.log.at(-2)).toMatchObject({ type: "result", outcome: "cancelled" });
      expect(one.log.at(-1)).toEqual(end);
    });

    it("to stop, while a call waits to be approved", async () => {
      const one = beginTry(scripted(askScript, { tools: { ask } }));
      await until(() => one.log.some((event) => event.type === "call" && event.state === "awaiting-approval"));
      one.send(cancel);
      await finished(one.done);
      expect(one.log.at(-1)).toEqual(end);
      expect(one.log.filter(({ type }) => type === "result")).toHaveLength(1);
      expect(one.log.some((event) => event.type === "call" && event.state === "running")).toBe(false);
    });

    it("what is decided of a call, before or after it asks, and the first decision counts", async () => {
      const early = beginTry(scripted(askScript, { tools: { ask } }), {
        messages: [
          { type: "approve", call: "d1.1.0" },
          { type: "reject", call: "d1.1.0", reason: "too late" },
        ],
      });
      await finished(early.done);
      expect(early.log).toContainEqual(expect.objectContaining({ type: "result", outcome: "done" }));

      const late = beginTry(scripted(askScript, { tools: { ask } }));
      await until(() => late.log.some((event) => event.type === "call" && event.state === "awaiting-approval"));
      late.send({ type: "reject", call: "d1.1.0", reason: "not now" });
      await finished(late.done);
      expect(late.log).toContainEqual(expect.objectContaining({ type: "result", outcome: "rejected" }));
      expect(JSON.stringify(requests.at(-1)?.prompt.at(-1))).toContain("not now");
    });

    it("nothing, as whoever should decide is gone for good: the call is not made, and the work goes on", async () => {
      const one = beginTry(scripted(askScript, { tools: { ask }, approvalTimeoutMs: 90_000 }));
      await until(() => one.log.some((event) => event.type === "call" && event.state === "awaiting-approval"));
      await bench.clock.advance(89_999);
      expect(one.log.some(({ type }) => type === "result")).toBe(false);
      await finished(one.done);
      expect(one.log).toContainEqual(
        expect.objectContaining({ type: "result", outcome: "rejected", error: "nobody allowed it in time" }),
      );
      expect(one.log.at(-1)).toEqual({ type: "end", outcome: "done" });
      for (const approvalTimeoutMs of [0, 2 ** 31, Number.NaN]) {
        expect(() => scripted([], { approvalTimeoutMs })).toThrow(RangeError);
      }
    });

    it("that another worker has it: it stops at once, and logs no end", async () => {
      const one = beginTry(handlerOf(() => new ReadableStream<Part>()));
      await until(() => requests.length === 1);
      one.stop();
      await expect(one.done).rejects.toThrow("taken away");
      expect(one.log).toEqual([]);
    });
  });
}
