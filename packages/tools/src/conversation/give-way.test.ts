// Where micro-turns are computed in this process, the background waits for the end of the one that is under way.

import { DuplexSession, type EngineCapabilities } from "@microturn/core";
import { FakeClock, type Script, scriptedEngine, settled } from "@microturn/core/testing";
import { MockLanguageModelV3 } from "ai/test";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { backgroundModel } from "../background-model.js";
import { tool } from "../tool.js";

type Answer = Awaited<ReturnType<MockLanguageModelV3["doStream"]>>;
type Part = Answer["stream"] extends ReadableStream<infer One> ? One : never;

const stepMs = 50;

/** A session whose model delegates in its first micro-turn, and a background whose language model says what a test says. */
async function conversation(capabilities: Partial<EngineCapabilities>) {
  const clock = new FakeClock();
  const script: Script = ({ index }) => (index === 0 ? { delegation: { task: "weather" } } : {});
  const engine = scriptedEngine({ script, capabilities, clock, stepMs });
  const streams: ReadableStreamDefaultController<Part>[] = [];
  const model = new MockLanguageModelV3({
    doStream: async () => ({
      stream: new ReadableStream<Part>({ start: (controller) => void streams.push(controller) }),
    }),
  });
  const calls: ((value: unknown) => void)[] = [];
  const weather = tool({
    inputSchema: z.object({ city: z.string() }),
    execute: () => new Promise((resolve) => calls.push(resolve)),
  });
  const background = backgroundModel({ model, tools: { weather }, clock });
  const session = await DuplexSession.open({ engine, background, clock });
  onTestFinished(async () => {
    await session.close();
    await background.close();
  });
  const told: string[] = [];
  for (const type of ["background-delta", "tool-call", "tool-result"] as const) {
    session.on(type, () => void told.push(type));
  }
  const settle = async () => {
    for (let turn = 0; turn < 30; turn++) await settled();
  };
  return {
    ...{ session, streams, calls, told, model, settle },
    /** A micro-turn begins, and is being computed. */
    async begin() {
      await clock.advance(200 - stepMs);
      session.writeAudio(new Float32Array(3200));
      await clock.advance(0);
      await settle();
    },
    /** It has been computed. */
    async end() {
      await clock.advance(stepMs);
      await settle();
    },
  };
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};

describe("a background beside an engine that computes in its process", () => {
  for (const computesHere of [true, false]) {
    it(computesHere ? "waits for the end of a micro-turn" : "waits for nothing where it does not", async () => {
      const { session, streams, calls, told, model, settle, begin, end } = await conversation({ computesHere });
      /** What there is in mid-step, and after it. */
      const during = async (act: () => void) => {
        await begin();
        expect(session.computing !== undefined).toBe(computesHere);
        act();
        await settle();
        const seen = [...told];
        await end();
        expect(session.computing).toBeUndefined();
        return [seen, [...told]];
      };
      await during(() => {});
      await settle();
      expect(model.doStreamCalls).toHaveLength(1);

      const words = ["background-delta"];
      const spoken = await during(() => {
        streams[0].enqueue({ type: "text-start", id: "1" });
        streams[0].enqueue({ type: "text-delta", id: "1", delta: "Let me look. " });
        streams[0].enqueue({ type: "text-end", id: "1" });
      });
      // Of what had come, one part passes at the end of each micro-turn at the least.
      for (let n = 0; computesHere && told.length === 0 && n < 3; n++) await during(() => {});
      expect(spoken[0]).toEqual(computesHere ? [] : words);
      expect(told).toEqual(words);

      const called = await during(() => {
        const input = JSON.stringify({ city: "Rome" });
        streams[0].enqueue({ type: "tool-call", toolCallId: "1", toolName: "weather", input });
        streams[0].enqueue({ type: "finish", finishReason: { unified: "tool-calls", raw: "tool-calls" }, usage });
        streams[0].close();
      });
      for (let n = 0; calls.length === 0 && n < 3; n++) await during(() => {});
      expect(called[0]).toEqual(computesHere ? words : [...words, "tool-call"]);
      expect(told).toEqual([...words, "tool-call"]);

      const result = await during(() => calls[0]({ celsius: 20 }));
      expect(result[0]).toEqual(computesHere ? told.slice(0, 2) : [...words, "tool-call", "tool-result"]);
      expect(result[1]).toEqual([...words, "tool-call", "tool-result"]);
      expect(model.doStreamCalls).toHaveLength(2);
    });
  }

  it("waits no longer when the session ends in the middle of a micro-turn", async () => {
    const { session, streams, told, settle, begin, end } = await conversation({ computesHere: true });
    await begin();
    await end();
    await begin();
    const computing = session.computing;
    expect(computing).toBeInstanceOf(Promise);
    streams[0].enqueue({ type: "text-start", id: "1" });
    await settle();
    void session.close();
    await expect(computing).resolves.toBeUndefined();
    expect(session.computing).toBeUndefined();
    expect(told).toEqual([]);
  });

  it("waits no longer than a second for an engine that hangs, and holds up nobody else's work", async () => {
    const clock = new FakeClock();
    const model = new MockLanguageModelV3({
      doStream: async () => ({
        stream: new ReadableStream<Part>({
          start(controller) {
            controller.enqueue({ type: "text-start", id: "1" });
            controller.enqueue({ type: "text-delta", id: "1", delta: "It is sunny. " });
            controller.enqueue({ type: "text-end", id: "1" });
            controller.enqueue({ type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage });
            controller.close();
          },
        }),
      }),
    });
    const background = backgroundModel({ model, clock });
    const open = async (stepMs: number) => {
      const script: Script = () => ({ delegation: { task: "weather" } });
      const engine = scriptedEngine({ script, capabilities: { computesHere: true }, clock, stepMs });
      const session = await DuplexSession.open({ engine, background, clock });
      onTestFinished(() => session.close());
      return session;
    };
    onTestFinished(() => background.close());
    const hung = await open(1_000_000_000);
    const fine = await open(50);
    const told: string[] = [];
    fine.on("background-delta", ({ text }) => void told.push(text));
    await clock.advance(200);
    for (const session of [hung, fine]) void session.writeAudio(new Float32Array(3200));
    const pass = async (ms: number) => {
      await clock.advance(ms);
      for (let turn = 0; turn < 30; turn++) await settled();
    };
    await pass(60);
    expect(hung.computing).toBeInstanceOf(Promise);
    expect(told).toEqual([]);
    await pass(1000);
    expect(told).toEqual(["It is sunny."]);
  });
});
