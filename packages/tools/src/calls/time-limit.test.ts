import { FakeClock } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { TimeLimit, type TimeLimitReached } from "./time-limit.js";

function limit(timeoutMs: number, untilMs: number) {
  const clock = new FakeClock();
  const reached: { limit: TimeLimitReached; atMs: number }[] = [];
  const time = new TimeLimit({
    clock,
    timeoutMs,
    untilMs,
    onReached: (limit) => reached.push({ limit, atMs: clock.now() }),
  });
  return { clock, reached, time };
}

describe("TimeLimit", () => {
  it("is reached by silence, counted from the last sign of life", async () => {
    const { clock, reached, time } = limit(100, 1e9);
    for (let n = 0; n < 50; n++) {
      await clock.advance(60);
      time.signOfLife();
      expect(clock.pending).toBe(1);
    }
    await clock.advance(1000);
    expect(reached).toEqual([{ limit: "silence", atMs: 3100 }]);
    expect(clock.pending).toBe(0);
  });

  it("is reached by duration, whatever the signs of life", async () => {
    const { clock, reached, time } = limit(100, 250);
    for (let n = 0; n < 10; n++) {
      await clock.advance(50);
      time.signOfLife();
    }
    expect(reached).toEqual([{ limit: "duration", atMs: 250 }]);
  });

  it("is not reached any more once it is stopped", async () => {
    const { clock, reached, time } = limit(100, 250);
    time.stop();
    await clock.advance(1000);
    expect(reached).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
