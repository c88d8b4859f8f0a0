// The user's own voice goes along with what is handed over (rule 6): as sound, and as text by a recogniser.

import { DuplexError, DuplexSession, readWav } from "@microturn/core";
import { FakeClock, type Script, scriptedEngine, settled } from "@microturn/core/testing";
import { MockLanguageModelV3 } from "ai/test";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type BackgroundModelOptions, backgroundModel } from "../background-model.js";
import type { Job } from "../jobs/job.js";
import { finish, type Part, type PromptMessage, partsOf, streamOf, textOf } from "../model/suite/scripted-model.js";
import { bench, openScripted } from "./scripted-conversation.js";
import { Seeded } from "./seeded.js";
import type { SpokenRequest } from "./user-voice.js";

/** Samples that 16 bits can hold. */
function noise(samples: number, amplitude: number, seed = 1): Float32Array {
  const random = new Seeded(seed);
  const most = Math.round(32_768 * amplitude);
  return Float32Array.from({ length: samples }, () => (random.below(2 * most + 1) - most) / 32_768);
}

const room = (turns: number) => noise(turns * 3200, 0.001);
const voice = (turns: number, seed?: number) => noise(turns * 3200, 0.1, seed);

/** The samples of a WAV file in base64. */
function samplesIn(wav: string | undefined): { readonly sampleRate: number; readonly samples: Float32Array } {
  const { sampleRate, channels } = readWav(Buffer.from(wav ?? "", "base64"));
  expect(channels).toHaveLength(1);
  return { sampleRate, samples: channels[0] as Float32Array };
}

/** A session whose user says what a test says, and what is handed over. */
async function talk(options: BackgroundModelOptions, session: Parameters<typeof openScripted>[2] = {}) {
  const one = bench({}, options);
  let next: Float32Array = new Float32Array(3200);
  const opened = await openScripted(one.background, one.clock, { ...session, sound: () => next });
  return {
    ...one,
    ...opened,
    /** Lets micro-turns pass with this sound. */
    async says(samples: Float32Array) {
      for (let at = 0; at < samples.length; at += 3200) {
        next = samples.slice(at, at + 3200);
        await opened.turns(1);
      }
      next = new Float32Array(3200);
    },
    /** What is handed over with the next micro-turn, which has this sound. */
    async handsOver(samples: Float32Array = room(1), name?: string): Promise<Job> {
      const before = one.seen.length;
      next = samples;
      await opened.delegate({ task: "rome", ...(name === undefined ? {} : { name }) });
      next = new Float32Array(3200);
      await vi.waitFor(() => expect(one.seen).toHaveLength(before + 1));
      return one.seen.at(-1) as Job;
    },
  };
}

describe("the user's own voice", () => {
  it("reaches a language model as it was said, at the rate of the engine, with what the recogniser made of it", async () => {
    const clock = new FakeClock();
    const script: Script = ({ index }) => (index === 12 ? { delegation: { task: "hat is the muse" } } : {});
    const capabilities = { inputSampleRate: 24_000 };
    const prompts: (readonly PromptMessage[])[] = [];
    const model = new MockLanguageModelV3({
      doStream: (async ({ prompt }: { readonly prompt: readonly PromptMessage[] }) => {
        prompts.push(prompt);
        return { stream: streamOf([{ type: "stream-start", warnings: [] }, finish("stop")] as Part[]) };
      }) as never,
    });
    const asked: SpokenRequest[] = [];
    const transcribe = async (request: SpokenRequest) => {
      asked.push(request);
      return "what is a moose";
    };
    const background = backgroundModel({ model, audio: true, transcribe, clock });
    const engine = scriptedEngine({ script, capabilities, clock });
    const session = await DuplexSession.open({ engine, background, clock });
    onTestFinished(async () => {
      await session.close();
      await background.close();
    });
    const sent = new Float32Array(13 * 4800);
    sent.set(noise(sent.length, 0.0005));
    sent.set(noise(4 * 4800, 0.2), 8 * 4800);
    for (let turn = 0; turn < 13; turn++) {
      await clock.advance(200);
      session.writeAudio(sent.slice(turn * 4800, (turn + 1) * 4800));
      await clock.advance(0);
    }
    await vi.waitFor(() => expect(prompts).toHaveLength(1));
    const parts = partsOf(prompts[0]?.[1]);
    const file = parts.find(({ type }) => type === "file");
    expect(file).toMatchObject({ mediaType: "audio/wav" });
    // From 0.3 s before the voice to the end of the micro-turn in which the work was handed over.
    const heard = sent.slice(8 * 4800 - 7200);
    expect(samplesIn(String(file?.data))).toEqual({ sampleRate: 24_000, samples: heard });
    expect(textOf(prompts[0]?.[1])).toBe(
      `The user's own voice, 1.3 s to 2.6 s. Words that differ from it were misheard:<task>
what is a moose
(The user's words, by a speech recogniser. The assistant heard: hat is the muse)
</task>`,
    );
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ sampleRate: 24_000, durationMs: heard.length / 24 });
    expect(readWav(asked[0]?.wav as Uint8Array).channels).toEqual([heard]);
  });

  it("goes nowhere unless that is asked for, and is told nowhere else", async () => {
    const transcribe = vi.fn(() => "what is a moose");
    for (const options of [{}, { maxAudioMs: 60_000 }, { audio: true, transcribe, maxAudioMs: 0 }]) {
      const { says, handsOver } = await talk(options);
      await says(room(3));
      await says(voice(5));
      expect(Object.keys((await handsOver()).context).sort()).toEqual(["entries", "images", "leftOut", "underWay"]);
    }
    expect(transcribe).not.toHaveBeenCalled();

    const { says, handsOver, turns, session, told } = await talk({ audio: true, transcribe }, { trace: true });
    const records: unknown[] = [];
    session.on("turn-end", ({ turn: { background } }) => records.push(background));
    await says(room(3));
    await says(voice(5));
    const { context } = await handsOver();
    expect(context.transcription).toBe("what is a moose");
    await turns(6);
    const wav = context.audio?.wav.slice(60, 100);
    for (const kept of [session.trace(), records, told]) {
      const text = JSON.stringify(kept);
      expect(text).not.toContain("moose");
      expect(text).not.toContain(wav);
    }
  });

  it("is on the clock of the conversation, of the session that is there, and not kept for later ones", async () => {
    const one = bench({}, { audio: true });
    const user = one.background.conversation("user-17");
    const sounds = [room(1), voice(1), room(1)];
    const sound = () => sounds.shift() ?? new Float32Array(3200);
    const first = await openScripted(user, one.clock, { sound });
    await first.turns(2);
    await first.delegate({ task: "rome" });
    await vi.waitFor(() => expect(one.seen).toHaveLength(1));
    expect(one.seen[0]?.context.audio).toMatchObject({ timeMs: 0, durationMs: 600 });
    await first.turns(4);
    await first.session.close();
    await one.clock.advance(10_000);
    const second = await openScripted(user, one.clock, { sound });
    await second.delegate({ task: "rome" });
    await vi.waitFor(() => expect(one.seen).toHaveLength(2));
    expect(one.seen[1]?.context).not.toHaveProperty("audio");
    sounds.push(room(1), voice(1), room(1));
    await second.turns(2);
    await second.delegate({ task: "rome" });
    await vi.waitFor(() => expect(one.seen).toHaveLength(3));
    const startMs = (one.seen[2]?.context.audio?.timeMs ?? 0) - 11_400;
    expect(Math.abs(startMs)).toBeLessThanOrEqual(200);
  });

  it("is as long as is kept at most", async () => {
    const { says, handsOver } = await talk({ audio: true, maxAudioMs: 1000 });
    await says(room(3));
    const said = voice(12);
    await says(said);
    const { samples } = samplesIn((await handsOver()).context.audio?.wav);
    expect(samples).toEqual(new Float32Array([...said.slice(-4 * 3200), ...room(1)]));
  });

  it("is what was said after a rewind", async () => {
    const { says, handsOver, session } = await talk({ audio: true }, { rewindMs: 10_000 });
    await says(room(5));
    await says(voice(3, 5));
    await session.rewind(5);
    const said = voice(2, 6);
    await says(said);
    const { audio } = (await handsOver()).context;
    expect(audio?.timeMs).toBe(700);
    expect(samplesIn(audio?.wav).samples.slice(4800, 11_200)).toEqual(said);
  });

  it("is whole where micro-turns were merged, and where the input ended in the middle of one", async () => {
    const clock = new FakeClock();
    const seen: Job[] = [];
    const steps: number[] = [];
    const script: Script = ({ index, turns }, memory) => {
      steps.push(turns);
      if (index < 9 || memory.asked === true) return {};
      memory.asked = true;
      return { delegation: { task: "rome" } };
    };
    const engine = scriptedEngine({ script, clock, stepMs: ({ index }) => (index === 3 ? 1000 : 0) });
    const jobs = bench().jobs;
    const submit = (job: Job) => {
      seen.push(job);
      return jobs.submit(job);
    };
    const background = backgroundModel({ jobs: { ...boundTo(jobs), submit }, audio: true, clock });
    const user = background.conversation("user-17"); // whose work goes on when the session is over
    const session = await DuplexSession.open({ engine, background: user, clock, deadline: "catch-up" });
    onTestFinished(() => background.close());
    const sent = new Float32Array([...room(3), ...voice(6), ...noise(1000, 0.1, 9)]);
    for (let at = 0; at < sent.length; at += 3200) {
      await clock.advance(200);
      session.writeAudio(sent.slice(at, at + 3200));
    }
    const over = session.finish({ tailMs: 400 });
    await clock.advance(3000);
    await over;
    expect(Math.max(...steps)).toBeGreaterThan(1);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    const { samples } = samplesIn(seen[0]?.context.audio?.wav);
    // What was padded is silence.
    expect(samples).toEqual(new Float32Array([...sent.slice(3 * 3200 - 4800), ...new Float32Array(2200)]));
  });

  it("does not go along with the call of a function, whose arguments say what is wanted", async () => {
    const transcribe = vi.fn(() => "what is a moose");
    const { says, handsOver } = await talk({ audio: true, transcribe });
    await says(room(3));
    await says(voice(5));
    const { context } = await handsOver(room(1), "weather");
    expect(context).not.toHaveProperty("audio");
    expect(transcribe).not.toHaveBeenCalled();
  });

  it("is refused for options that cannot be", () => {
    for (const maxAudioMs of [-1, 60_001, Number.NaN]) {
      expect(() => bench({}, { maxAudioMs })).toThrow(RangeError);
    }
    expect(() => bench({}, { transcribe: "whisper" as never })).toThrow(TypeError);
  });
});

describe("a recogniser", () => {
  /** Work that was asked for with a recogniser, and what was heard of its errors. */
  async function ask(transcribe: BackgroundModelOptions["transcribe"], options: BackgroundModelOptions = {}) {
    const errors: { readonly error: unknown; readonly job: Job }[] = [];
    const onError: BackgroundModelOptions["onError"] = (error, job) => errors.push({ error, job });
    const one = await talk({ transcribe, onError, ...options }, { rewindMs: 10_000 });
    await one.says(room(3));
    await one.says(voice(5));
    return { ...one, errors };
  }

  it("is asked once, and not where nothing was heard", async () => {
    const transcribe = vi.fn(() => "  what is a moose ");
    const { handsOver, says, errors } = await ask(transcribe);
    const { context } = await handsOver();
    expect(context.transcription).toBe("what is a moose");
    expect(context).not.toHaveProperty("audio");
    await says(new Float32Array(120 * 3200));
    expect((await handsOver()).context).not.toHaveProperty("transcription");
    expect(transcribe).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([]);
  });

  it("holds up no work when it fails, gives no text, or nothing: the application hears of it, with the job", async () => {
    const broken = new Error("no network");
    const failing: readonly (readonly [() => unknown, unknown])[] = [
      [() => Promise.reject(broken), broken],
      [
        () => {
          throw broken;
        },
        broken,
      ],
      [() => ({ text: "the whole result" }), expect.any(TypeError)],
      [() => undefined, expect.any(TypeError)],
    ];
    for (const [transcribe, error] of failing) {
      const { handsOver, errors, told, turns } = await ask(transcribe as never);
      const job = await handsOver();
      expect(job.context).not.toHaveProperty("transcription");
      expect(errors).toEqual([{ error, job }]);
      await turns(6);
      expect(told.at(-1)).toMatchObject({ type: "background-end", outcome: "done" });
    }
    const { handsOver, errors } = await ask(() => " \n ");
    expect((await handsOver()).context).not.toHaveProperty("transcription");
    expect(errors).toEqual([]);
  });

  it("holds up no work for longer than 10 s", async () => {
    let signal: AbortSignal | undefined;
    const hangs = (request: SpokenRequest) => {
      signal = request.signal;
      return new Promise<string>(() => {});
    };
    const { clock, delegate, errors, seen } = await ask(hangs, { audio: true });
    const before = clock.pending;
    await delegate({ task: "rome" });
    await vi.waitFor(() => expect(signal).toBeDefined());
    await clock.advance(9999);
    expect(signal?.aborted).toBe(false);
    expect(seen).toEqual([]);
    await clock.advance(1);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    expect(signal?.aborted).toBe(true);
    expect(errors).toHaveLength(1);
    expect(DuplexError.is(errors[0]?.error, "BACKGROUND_FAILED")).toBe(true);
    expect(seen[0]?.context).toHaveProperty("audio");
    expect(clock.pending).toBe(before);
  });

  it("is told when the work is given up, which then never begins", async () => {
    for (const giveUp of ["cancel", "rewind", "close"] as const) {
      let signal: AbortSignal | undefined;
      let answer = (_: string) => {};
      const waits = (request: SpokenRequest) => {
        signal = request.signal;
        return new Promise<string>((resolve) => {
          answer = resolve;
        });
      };
      const { background, session, clock, delegate, errors, seen, told, turns } = await ask(waits);
      const before = clock.pending;
      await delegate({ task: "rome", id: "d" });
      await vi.waitFor(() => expect(signal).toBeDefined());
      if (giveUp === "cancel") await background.cancel("d");
      if (giveUp === "rewind") await session.rewind(5);
      if (giveUp === "close") await session.close();
      for (let turn = 0; turn < 20; turn++) await settled();
      expect(signal?.aborted, giveUp).toBe(true);
      answer("too late");
      if (giveUp !== "close") {
        await turns(3);
        expect(told).toMatchObject([{ type: "background-end", outcome: "cancelled" }]);
        expect(clock.pending).toBe(before);
      }
      expect([seen, errors]).toEqual([[], []]);
    }
  });

  it("writes down no secrets of the application, and no more than can be asked for", async () => {
    const said = "my word is swordfish and my key is sk-abcdefghijklmnopqrstuvwxyz";
    const { handsOver } = await ask(() => said, { secrets: ["swordfish"] });
    expect((await handsOver()).context.transcription).toBe("my word is [redacted] and my key is [redacted]");
    const long = await ask(() => "word ".repeat(5000));
    expect((await long.handsOver()).context.transcription).toHaveLength(4000);
  });

  it("may not end the process by a listener that throws", async () => {
    const uncaught: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error));
    onTestFinished(() => {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    });
    const thrown = new Error("listener");
    const { handsOver } = await ask(() => Promise.reject(new Error("no")), {
      onError: () => {
        throw thrown;
      },
    });
    expect((await handsOver()).delegation.task).toBe("rome");
    await vi.waitFor(() => expect(uncaught).toEqual([thrown]));
  });
});

/** The methods of a queue, as an object of their own. */
function boundTo(jobs: ReturnType<typeof bench>["jobs"]) {
  return {
    follow: jobs.follow.bind(jobs),
    send: jobs.send.bind(jobs),
    close: jobs.close.bind(jobs),
  };
}
