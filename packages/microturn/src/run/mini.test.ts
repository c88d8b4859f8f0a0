// What the bundled model does, on the recordings that ship with the repository: real weights, the engine that the command line
// opens for a recording, from samples to samples. The figures of its model card come from `npm run eval`; this is the part that must never break.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { DuplexSession, type Engine, mixToMono, readWav } from "@microturn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OpenedEngine, openEngine } from "../engine.js";

let engine: Engine;
let opened: OpenedEngine;
beforeAll(async () => {
  opened = await openEngine({ providers: ["cpu"], threads: 1 });
  engine = opened.engine;
  await engine.load();
});
afterAll(() => opened.close());

interface Heard {
  /** What mini wrote down of the user, and what it said. */
  readonly user: string;
  readonly said: string;
  /** Level of what the loudspeaker plays, dB of full scale, of every 50 ms. */
  readonly levels: readonly number[];
}

/** Plays a recording to mini. Micro-turn n is heard during micro-turn n + 1. */
async function play(name: string, answer?: string): Promise<Heard> {
  const file = fileURLToPath(new URL(`../../../../fixtures/speech/${name}.wav`, import.meta.url));
  const { channels, sampleRate } = readWav(await readFile(file));
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", sampleRate });
  const [user, said]: string[][] = [[], []];
  const levels: number[] = [-120, -120, -120, -120];
  session.on("heard-delta", ({ text }) => user.push(text));
  session.on("text-delta", ({ text }) => said.push(text));
  session.on("speech", (pcm) => {
    for (let at = 0; at < pcm.length; at += 800) levels.push(decibels(pcm.subarray(at, at + 800)));
  });
  if (answer !== undefined) session.on("delegation", () => void session.deliver(answer));
  await session.writeAudio(mixToMono(channels));
  await session.finish();
  return { user: user.join(" "), said: said.join(" "), levels };
}

function decibels(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  return 10 * Math.log10(power + 1e-12);
}

/** Whether anything is heard from one second to another. */
const sounds = ({ levels }: Heard, fromS: number, toS: number) =>
  levels.slice(Math.round(20 * fromS), Math.round(20 * toS)).some((level) => level > -40);

describe("mini", () => {
  it("holds a conversation: greets, adds, tells, stops when told to, counts", async () => {
    const heard = await play("conversation");
    expect(heard.user).toMatch(/hello.*seven plus eight.*tell me a story.*stop.*count to three.*thank you/);
    expect(heard.said).toMatch(/seven plus eight is fifteen.*once upon a time.*one two three.*welcome/);
    expect(heard.said).not.toContain("all night"); // the end of the story, which it was stopped from
    expect(sounds(heard, 0, 1.2), "before the user has spoken").toBe(false);
    expect(sounds(heard, 12, 14.2), "while it tells").toBe(true);
    expect(sounds(heard, 16.5, 17.9), "after the stop").toBe(false);
    const loudest = Math.max(...heard.levels);
    expect(loudest).toBeGreaterThan(-25);
    expect(loudest).toBeLessThan(-3);
  });

  it("turns to a request that breaks in", async () => {
    const heard = await play("barge-in");
    expect(heard.user).toMatch(/count to nine.*your name/);
    expect(heard.said).toMatch(/one two three.*my name is mini$/);
    expect(heard.said).not.toContain("seven");
  });

  it("hands over what it cannot answer, says what comes back, and hears what is said after that", async () => {
    const heard = await play("question", "In Paris it is 14 degrees, with light rain until the evening.");
    expect(heard.user).toMatch(/what is the weather like in paris.*thank you/);
    expect(heard.said).toMatch(
      /^let me look in paris it is fourteen degrees with light rain until the evening you are welcome$/,
    );
    expect(sounds(heard, 4.4, 8), "while it says what came back").toBe(true);
    expect(sounds(heard, 9, 12), "before the user speaks again").toBe(false);
  });

  it("says texts of several sentences to their end while nobody speaks, and gives them up for somebody who does", async () => {
    const tell = async (text: string, from = 0, until = 0) => {
      const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
      const [said, given]: string[][] = [[], []];
      session.on("text-delta", ({ text }) => said.push(text));
      session.on("turn-end", ({ turn }) => given.push(...(turn.output.unsaid ?? []).map(({ words }) => words)));
      const wait = (seconds: number) => session.writeAudio(new Float32Array(16_000 * seconds));
      await wait(1.6);
      void session.deliver(text);
      await wait(2);
      const file = fileURLToPath(new URL("../../../../fixtures/speech/conversation.wav", import.meta.url));
      const { channels } = readWav(await readFile(file));
      if (until > 0) await session.writeAudio(mixToMono(channels).slice(16_000 * from, 16_000 * until));
      await wait(8);
      await session.close();
      return { said: said.join(" "), given: given.join(" ") };
    };
    for (const text of [
      "shall i delete call mom. please say yes or no.",
      "the train leaves at ten. take platform two.",
    ]) {
      expect(await tell(text)).toEqual({ said: text.replaceAll(".", ""), given: "" });
    }
    const long =
      "the train leaves at ten. take platform two. it stops in rome and in milan. it has a car for bicycles.";
    const stopped = await tell(long, 14, 15.4); // "stop"
    expect(stopped.given).toMatch(/bicycles$/);
    expect(stopped.said).not.toContain("bicycles");
  });

  it("answers what is typed, and stops for it, with no microphone", async () => {
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
    const [user, said]: string[][] = [[], []];
    session.on("heard-delta", ({ text }) => user.push(text));
    session.on("text-delta", ({ text }) => said.push(text));
    const wait = (seconds: number) => session.writeAudio(new Float32Array(16_000 * seconds));
    session.sendText("What is 2 + 3?");
    await wait(5);
    session.sendText("Tell me a story.");
    await wait(5);
    session.sendText("stop");
    await wait(4);
    await session.finish();
    expect(user.join(" ")).toMatch(/what is two plus three.*tell me a story.*stop/);
    expect(said.join(" ")).toMatch(/two plus three is five once upon a time/);
    expect(said.join(" ")).not.toContain("all night");
  });

  it("hands over what is typed while it says the last words of what it was told", async () => {
    for (const lateTurns of [0, 1, 2, 3]) {
      const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
      let said = "";
      let typed = Number.POSITIVE_INFINITY;
      const tasks: string[] = [];
      session.on("text-delta", ({ text, turnIndex }) => {
        said += ` ${text}`;
        if (text.includes("list")) typed = turnIndex + lateTurns;
      });
      session.on("turn-end", ({ turnIndex }) => {
        if (turnIndex === 4) void session.deliver("I have left it on your list.");
        if (turnIndex === typed) session.sendText("buy milk is done, please delete it");
      });
      session.on("delegation", ({ task }) => tasks.push(task));
      await session.writeAudio(new Float32Array(16_000 * 10));
      await session.close();
      expect(said).toMatch(/i have left it on your list.*let me look/);
      expect(tasks, `${lateTurns} micro-turns after the last word`).toEqual(["buy milk is done, please delete it"]);
    }
  });

  it("waits through a pause, and goes on through an uh huh", async () => {
    const heard = await play("pause-and-backchannel");
    expect(heard.user).toMatch(/count to four.*tell me a story.*uh huh/);
    expect(heard.said).toMatch(/^one two three four once upon a time.*talked all night$/);
    expect(sounds(heard, 0, 3.1), "in the pause").toBe(false);
  });
});
