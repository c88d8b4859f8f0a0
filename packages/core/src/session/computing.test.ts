import { describe, expect, it, onTestFinished } from "vitest";
import type { EngineCapabilities } from "../engine.js";
import { FakeClock, scriptedEngine, settled } from "../testing/index.js";
import { DuplexSession } from "./duplex-session.js";

/** A session with a step under way, and what has become of the promise of its end. */
async function inMidStep(options: { readonly capabilities?: Partial<EngineCapabilities>; readonly fails?: boolean }) {
  const clock = new FakeClock();
  const script = () => {
    if (options.fails === true) throw new Error("the device is gone");
    return {};
  };
  const capabilities = { computesHere: true, ...options.capabilities };
  const engine = scriptedEngine({ script, capabilities, clock, stepMs: 50 });
  const session = await DuplexSession.open({ engine, clock });
  onTestFinished(() => session.close());
  await clock.advance(100);
  session.writeAudio(new Float32Array(16_000 / 5));
  await settled();
  const { computing } = session;
  const seen = { over: false };
  void computing?.then(() => {
    seen.over = true;
  });
  return { session, clock, computing, seen };
}

describe("the end of a step that this machine computes", () => {
  it("is told while there is one, the same to all", async () => {
    const { session, clock, computing, seen } = await inMidStep({});
    expect(computing).toBeInstanceOf(Promise);
    expect(session.computing).toBe(computing);
    await clock.advance(49);
    expect(seen.over).toBe(false);
    await clock.advance(1);
    expect([seen.over, session.computing]).toEqual([true, undefined]);
  });

  it("comes with an engine that fails, and with the end of the session", async () => {
    const failing = await inMidStep({ fails: true });
    await failing.clock.advance(50);
    expect([failing.seen.over, failing.session.closed, failing.session.computing]).toEqual([true, true, undefined]);
    const closed = await inMidStep({});
    void closed.session.close();
    await settled();
    expect([closed.seen.over, closed.session.computing]).toEqual([true, undefined]);
  });

  it("is nothing to wait for where another machine computes", async () => {
    const { computing } = await inMidStep({ capabilities: { computesHere: false } });
    expect(computing).toBeUndefined();
  });
});
