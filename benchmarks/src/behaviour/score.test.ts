import { describe, expect, it } from "vitest";
import type { BehaviourCase } from "./cases.js";
import type { Performance } from "./play.js";
import { score, stretches, wordErrors } from "./score.js";

const sampleRate = 16_000;

/** A performance whose loudspeaker sounds in the given stretches (ms) and whose micro-turns say the given words. */
function performance(sound: [number, number][], said: Record<number, string>, listenFrom = Infinity): Performance {
  const played = new Float32Array(sampleRate * 10);
  for (const [from, to] of sound) played.fill(0.1, (from * sampleRate) / 1000, (to * sampleRate) / 1000);
  const turns = Array.from({ length: 50 }, (_, index) => ({
    index,
    startMs: index * 200,
    output: { text: said[index] ?? "", heard: "", decision: index < listenFrom ? "speak" : "listen" },
  }));
  return { turns: turns as unknown as Performance["turns"], turnMs: 200, played, sampleRate };
}

function oneCase(row: string, onsetMs: number, endMs: number, text: string): BehaviourCase {
  const events = [{ key: "greet", text: "hello", voice: "test", heldPhrasing: false, onsetMs, endMs }];
  return { id: row, row, noise: "clean", durationMs: 10_000, events, expected: { text }, wav: "" };
}

describe("score", () => {
  it("measures latency from the end of the user's last word to the first sound", () => {
    const result = score(oneCase("take", 500, 1000, "hello"), performance([[1350, 1800]], { 5: "hello" }));
    expect(result).toMatchObject({ took: true, early: false, right: true, latencyMs: 350 });
  });

  it("does not count a reply that began before the user had finished as a take-over", () => {
    const result = score(oneCase("wait", 500, 3000, "hello"), performance([[1350, 1800]], { 5: "hello" }));
    expect(result).toMatchObject({ took: false, early: true });
    expect(result.latencyMs).toBeUndefined();
  });

  it("measures a yield from the onset to the silence that lasts, and judges the words after it only", () => {
    const sound: [number, number][] = [
      [500, 1700],
      [1900, 2450],
      [4000, 4400],
    ];
    const result = score(
      oneCase("yield-stop", 2000, 2300, "okay"),
      performance(sound, { 3: "once upon", 18: "okay" }, 11),
    );
    expect(result).toMatchObject({ wasSpeaking: true, yieldMs: 450, yieldAfterEndMs: 150, right: true });
  });

  it("calls any sound in a recording without a request a false alarm", () => {
    expect(score(oneCase("silence", 0, 0, ""), performance([[100, 200]], {}))).toMatchObject({ falseAlarm: true });
    expect(score(oneCase("silence", 0, 0, ""), performance([], {}))).toMatchObject({ falseAlarm: false });
  });
});

describe("stretches", () => {
  it("joins sound over gaps shorter than 120 ms", () => {
    const { played } = performance(
      [
        [100, 200],
        [280, 400],
        [600, 700],
      ],
      {},
    );
    expect(stretches(played, sampleRate)).toEqual([
      { startMs: 100, endMs: 400 },
      { startMs: 600, endMs: 700 },
    ]);
  });
});

describe("wordErrors", () => {
  it("counts insertions, deletions and substitutions", () => {
    expect(wordErrors(["a", "b", "c"], ["a", "x", "c", "d"])).toBe(2);
    expect(wordErrors([], ["a"])).toBe(1);
    expect(wordErrors(["a", "b"], [])).toBe(2);
  });
});
