import { describe, expect, it } from "vitest";
import { FrameSlots } from "./frame-slots.js";

describe("FrameSlots", () => {
  it("takes two pictures per micro-turn, just before each of its halves ends, whatever the rate of the camera", () => {
    for (const interval of [10, 33.3, 66.7]) {
      const slots = new FrameSlots(200, 2);
      const taken: number[] = [];
      let due = Number.POSITIVE_INFINITY;
      for (let now = 0; now < 2000; now++) {
        if (now >= due) {
          if (slots.take(now)) taken.push(now);
          due = Number.POSITIVE_INFINITY;
        }
        if (now % interval >= 1) continue;
        const wait = slots.plan(now);
        if (wait !== undefined) due = now + wait;
      }
      expect(taken.length, `every ${interval} ms`).toBe(20);
      for (const time of taken) expect((time + 15) % 100).toBeLessThan(2);
    }
  });

  it("takes a picture of every frame of a slow source, and none without a frame", () => {
    const slots = new FrameSlots(200, 2);
    expect([0, 350, 700].map((time) => slots.plan(time))).toEqual([85, 35, 85]);
    expect(slots.plan(702)).toBeUndefined();
  });

  it("never gives a micro-turn more than its share, also when timers come late", () => {
    const slots = new FrameSlots(200, 2);
    expect([205, 285, 386, 399, 400].map((time) => slots.take(time))).toEqual([true, true, false, false, true]);
  });

  it("goes on after a rewind", () => {
    const slots = new FrameSlots(200, 1);
    expect(slots.plan(1000)).toBe(185);
    expect(slots.plan(600)).toBe(185);
    expect(slots.take(700)).toBe(true);
  });
});
