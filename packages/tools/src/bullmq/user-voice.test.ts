// The user's own voice on its way through Redis to a worker, which gives it to its model.

import { DuplexSession, readWav } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import { MockLanguageModelV3 } from "ai/test";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { redisMissing, startRedis } from "../../../../conformance/src/jobs/private-redis.js";
import { backgroundModel } from "../background-model.js";
import { delegationHandler } from "../model/delegation-handler.js";
import { type PromptMessage, partsOf, stepParts, streamOf, textOf } from "../model/suite/scripted-model.js";
import { bullmqJobs } from "./bullmq-jobs.js";
import { bullmqWorker } from "./bullmq-worker.js";

const skip = redisMissing();

describe.skipIf(skip !== undefined)(`a worker${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
  test("is given the user's own voice as it was said, and what the recogniser of the session made of it", async () => {
    const redis = await startRedis();
    const prompts: (readonly PromptMessage[])[] = [];
    const model = new MockLanguageModelV3({
      doStream: (async ({ prompt }: { readonly prompt: readonly PromptMessage[] }) => {
        prompts.push(prompt);
        return { stream: streamOf(stepParts({ text: "It is a big deer." })) };
      }) as never,
    });
    const connection = redis.url;
    const worker = bullmqWorker({ connection, handler: delegationHandler({ model, audio: true }) });
    const jobs = bullmqJobs({ connection });
    const background = backgroundModel({ jobs, audio: true, transcribe: () => "what is a moose" });
    onTestFinished(async () => {
      await background.close();
      await jobs.close();
      await worker.close();
      await redis.stop();
    });
    const script: Script = ({ index }) => (index === 24 ? { delegation: { task: "hat is the muse" } } : {});
    const session = await DuplexSession.open({
      engine: scriptedEngine({ script }),
      background,
      pace: "as-fast-as-input",
    });
    const answers: string[] = [];
    session.on("background-delta", ({ text }) => answers.push(text));
    // A second of a quiet room, and four of sound; samples that 16 bits can hold.
    const sent = Float32Array.from({ length: 80_000 }, (_, i) => (i < 16_000 ? i % 7 : (i * i) % 8192) / 32_768);
    await session.writeAudio(sent);
    await vi.waitFor(() => expect(answers).toEqual(["It is a big deer."]), { timeout: 20_000 });
    const file = partsOf(prompts[0]?.[1]).find(({ type }) => type === "file");
    const { sampleRate, channels } = readWav(Buffer.from(String(file?.data), "base64"));
    expect(sampleRate).toBe(16_000);
    expect(channels).toEqual([sent.slice(16_000 - 4800)]);
    expect(textOf(prompts[0]?.[1])).toContain("<task>\nwhat is a moose\n");
    await session.close();
  });
});
