import type { BackgroundActivity, TurnRecord } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { inkFor } from "../io.js";
import { Figures } from "./figures.js";
import { clock, printable, TurnLines } from "./turn-lines.js";

const ink = inkFor({ write: () => true, on: () => undefined });

type Change = { output?: Partial<TurnRecord["output"]>; timing?: Partial<TurnRecord["timing"]>; audio?: Float32Array };

function record(index: number, { output = {}, timing = {}, audio = new Float32Array(3_200) }: Change = {}): TurnRecord {
  return {
    index,
    startMs: index * 200,
    input: { audio, paddedSamples: 0, images: [], text: [], deliveries: [], forceListen: false },
    output: {
      decision: "listen",
      speech: new Float32Array(3_200),
      text: "",
      heard: "",
      yielded: false,
      fence: 0,
      skipped: false,
      ...output,
    },
    timing: {
      encodeMs: 0.4,
      waitMs: 0,
      runMs: 15,
      decodeMs: 0.6,
      stepTurns: 1,
      stepMs: 16,
      sessionMs: 0,
      slackMs: 184,
      late: false,
      ...timing,
    },
  };
}

const tone = new Float32Array(3_200).map((_, i) => 0.2 * Math.sin(i / 5));

describe("TurnLines", () => {
  it("prints what is new, and one line for each quiet stretch", () => {
    const lines = new TurnLines({ ink, every: false, turnMs: 200 });
    const printed = [
      record(0),
      record(1),
      record(2, { output: { heard: "what time" } }),
      record(3, { output: { decision: "speak", text: "it is" } }),
      record(4, { output: { decision: "speak" } }),
    ].flatMap((turn) => lines.push(turn));
    expect([...printed, ...lines.end()].map((line) => line.replace(/ +/g, " ").trim())).toEqual([
      "0:00.0 ···· listening, 0.4 s",
      "0:00.4 ···· what time 16 ms",
      "0:00.6 ████ it is 16 ms",
      "0:00.8 ████ speaking, 0.2 s",
    ]);
  });

  it("prints every micro-turn when asked to", () => {
    const lines = new TurnLines({ ink, every: true, turnMs: 200 });
    expect([record(0), record(1)].flatMap((turn) => lines.push(turn))).toHaveLength(2);
    expect(lines.end()).toEqual([]);
  });

  it("tells of lateness with its numbers", () => {
    const lines = new TurnLines({ ink, every: false, turnMs: 200 });
    const [line] = lines.push(record(0, { timing: { late: true, slackMs: -31.4, stepTurns: 3 } }));
    expect(line).toContain("late by 31 ms");
    expect(line).toContain("3 micro-turns merged");
  });

  it("tells briefly what the background does, and counts what is beyond six", () => {
    const lines = new TurnLines({ ink, every: false, turnMs: 200 });
    const call = { delegation: "d", call: "c", name: "weather" };
    const start = { type: "tool-call", ...call, arguments: { city: "Rome" }, irreversible: false } as const;
    const turn = (index: number, background: readonly BackgroundActivity[]) =>
      lines.push({ ...record(index), background }).map((line) => line.replace(/ +/g, " ").trim());
    expect([
      ...turn(0, [{ ...start, state: "queued", attempt: 1 }]),
      ...turn(1, [{ ...start, state: "running", attempt: 2 }]),
      ...turn(2, [{ type: "tool-result", ...call, outcome: "done", result: { text: "y".repeat(200) } }]),
      ...turn(3, [{ type: "tool-result", ...call, outcome: "timed-out", error: "after \u001b[31m2 s" }]),
      ...turn(4, [
        { type: "background-delta", delegation: "d", text: "It rains." },
        { type: "background-end", delegation: "d", outcome: "done" },
      ]),
    ]).toEqual([
      '0:00.0 ···· 16 ms call weather {"city":"Rome"}, queued',
      '0:00.2 ···· 16 ms call weather {"city":"Rome"}, try 2',
      `0:00.4 ···· 16 ms weather done: {"text":"${"y".repeat(50)}…`,
      "0:00.6 ···· 16 ms weather timed-out: after [31m2 s",
      "0:00.8 ···· 16 ms the background tells: It rains.; the background: done",
    ]);
    const many = new Array(40).fill({ type: "background-delta", delegation: "d", text: "word" });
    expect(turn(5, many)[0]).toMatch(/(the background tells: word; ){6}and 34 more of the background$/);
  });

  it("names the function of a delegation, with its arguments", () => {
    const lines = new TurnLines({ ink, every: false, turnMs: 200 });
    const delegation = { task: "weather", id: "d", name: "forecast", arguments: { days: 2 } };
    expect(lines.push(record(0, { output: { delegation } }))[0]).toContain('delegates: weather (forecast {"days":2})');
  });

  it("shows the control tokens of the four output positions", () => {
    const lines = new TurnLines({ ink, every: true, turnMs: 200 });
    const [line] = lines.push({ ...record(0), inside: { controls: Uint8Array.of(1, 2, 3, 0) } });
    expect(line).toContain("·█◆·");
  });
});

describe("printable", () => {
  it("disarms terminal escapes in text that a model or a file gave", () => {
    expect(printable("a\u001b[31mred\u0007\r\nb")).toBe("a [31mred b");
  });
});

describe("clock", () => {
  it("carries tenths into seconds and minutes", () => {
    expect([0, 59_940, 59_960, 61_200].map(clock)).toEqual(["0:00.0", "0:59.9", "1:00.0", "1:01.2"]);
  });
});

describe("Figures", () => {
  it("times the take-over where the reply sounds: a micro-turn after the step that made it", () => {
    const figures = new Figures({ inputSampleRate: 16_000, outputSampleRate: 16_000, turnMs: 200 });
    for (let i = 0; i < 20; i++) {
      const user = i >= 2 && i < 6;
      const reply = i >= 8 && i < 12;
      figures.push(
        record(i, { ...(user ? { audio: tone } : {}), output: reply ? { decision: "speak", speech: tone } : {} }),
      );
    }
    // The user ends at 1.2 s; micro-turn 8 sounds from 1.8 s.
    expect(figures.summary().takeOverMs).toEqual([600]);
    const text = figures.lines(400).join("\n");
    expect(text).toContain("4.0 s of conversation in 0.4 s (10.0 x real time), 20 micro-turns");
    expect(text).toContain("median 600 ms");
    expect(text).toContain("p99 16.0 ms of 200 ms");
  });
});
