import type { TurnRecord } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { decisions, keptTurns, LiveHistory, pictureOf } from "./live-history.js";

const record = (
  index: number,
  change: { loud?: number; speech?: number; text?: string; speak?: boolean } = {},
): TurnRecord => ({
  index,
  startMs: 200 * index,
  input: {
    audio: new Float32Array(3200).fill(change.loud ?? 0),
    ...{ paddedSamples: 0, images: [], text: [], deliveries: [], forceListen: false },
  },
  output: {
    decision: change.speak ? "speak" : "listen",
    speech: new Float32Array(3200).fill(change.speech ?? 0),
    text: change.text ?? "",
    ...{ heard: "", yielded: false, fence: 0, skipped: false },
  },
  timing: {
    ...{ stepTurns: 1, stepMs: 50, sessionMs: 1, slackMs: 150, late: false },
    ...{ encodeMs: 1, waitMs: 1, runMs: 46, decodeMs: 1 },
  },
  inside: { expertLoad: Float32Array.of(0.75, 0.25), expertShape: [1, 2] },
});

/** What is drawn of a micro-turn. */
const turn = (...of: Parameters<typeof record>) => pictureOf(record(...of), 200);

describe("LiveHistory", () => {
  it("shows the user when it was heard, and the assistant when it sounds: a micro-turn later", () => {
    const history = new LiveHistory();
    history.begin(200);
    history.push(turn(0, { loud: 0.5, speech: 0.25 }));
    expect([0, 4, 5, 9].map((bar) => history.userBar(bar))).toEqual([0.5, 0.5, 0, 0]);
    expect([0, 4, 5, 9, 10].map((bar) => history.assistantBar(bar))).toEqual([0, 0, 0.25, 0.25, 0]);
    expect([history.turns, history.slackMs[0], [...history.experts.subarray(0, 2)]]).toEqual([1, 150, [128, 43]]);
  });

  it("shows the level of the microphone until the record of the micro-turn is there", () => {
    const history = new LiveHistory();
    history.begin(200);
    history.push(turn(0));
    history.hear(230, 0.1);
    history.hear(330, 0.3);
    expect([5, 6, 7, 8, 9].map((bar) => Math.round(10 * history.userBar(bar)))).toEqual([1, 3, 3, 3, 0]);
    history.push(turn(1, { loud: 0.5 }));
    expect(history.userBar(7)).toBe(0.5);
  });

  it("takes out what was said and not heard, whatever spaces are in it", () => {
    const history = new LiveHistory();
    history.begin(200);
    for (const [index, text] of ["one", "two  three", " four"].entries())
      history.push(turn(index, { text, speak: true }));
    const said = () => history.said.map(({ text, turn }) => `${turn} ${text}`);
    history.takeBack("");
    expect(said()).toEqual(["0 one", "1 two  three", "2  four"]);
    history.takeBack("three four");
    expect(said()).toEqual(["0 one", "1 two"]);
    history.takeBack("much more than was said");
    expect(said()).toEqual([]);
  });

  it("takes no more memory after hours, and shows nothing of long ago", () => {
    const history = new LiveHistory();
    history.begin(200);
    for (let index = 0; index < 20_000; index++)
      history.push(turn(index, { loud: 0.5, text: index % 3 === 0 ? "word" : "" }));
    expect(history.said.length).toBeLessThanOrEqual(80);
    expect(history.experts).toHaveLength(2 * keptTurns);
    expect(history.userBar(5 * 19_999)).toBe(0.5);
    expect(history.userBar(5 * (20_000 - keptTurns))).toBe(0);
    expect(history.decision[19_999 % keptTurns]).toBe(decisions.listen);
  });

  it("begins a phrase with what is said after listening", () => {
    const history = new LiveHistory();
    history.begin(200);
    history.push(turn(0, { speak: true, text: "one" }));
    history.push(turn(1, { speak: true, text: "two" }));
    history.push(turn(2));
    history.push(turn(3, { speak: true, text: "three" }));
    expect(history.said.map(({ text, fresh }) => [text, fresh])).toEqual([
      ["one", true],
      ["two", false],
      ["three", true],
    ]);
  });
});
