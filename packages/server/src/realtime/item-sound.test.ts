import { describe, expect, it } from "vitest";
import { ItemSound } from "./item-sound.js";

function spoken(): ItemSound {
  const sound = new ItemSound(200);
  sound.add(10, 1, "one two");
  // A micro-turn that was skipped is missing in between.
  sound.add(12, 1, "");
  sound.add(13, 2, "three");
  return sound;
}

describe("the sound of an item", () => {
  it("finds a position in ms on the session clock", () => {
    const sound = spoken();
    expect(sound.lengthMs).toBe(600);
    expect(sound.placeOf(0)).toEqual({ turnIndex: 10, fence: 1, share: 0 });
    expect(sound.placeOf(200)).toEqual({ turnIndex: 10, fence: 1, share: 1 });
    expect(sound.placeOf(250)).toEqual({ turnIndex: 12, fence: 1, share: 0.25 });
    expect(sound.placeOf(700)).toEqual({ turnIndex: 13, fence: 2, share: 1 });
    expect(new ItemSound(200).placeOf(0)).toBeUndefined();
  });

  it("keeps the words up to the cut, each from the middle of its part on", () => {
    const words = (ms: number) => {
      const sound = spoken();
      sound.truncate(ms);
      return sound.words;
    };
    expect([words(0), words(49), words(50), words(150), words(499), words(500)]).toEqual([
      ...["", "", "one", "one two", "one two", "one two three"],
    ]);
    const sound = spoken();
    sound.truncate(300);
    sound.truncate(500);
    expect([sound.lengthMs, sound.cut]).toEqual([300, true]);
  });

  it("never lets what was heard fall", () => {
    const sound = spoken();
    sound.acknowledge(300, 250);
    sound.acknowledge(100, 50);
    expect([sound.playedMs, sound.committedMs]).toEqual([300, 250]);
  });
});
