// For tests: what the model is asked and shown, and how its words come through.

import { settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { backgroundPrompt } from "../../context/prompt.js";
import { tool } from "../../tool.js";
import { delegationHandler } from "../delegation-handler.js";
import { apiError } from "./api-error.js";
import { type Bench, weather, words } from "./bench.js";
import { answerIn, beginTry, jobOf, type Part, partsOf, stepParts, textOf } from "./scripted-model.js";

/** What the model is asked, and its words. */
export function answersSuite(bench: Bench): void {
  const { finished, handlerOf, requests, scripted, until } = bench;

  describe("answers", () => {
    it("gives the words as they come, whole ones, then the step, then the end", async () => {
      const one = beginTry(scripted([{ text: words }]));
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
      expect(one.log.map(({ type }) => type).filter((type, i, all) => type !== all[i - 1])).toEqual([
        "delta",
        "step",
        "end",
      ]);
      const deltas = one.log.flatMap((event) => (event.type === "delta" ? [event.text] : []));
      expect(deltas.length).toBeGreaterThan(3);
      for (const delta of deltas.slice(0, -1)) expect(delta).toMatch(/\s$/);
      expect(one.log.at(-1)).toEqual({ type: "end", outcome: "done" });
    });

    it("passes the first words on while the model still talks", async () => {
      let send: (part: Part) => void = () => {};
      const stream = new ReadableStream<Part>({
        start(controller) {
          send = (part) => (part.type === "close" ? controller.close() : controller.enqueue(part));
        },
      });
      const one = beginTry(handlerOf(() => stream));
      const parts = stepParts({ text: words });
      for (const part of parts.slice(0, 5)) send(part);
      await until(() => one.log.length > 0);
      expect(words.startsWith(answerIn(one.log))).toBe(true);
      for (const part of [...parts.slice(5), { type: "close" }]) send(part);
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
    });

    it("puts words together while the log is slow, and keeps their order", async () => {
      let release: () => void = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      let begun = 0;
      const one = beginTry(scripted([{ text: words }]), {
        keep: async () => {
          begun++;
          await gate;
        },
      });
      await until(() => begun === 1);
      for (let turn = 0; turn < 50; turn++) await settled();
      expect(begun).toBe(1);
      release();
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
      expect(one.log.filter(({ type }) => type === "delta")).toHaveLength(2);
    });

    it("asks with the system prompt, the instructions, the conversation and the settings", async () => {
      const one = beginTry(
        scripted([{ text: words }], {
          instructions: async (job) => `You help ${job.conversation}.`,
          temperature: 0.2,
        }),
      );
      await finished(one.done);
      const [system, user, ...more] = requests[0]?.prompt ?? [];
      expect(system).toMatchObject({ role: "system", content: `${backgroundPrompt}\n\nYou help talk.` });
      expect(textOf(user)).toContain("[0.4 s] user: How is the weather in Rome?");
      expect(more).toEqual([]);
      expect(requests[0]?.temperature).toBe(0.2);
    });

    it("sets two texts of an answer off by a space", async () => {
      const script = [
        { text: "Let me look.", calls: [["weather", { city: "Rome" }]] as const },
        { text: "It is warm." },
      ];
      const one = beginTry(scripted(script, { tools: { weather } }));
      await finished(one.done);
      expect(answerIn(one.log)).toBe("Let me look. It is warm.");
    });
  });

  describe("images", () => {
    const images = [{ png: "iVBORw0KGgo=", timeMs: 1000 }];

    it("shows them, until the model refuses one", async () => {
      const handler = handlerOf((request) => {
        const holds = JSON.stringify(request.prompt).includes("image/png");
        return holds ? apiError(400, { body: "this model does not support image input" }) : stepParts({ text: words });
      });
      const one = beginTry(handler, { job: jobOf({ context: { images } }) });
      await finished(one.done);
      expect(answerIn(one.log)).toBe(words);
      expect(requests).toHaveLength(2);
      expect(textOf(requests[1]?.prompt[1])).toContain("an image, which you cannot see");
      const other = beginTry(handler, { job: jobOf({ context: { images } }) });
      await finished(other.done);
      expect(requests).toHaveLength(3);
    });

    it("are still shown where a service only limits its use, or does not know the key, and names images in that", async () => {
      for (const status of [429, 403]) {
        const at = requests.length;
        let failed = false;
        const handler = handlerOf(() => {
          if (failed) return stepParts({ text: words });
          failed = true;
          return apiError(status, { body: "too many images for this key" });
        });
        for (let n = 0; n < 2; n++) await finished(beginTry(handler, { job: jobOf({ context: { images } }) }).done);
        expect(JSON.stringify(requests.at(-1)?.prompt)).toContain("image/png");
        expect(requests.length).toBe(at + (status === 429 ? 3 : 2));
      }
    });

    it("shows none if it is told so, and a model that takes them gets them", async () => {
      const takes = beginTry(scripted([{ text: words }]), { job: jobOf({ context: { images } }) });
      await finished(takes.done);
      const file = partsOf(requests[0]?.prompt[1]).find((part) => part.type === "file");
      expect(file).toMatchObject({ mediaType: "image/png" });
      const none = beginTry(scripted([{ text: words }], { images: false }), { job: jobOf({ context: { images } }) });
      await finished(none.done);
      expect(JSON.stringify(requests[1]?.prompt)).not.toContain("image/png");
    });
  });

  it("gives the user's own voice to a model that takes it, and says nothing of it to others", async () => {
    const audio = { wav: "UklGRg==", timeMs: 1000, durationMs: 800 };
    const job = jobOf({ context: { audio, transcription: "how warm is Rome" } });
    await finished(beginTry(scripted([{ text: words }], { audio: true }), { job }).done);
    await finished(beginTry(scripted([{ text: words }]), { job }).done);
    const file = partsOf(requests[0]?.prompt[1]).find((part) => part.type === "file");
    expect(file).toMatchObject({ mediaType: "audio/wav" });
    const prompt = JSON.stringify(requests[1]?.prompt);
    expect(prompt).toContain("how warm is Rome");
    expect(prompt).not.toMatch(/audio|own voice/);
  });

  it("refuses options that cannot be", () => {
    expect(() => delegationHandler({ maxSteps: 0 })).toThrow(RangeError);
    expect(() => delegationHandler({ stallMs: 0 })).toThrow(RangeError);
    expect(() => delegationHandler({ tools: { drop_earlier_work: weather } })).toThrow(TypeError);
  });

  it("loads ahead of the first job, and again if it did not work", async () => {
    let ready = false;
    const late = tool({
      inputSchema: {
        [Symbol.for("vercel.ai.schema")]: true,
        get jsonSchema() {
          if (!ready) throw new Error("not yet");
          return { type: "object" };
        },
      } as never,
      execute: () => 1,
    });
    const handler = scripted([{ text: words }], { tools: { late } });
    await expect(handler.load()).rejects.toThrow("not yet");
    ready = true;
    await handler.load();
    expect(requests).toEqual([]);
  });
}
