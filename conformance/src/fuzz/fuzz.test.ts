// A short run over every decoder; the long one is `npm run fuzz`. And the runner itself: what it must catch, it catches.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../packages/backend-remote/src/testing/mutate-json.js";
import { fuzz } from "./fuzz.js";
import type { FuzzSubject, FuzzTarget } from "./fuzz-target.js";
import { fuzzTargets } from "./targets.js";

describe("hostile messages", () => {
  test.each(fuzzTargets)("give typed errors or none: $name", { timeout: 300_000 }, async (target) => {
    const report = await fuzz(target, { messages: 4000, seed: 20_261_130 });
    expect(report.failure).toBeUndefined();
    expect(report.broken).toBeGreaterThanOrEqual(4000);
    // Some get through to what lies behind the first check, and some do not.
    const { accepted } = report.outcomes;
    const all = report.broken + report.right;
    expect(accepted).toBeGreaterThan(all / 10);
    expect(all - accepted).toBeGreaterThan(all / 20);
  });
});

describe("the fuzz runner", () => {
  const target = (receive: FuzzSubject["receive"], more: Partial<FuzzSubject> = {}): FuzzTarget => ({
    name: "made",
    message: (random) => ({ data: String(random()), broken: true }),
    open: () => ({ receive, ...more }),
  });

  test("tells the message that crashes a decoder, and the session repeats it", async () => {
    const crash = () => {
      let count = 0;
      return target(() => {
        if (count++ === 700) throw new TypeError("undefined is no function");
        return "accepted";
      });
    };
    const { failure } = await fuzz(crash(), { messages: 2000, seed: 5 });
    expect(failure).toMatchObject({ what: "crash", error: expect.any(TypeError), data: expect.any(String) });
    const { session, message } = failure as Required<NonNullable<typeof failure>>;
    const at = target((one) => {
      if (one.data === failure?.data) throw new TypeError("again");
      return "accepted";
    });
    const again = await fuzz(at, { messages: 2000, seed: 5, session });
    expect(again.failure).toMatchObject({ session, message, data: failure?.data });
  });

  test("catches a session that does not end well", async () => {
    const ill = target(() => "accepted", {
      close: () => {
        throw new Error("no sound any more");
      },
    });
    expect((await fuzz(ill, { messages: 100, seed: 1 })).failure).toMatchObject({ what: "crash", session: 0 });
  });

  test("catches a message that hangs, but not a machine that was busy once", async () => {
    const wait = () => {
      for (const startMs = performance.now(); performance.now() - startMs < 1100; );
    };
    const slow = (times: number) => {
      let waits = 0;
      let hung: unknown;
      return target(({ data }) => {
        hung ??= data;
        if (data === hung && waits++ < times) wait();
        return "accepted";
      });
    };
    expect((await fuzz(slow(2), { messages: 50, seed: 1 })).failure).toMatchObject({ what: "hang" });
    expect((await fuzz(slow(1), { messages: 50, seed: 1 })).failure).toBeUndefined();
  });

  test("catches memory that grows in one session, and from session to session", async () => {
    const kept: Uint8Array[] = [];
    const keep = () => {
      kept.push(new Uint8Array(40_000));
      return "accepted";
    };
    const one = await fuzz(target(keep), { messages: 2000, seed: 1 });
    expect(one.failure).toMatchObject({ what: "growing memory", session: 0 });
    kept.length = 0;
    const each: FuzzTarget = {
      ...target(() => "accepted"),
      open: () => {
        kept.push(new Uint8Array(4_000_000));
        return { receive: () => "accepted" };
      },
    };
    expect((await fuzz(each, { messages: 20_000, seed: 1 })).failure).toEqual({
      what: "growing memory",
      error: expect.anything(),
    });
  });

  test("gives the same messages for the same seed, and others for another", async () => {
    const [first] = fuzzTargets;
    const run = async (seed: number) => (await fuzz(first, { messages: 300, seed })).outcomes;
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
    expect(seededRandom(1)()).not.toBe(seededRandom(2)());
  });
});
