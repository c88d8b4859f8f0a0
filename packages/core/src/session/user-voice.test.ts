import { describe, expect, it } from "vitest";
import { LevelMeter } from "./level-meter.js";
import { followVoice, silentVoice, understandVoice } from "./user-voice.js";

/** Micro-turns in which somebody is taken to speak, of levels in dBFS; words are understood in `words`. */
function spoken(levels: readonly number[], words: readonly number[] = [], understands = true): number[] {
  let voice = silentVoice(0);
  return levels.flatMap((level, turn) => {
    voice = followVoice(voice, 10 ** (level / 10), turn, understands);
    const speaks = voice.lastTurn === turn;
    if (words.includes(turn)) voice = understandVoice(voice, turn);
    return speaks ? [turn] : [];
  });
}
const many = (count: number, level: number) => new Array<number>(count).fill(level);

describe("the user's voice (rule 6)", () => {
  it("is there from the first micro-turn in which it is loud, also in the first of all", () => {
    expect(spoken([-70, -70, -30, -30, -70])).toEqual([2, 3]);
    expect(spoken([-20, -70])).toEqual([0]);
  });

  it("is told from the noise of a room, however loud that is", () => {
    const noisy = [...many(20, -35), -20, -20, -35, -33, -36, -34];
    expect(spoken(noisy).filter((turn) => turn >= 6)).toEqual([20, 21]);
    expect(spoken(many(40, -51))).toEqual([]);
  });

  it("is not what goes on being loud without a word, until a word comes or it begins anew", () => {
    const loud = [...many(3, -70), ...many(9, -20)];
    expect(spoken(loud)).toEqual([3, 4, 5, 6, 7, 8]);
    expect(spoken(loud, [7])).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(spoken([...loud, -70, -20])).toEqual([3, 4, 5, 6, 7, 8, 13]);
  });

  it("is not what comes and goes without a word, as a television does, until it has been silent or a word comes", () => {
    const television = many(12, 0).flatMap(() => [-20, -20, -20, -45]);
    expect(spoken(television).length).toBe(15);
    expect(Math.max(...spoken(television))).toBeLessThan(24);
    expect(spoken(television, [30]).filter((turn) => turn > 30).length).toBeGreaterThan(10);
    const later = [...television, ...many(26, -70), -20];
    expect(spoken(later).at(-1)).toBe(later.length - 1);
  });

  it("is all that is loud where the engine tells no words", () => {
    expect(spoken([...many(3, -70), ...many(9, -20)], [], false)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });
});

describe("LevelMeter", () => {
  it("gives the loudest 20 ms of each micro-turn, for pieces of any size", () => {
    const samples = new Float32Array(3 * 3200);
    samples.fill(0.5, 3200 + 2880, 6400);
    for (const size of [1, 320, 777, 3200, 9600]) {
      const meter = new LevelMeter(3200);
      const levels: number[] = [];
      for (let at = 0; at < samples.length; at += size) levels.push(...meter.push(samples.subarray(at, at + size)));
      expect(levels).toEqual([0, 0.25, 0]);
      expect(meter.flush()).toEqual([]);
    }
  });

  it("gives what has come of a micro-turn that ends early, and forgets it at a rewind", () => {
    const meter = new LevelMeter(3200);
    meter.push(new Float32Array(640).fill(1));
    expect(meter.flush()).toEqual([1]);
    meter.push(new Float32Array(500).fill(1));
    meter.reset();
    expect(meter.push(new Float32Array(3200))).toEqual([0]);
  });
});
