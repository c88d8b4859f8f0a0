import { expect, it } from "vitest";
import { RoomSound } from "./room-sound.js";

const turn = (level: number) => new Uint8Array(4 * 80).fill(level);

it("knows for how long nothing was louder than the room, whatever its level", () => {
  for (const room of [0, 4]) {
    const sound = new RoomSound();
    const quiet = (turns: number) => {
      for (let i = 0; i < turns; i++) sound.push(turn(room), 80);
      return sound.quietTurns;
    };
    // Nothing is known at first.
    expect([quiet(1), quiet(1), quiet(3)]).toEqual([0, 1, 4]);
    const voice = turn(room);
    voice.fill(room + 5, 80, 120); // one frame, half of its bins
    sound.push(voice, 80);
    expect([sound.quietTurns, quiet(2)]).toEqual([0, 2]);
    const other = new RoomSound();
    other.restore(sound.snapshot());
    expect(other.quietTurns).toBe(2);
    other.push(voice, 80);
    expect([other.quietTurns, sound.quietTurns]).toEqual([0, 2]);
  }
});
