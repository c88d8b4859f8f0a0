// When the background gives way: to micro-turns under way, and to those that are due in a moment.

import { DuplexSession, type EngineCapabilities } from "@microturn/core";
import { FakeClock, scriptedEngine, settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { MicroTurns } from "./micro-turns.js";

const turn = new Float32Array(3200);

/** A session whose steps take 20 ms, in real time on a clock that a test moves. */
async function bench(capabilities: Partial<EngineCapabilities> = { computesHere: true }) {
  const clock = new FakeClock();
  const engine = scriptedEngine({ stepMs: 20, clock, capabilities });
  const session = await DuplexSession.open({ engine, clock });
  const microTurns = new MicroTurns([session], clock);
  const waited: number[] = [];
  return {
    ...{ clock, session, microTurns, waited },
    /** Sound of one micro-turn comes in now. */
    write: () => void session.writeAudio(turn),
    /** Whether something has to wait now; when it goes on is noted in `waited`. */
    wants(): boolean {
      const way = microTurns.giveWay();
      way?.then(() => waited.push(clock.now()));
      return way !== undefined;
    },
  };
}

describe("micro-turns that go first", () => {
  it("are those under way", async () => {
    const { clock, write, wants, waited } = await bench();
    expect(wants()).toBe(false);
    write();
    await settled();
    expect([wants(), wants()]).toEqual([true, true]);
    await clock.advance(20);
    expect(waited).toEqual([20, 20]);
    expect(wants()).toBe(false);
  });

  it("are those that are due within 8 ms, by the beginning of the last one", async () => {
    const { clock, write, wants, waited } = await bench();
    wants(); // it looks at the session from here on
    write();
    await clock.advance(191);
    expect(wants()).toBe(false);
    await clock.advance(2);
    expect(wants()).toBe(true);
    await clock.advance(7);
    write();
    await clock.advance(19);
    expect(waited).toEqual([]);
    await clock.advance(1);
    expect(waited).toEqual([220]);
    expect(wants()).toBe(false);
  });

  it("are waited for 4 ms when their sound does not come", async () => {
    const { clock, write, wants, waited } = await bench();
    wants();
    write();
    await clock.advance(195);
    expect([wants(), wants()]).toEqual([true, true]);
    await clock.advance(9);
    expect(waited).toEqual([204, 204]);
    expect(wants()).toBe(false);
    await clock.advance(1000);
    expect(wants()).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it("are waited for a second at most, however long an engine hangs", async () => {
    const clock = new FakeClock();
    const computing = new Promise<void>(() => {});
    const capabilities = { computesHere: true } as EngineCapabilities;
    const microTurns = new MicroTurns([{ capabilities, computing, on: () => () => {} }], clock);
    let isOver = false;
    void microTurns.giveWay()?.then(() => {
      isOver = true;
    });
    await clock.advance(999);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(isOver).toBe(true);
    // Whoever comes now does not wait for it again.
    let goesOn = false;
    void microTurns.giveWay()?.then(() => {
      goesOn = true;
    });
    await settled();
    expect(goesOn).toBe(true);
  });

  it("are none where another machine computes", async () => {
    const { clock, write, wants, microTurns } = await bench({ computesHere: false });
    expect([wants(), microTurns.any()]).toEqual([false, false]);
    write();
    await settled();
    expect(wants()).toBe(false);
    await clock.advance(195);
    expect(wants()).toBe(false);
    expect((await bench()).microTurns.any()).toBe(true);
  });
});
