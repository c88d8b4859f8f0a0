import { getEventListeners } from "node:events";
import { DuplexError } from "@microturn/core";
import { settled } from "@microturn/core/testing";
import { tool as aiTool } from "ai";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { JobEvent } from "../jobs/job.js";
import { type Tool, tool } from "../tool.js";
import { type AskedFor, CallBench, heldTool } from "./call-bench.js";
import { CallTable } from "./call-table.js";

const anything = { inputSchema: z.looseObject({}) };
const call = (name: string, given: unknown, more: Partial<JobEvent> = {}): JobEvent =>
  ({
    type: "call",
    key: `${name} ${JSON.stringify(given)}`,
    call: "earlier",
    name,
    arguments: given,
    state: "running",
    irreversible: true,
    attempt: 1,
    ...more,
  }) as JobEvent;

describe("a call", () => {
  it("is in the log before its tool runs, and its result before it resolves", async () => {
    const weather = heldTool();
    const kept: (() => void)[] = [];
    const bench = new CallBench({ weather: weather.tool });
    const append = (event: JobEvent) =>
      new Promise<void>((resolve) =>
        kept.push(() => {
          bench.log().push(event);
          resolve();
        }),
      );
    const asked = await bench.ask("weather", { city: "Rome" }, { append });
    expect(weather.calls).toHaveLength(0);
    kept.shift()?.();
    await settled();
    expect(bench.log()).toEqual([
      {
        type: "call",
        key: 'weather {"city":"Rome"}',
        call: "call-1",
        name: "weather",
        arguments: { city: "Rome" },
        state: "running",
        irreversible: false,
        attempt: 1,
      },
    ]);
    weather.calls[0]?.give({ sky: "clear" });
    await settled();
    expect(asked.outcome).toBe("none yet");
    kept.shift()?.();
    await settled();
    expect(asked.result).toEqual({ call: "call-1", name: "weather", outcome: "done", result: { sky: "clear" } });
    expect(bench.log().at(-1)).toEqual({ type: "result", ...asked.result });
    expect(bench.clock.pending).toBe(0);
    expect(bench.table.running).toBe(0);
  });

  it("learns its id, its conversation and a key that stays", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    await bench.ask("weather");
    expect(weather.calls[0]?.context).toMatchObject({
      toolCallId: "call-1",
      idempotencyKey: "job/call-1",
      conversation: "conversation",
      delegation: "delegation",
      attempt: 1,
      messages: [],
    });
  });

  it("fails without anything having run when the tool or its arguments cannot be used", async () => {
    let ran = 0;
    const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: () => ++ran });
    const bench = new CallBench({ weather, elsewhere: anything });
    const cases: [string, unknown, RegExp][] = [
      ["nothing", {}, /there is no tool "nothing"/],
      ["elsewhere", {}, /there is no tool "elsewhere" that can be run here/],
      ["toString", {}, /there is no tool/],
      ["weather", {}, /its arguments do not fit: city: expected string, got nothing/],
      ["weather", undefined, /city/],
      ["weather", "", /city/],
      ["weather", '{"city":', /its arguments cannot be used: they are not JSON/],
      ["weather", '{"city":"Rome","__proto__":{"x":1}}', /not taken/],
      ["weather", "x".repeat(2_000_000), /longer than/],
      ["weather", { city: 5n }, /BigInt/],
      ["weather", JSON.parse("[".repeat(9999) + "]".repeat(9999)), /nested/],
    ];
    for (const [name, given, error] of cases) {
      const asked = await bench.ask(name, given);
      expect(asked.result).toMatchObject({ outcome: "failed", error: expect.stringMatching(error) });
    }
    expect(ran).toBe(0);
    expect(bench.log().map((event) => event.type)).toEqual(cases.map(() => "result"));
  });

  it("takes arguments that come as JSON, with defaults and conversions of the schema", async () => {
    const inputs: unknown[] = [];
    const weather = tool({
      inputSchema: z.object({ city: z.string().transform((city) => city.trim()), days: z.number().default(3) }),
      execute: (input) => void inputs.push(input),
    });
    const bench = new CallBench({ weather });
    expect((await bench.ask("weather", '{"city":" Rome "}')).result).toMatchObject({ outcome: "done", result: null });
    expect(inputs).toEqual([{ city: "Rome", days: 3 }]);
  });

  it("fails with the message of what was thrown, never with its stack", async () => {
    const thrown: unknown[] = [
      new Error("no such city"),
      "just text",
      undefined,
      new Error("x".repeat(5000)),
      Object.create(null),
    ];
    const weather: Tool = { ...anything, execute: () => Promise.reject(thrown.shift()) };
    const sync: Tool = {
      ...anything,
      execute() {
        throw new Error("at once");
      },
    };
    const bench = new CallBench({ weather, sync });
    const errors: (string | undefined)[] = [];
    for (let n = 0; n < 5; n++) errors.push((await bench.ask("weather")).result?.error);
    errors.push((await bench.ask("sync")).result?.error);
    expect(errors).toEqual([
      "no such city",
      "just text",
      "undefined",
      `${"x".repeat(1999)}…`,
      "no reason was given",
      "at once",
    ]);
  });

  it("fails when its result has the wrong shape, is no JSON or too long", async () => {
    const results: unknown[] = [{ sky: 1 }, { sky: "x".repeat(10_000_000) }, { sky: "clear" }];
    const weather: Tool = { ...anything, outputSchema: z.object({ sky: z.string() }), execute: () => results.shift() };
    const odd: Tool = { ...anything, execute: () => ({ big: 5n }), maxResultBytes: 100 };
    const bench = new CallBench({ weather, odd });
    expect((await bench.ask("weather")).result?.error).toContain("its result cannot be used: sky: expected string");
    expect((await bench.ask("weather")).result?.error).toContain("longer than 65536 bytes");
    expect((await bench.ask("weather")).result?.result).toEqual({ sky: "clear" });
    expect((await bench.ask("odd")).result?.error).toContain("big: a BigInt is not JSON");
  });

  it("rejects only when its log cannot be written, and then stops its tool", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    const full = new DuplexError("BACKGROUND_FAILED", "the log is full");
    const never = await bench.ask("weather", {}, { append: () => Promise.reject(full) });
    expect(never.error).toBe(full);
    expect(weather.calls).toHaveLength(0);

    let left = 1;
    const append = async () => {
      if (left-- <= 0) throw full;
    };
    const late = await bench.ask("weather", {}, { append });
    weather.calls[0]?.context.progress("half of it");
    await settled();
    expect(late.error).toBe(full);
    expect(weather.calls[0]?.context.abortSignal.aborted).toBe(true);
    weather.calls[0]?.give(1);
    await settled();
    expect(bench.table.running).toBe(0);
    expect(bench.clock.pending).toBe(0);
  });

  it("runs tools of the AI SDK as they are, iterables too", async () => {
    const weather = aiTool({
      inputSchema: z.object({ city: z.string() }),
      needsApproval: ({ city }, { toolCallId }) => city === "Rome" && toolCallId === "call-1",
      execute: ({ city }, { toolCallId, messages }) => ({ city, toolCallId, messages }),
    });
    const forecast = aiTool({
      inputSchema: z.object({}),
      async *execute() {
        yield { sky: "loading" };
        yield { sky: "clear" };
      },
    });
    const bench = new CallBench({ weather, forecast });
    const rome = await bench.ask("weather", { city: "Rome" });
    expect(bench.asked).toHaveLength(1);
    bench.asked[0]?.answer({ approved: true });
    await settled();
    expect(rome.result?.result).toEqual({ city: "Rome", toolCallId: "call-1", messages: [] });
    expect((await bench.ask("weather", { city: "Oslo" })).outcome).toBe("done");
    expect((await bench.ask("forecast")).result?.result).toEqual({ sky: "clear" });
  });

  it("leaves no listener on the signal of its job", async () => {
    const weather = heldTool({ duplicates: "join", retry: { attempts: 2, delayMs: 0 } });
    const bench = new CallBench({ weather: weather.tool, pay: { ...weather.tool, irreversible: true } });
    const { signal } = new AbortController();
    for (let n = 0; n < 5; n++) {
      await bench.ask("weather", {}, { signal });
      await bench.ask("pay", { n }, { signal });
    }
    expect(getEventListeners(signal, "abort")).toHaveLength(10);
    for (const { answer } of bench.asked) answer({ approved: true });
    await settled();
    for (const { fail } of weather.calls) fail(new Error("busy"));
    await bench.clock.advance(0);
    weather.calls.at(-1)?.give("clear");
    await settled();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    expect(bench.clock.pending).toBe(0);
  });

  it("that is asked for twice under one id is one call", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    const both = [await bench.ask("weather", {}, { call: "a" }), await bench.ask("weather", {}, { call: "a" })];
    weather.calls[0]?.give("clear");
    await settled();
    expect(both.map((one) => one.result?.result)).toEqual(["clear", "clear"]);
    expect(bench.told("a")).toBe("running result");
    expect((await bench.ask("weather", {}, { call: "a", job: "another" })).outcome).toBe("none yet");
  });
});

describe("permission", () => {
  it("refuses with a reason, and whatever cannot be told is refused", async () => {
    const weather = heldTool();
    const answers: (() => boolean | string | Promise<boolean>)[] = [
      () => false,
      () => "not on Sundays",
      () => Promise.reject(new Error("the list is down")),
      () => undefined as never,
      () => Promise.resolve(true),
    ];
    const seen: unknown[] = [];
    const bench = new CallBench(
      { weather: weather.tool },
      {
        allow(asked) {
          seen.push(asked);
          return answers.shift()?.() ?? false;
        },
      },
    );
    const results: AskedFor[] = [];
    for (let n = 0; n < 5; n++) results.push(await bench.ask("weather", { city: "Rome" }));
    expect(results.map((one) => one.result?.error ?? one.outcome)).toEqual([
      "weather is not allowed here",
      "not on Sundays",
      "whether it is allowed cannot be told: the list is down",
      "weather is not allowed here",
      "none yet",
    ]);
    expect(results[0]?.outcome).toBe("rejected");
    expect(weather.calls).toHaveLength(1);
    expect(seen[0]).toEqual({
      conversation: "conversation",
      delegation: "delegation",
      name: "weather",
      arguments: { city: "Rome" },
    });
  });
});

describe("approval", () => {
  it("is asked for what is irreversible, holds no slot meanwhile, and decides", async () => {
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ pay: pay.tool }, { concurrency: 1 });
    const yes = await bench.ask("pay", { euro: 1 });
    const no = await bench.ask("pay", { euro: 2 });
    expect(bench.table.running).toBe(0);
    expect(bench.asked.map((one) => one.state)).toMatchObject([
      { call: "call-1", state: "awaiting-approval", irreversible: true, arguments: { euro: 1 } },
      { call: "call-2", state: "awaiting-approval" },
    ]);
    expect(bench.told("call-1")).toBe("awaiting-approval");
    bench.asked[1]?.answer({ approved: false, reason: "too much" });
    bench.asked[0]?.answer({ approved: true });
    await settled();
    expect(no.result).toMatchObject({ outcome: "rejected", error: "too much" });
    expect(pay.calls.map((one) => one.input)).toEqual([{ euro: 1 }]);
    pay.calls[0]?.give("paid");
    await settled();
    expect(yes.result?.result).toBe("paid");
    expect(bench.told("call-1")).toBe("awaiting-approval running result");
  });

  it("may depend on the arguments; asking that fails runs nothing", async () => {
    const pay = heldTool({
      needsApproval: ({ euro }: { euro: number }) => {
        if (euro < 0) throw new Error("no such price");
        return Promise.resolve(euro > 10);
      },
    });
    const bench = new CallBench({ pay: pay.tool });
    expect((await bench.ask("pay", { euro: -1 })).result).toMatchObject({ outcome: "failed", error: "no such price" });
    await bench.ask("pay", { euro: 5 });
    await bench.ask("pay", { euro: 50 });
    expect(pay.calls.map((one) => one.input)).toEqual([{ euro: 5 }]);
    const broken = await bench.ask("pay", { euro: 60 }, { approval: () => Promise.reject(new Error("nobody there")) });
    expect(broken.result).toMatchObject({ outcome: "failed", error: "nobody there" });
    expect(pay.calls).toHaveLength(1);
  });

  it("that comes after the call was ended changes nothing", async () => {
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ pay: pay.tool });
    const asked = await bench.ask("pay");
    expect(bench.table.cancel("call-1", "never mind")).toBe(true);
    await settled();
    expect(asked.result).toMatchObject({ outcome: "cancelled", error: "never mind" });
    bench.asked[0]?.answer({ approved: true });
    await settled();
    expect(pay.calls).toHaveLength(0);
    expect(bench.table.cancel("call-1", "again")).toBe(false);
  });
});

describe("slots", () => {
  it("let the limits run, first come first served, and hold up no other tool", async () => {
    const slow = heldTool({ concurrency: 2 });
    const quick = heldTool();
    const bench = new CallBench({ slow: slow.tool, quick: quick.tool }, { concurrency: 3 });
    for (let n = 0; n < 4; n++) await bench.ask("slow", { n });
    await bench.ask("quick", { n: 4 });
    await bench.ask("quick", { n: 5 });
    expect(slow.calls.map((one) => one.input)).toEqual([{ n: 0 }, { n: 1 }]);
    expect(quick.calls.map((one) => one.input)).toEqual([{ n: 4 }]);
    expect([bench.told("call-3"), bench.told("call-4"), bench.told("call-6")]).toEqual(["queued", "queued", "queued"]);
    quick.calls[0]?.give(1);
    await settled();
    expect(quick.calls.map((one) => one.input)).toEqual([{ n: 4 }, { n: 5 }]);
    slow.calls[1]?.give(1);
    await settled();
    expect(slow.calls.at(-1)?.input).toEqual({ n: 2 });
    expect(bench.told("call-3")).toBe("queued running");
    expect(bench.table.running).toBe(3);
  });

  it("are left by those who give up waiting", async () => {
    const slow = heldTool({ concurrency: 1 });
    const bench = new CallBench({ slow: slow.tool });
    await bench.ask("slow", { n: 0 });
    const abort = new AbortController();
    const second = await bench.ask("slow", { n: 1 }, { signal: abort.signal });
    await bench.ask("slow", { n: 2 });
    abort.abort(new Error("they left"));
    await settled();
    expect(second.result).toMatchObject({ outcome: "cancelled", error: "they left" });
    slow.calls[0]?.give(1);
    await settled();
    expect(slow.calls.map((one) => one.input)).toEqual([{ n: 0 }, { n: 2 }]);
    expect(bench.told("call-2")).toBe("queued result");
  });

  it("go to the next when the log of the one in front cannot be written", async () => {
    const slow = heldTool({ concurrency: 1 });
    const bench = new CallBench({ slow: slow.tool });
    await bench.ask("slow", { n: 0 });
    let refuse: (error: Error) => void = () => {};
    const append = () =>
      new Promise<void>((_, reject) => {
        refuse = reject;
      });
    const second = await bench.ask("slow", { n: 1 }, { append });
    await bench.ask("slow", { n: 2 });
    slow.calls[0]?.give(1);
    await settled();
    refuse(new Error("the log is full"));
    await settled();
    expect(second.error).toMatchObject({ message: "the log is full" });
    expect(slow.calls.map((one) => one.input)).toEqual([{ n: 0 }, { n: 2 }]);
    expect(bench.table.running).toBe(1);
  });

  it("are free again when a tool that ignores its signal has been left behind for a second", async () => {
    const deaf = heldTool({ concurrency: 1 });
    const bench = new CallBench({ deaf: deaf.tool });
    const first = await bench.ask("deaf");
    const second = await bench.ask("deaf");
    bench.table.cancel("call-1", "too slow");
    await settled();
    expect(first.outcome).toBe("cancelled");
    await bench.clock.advance(999);
    expect(deaf.calls).toHaveLength(1);
    await bench.clock.advance(1);
    expect(deaf.calls).toHaveLength(2);
    deaf.calls[0]?.fail(new Error("late, and nobody's concern"));
    deaf.calls[1]?.give("mine");
    await settled();
    expect(second.result?.result).toBe("mine");
    expect(bench.told("call-1")).toBe("running result");
    expect(bench.clock.pending).toBe(0);
  });
});

describe("time", () => {
  it("is not late when its tool was done in time, and a micro-turn had to end before its result was looked at", async () => {
    let end = () => {};
    let computing: Promise<void> | undefined;
    const pay = heldTool({ timeoutMs: 1000, maxDurationMs: 1500, irreversible: true, needsApproval: false });
    const bench = new CallBench({ pay: pay.tool }, { giveWay: () => computing });
    const asked = await bench.ask("pay");
    await bench.clock.advance(900);
    computing = new Promise((resolve) => {
      end = resolve;
    });
    pay.calls[0]?.give("paid");
    await bench.clock.advance(800);
    expect(asked.outcome).toBe("none yet");
    end();
    await settled();
    expect(asked.result).toMatchObject({ outcome: "done", result: "paid" });
    expect(bench.clock.pending).toBe(0);
  });

  it("ends at once while it waits for a micro-turn", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool }, { giveWay: () => new Promise(() => {}) });
    const stop = new AbortController();
    const asked = await bench.ask("weather", {}, { signal: stop.signal });
    expect(asked.outcome).toBe("none yet");
    stop.abort("enough");
    await settled();
    expect(asked.result).toMatchObject({ outcome: "cancelled", error: "enough" });
    expect(weather.calls).toEqual([]);
  });

  it("ends a call without a sign of life, and what it does then is swallowed", async () => {
    const slow = heldTool({ timeoutMs: 1000 });
    const bench = new CallBench({ slow: slow.tool });
    const asked = await bench.ask("slow");
    await bench.clock.advance(999);
    expect(asked.outcome).toBe("none yet");
    await bench.clock.advance(1);
    expect(asked.result).toMatchObject({
      outcome: "timed-out",
      error: "slow: the call gave no sign of life for 1000 ms",
    });
    expect(slow.calls[0]?.context.abortSignal.aborted).toBe(true);
    slow.calls[0]?.context.progress("still there");
    slow.calls[0]?.give("late");
    await settled();
    expect(bench.told("call-1")).toBe("running result");
  });

  it("is extended by progress, up to the longest duration", async () => {
    const slow = heldTool({ timeoutMs: 1000, maxDurationMs: 2500, progress: "spoken" });
    const bench = new CallBench({ slow: slow.tool });
    const asked = await bench.ask("slow");
    for (const step of [1, 2, 3]) {
      await bench.clock.advance(800);
      slow.calls[0]?.context.progress(`step ${step}`);
    }
    await settled();
    expect(bench.log().filter((event) => event.type === "progress")).toEqual(
      [1, 2, 3].map((step) => ({ type: "progress", call: "call-1", text: `step ${step}`, spoken: true })),
    );
    expect(asked.outcome).toBe("none yet");
    await bench.clock.advance(100);
    expect(asked.result).toMatchObject({ outcome: "timed-out", error: expect.stringContaining("longest time") });
  });

  it("counts values of an iterable as signs of life, and asks it to end", async () => {
    let closed = false;
    let next: (value: string) => void = () => {};
    async function* values() {
      try {
        for (;;)
          yield await new Promise<string>((resolve) => {
            next = resolve;
          });
      } finally {
        closed = true;
      }
    }
    const bench = new CallBench({ slow: { ...anything, timeoutMs: 1000, execute: () => values() } });
    const asked = await bench.ask("slow");
    for (let n = 0; n < 3; n++) {
      await bench.clock.advance(900);
      next("more");
      await settled();
    }
    expect(asked.outcome).toBe("none yet");
    await bench.clock.advance(1000);
    expect(asked.outcome).toBe("timed-out");
    next("the last");
    await settled();
    expect(closed).toBe(true);
  });

  it("of a flood of progress keeps only what the log can take", async () => {
    const slow = heldTool();
    const bench = new CallBench({ slow: slow.tool });
    const texts: string[] = [];
    const append = async (event: JobEvent) => {
      await settled();
      if (event.type === "progress") texts.push(event.text);
    };
    await bench.ask("slow", {}, { append });
    await settled();
    for (let n = 0; n < 10_000; n++) slow.calls[0]?.context.progress(`at ${n}`);
    slow.calls[0]?.context.progress("x".repeat(9999));
    for (let n = 0; n < 5; n++) await settled();
    expect(texts).toEqual(["at 0", `${"x".repeat(1999)}…`]);
  });

  it("that is longer than timers of platforms can be is no mistake", async () => {
    const slow = heldTool({ timeoutMs: Number.POSITIVE_INFINITY, maxDurationMs: 5 * 2 ** 30 });
    const bench = new CallBench({ slow: slow.tool });
    const asked = await bench.ask("slow");
    await bench.clock.advance(4 * 2 ** 30);
    expect(asked.outcome).toBe("none yet");
    await bench.clock.advance(2 ** 30);
    expect(asked.outcome).toBe("timed-out");
  });
});

describe("trying again", () => {
  it("doubles the pause, counts the attempts, and keeps the idempotency key", async () => {
    const flaky = heldTool({ retry: { attempts: 3, delayMs: 100 } });
    const bench = new CallBench({ flaky: flaky.tool });
    const asked = await bench.ask("flaky");
    flaky.calls[0]?.fail(new Error("1"));
    await bench.clock.advance(99);
    expect(flaky.calls).toHaveLength(1);
    await bench.clock.advance(1);
    flaky.calls[1]?.fail(new Error("2"));
    await bench.clock.advance(199);
    expect(flaky.calls).toHaveLength(2);
    await bench.clock.advance(1);
    flaky.calls[2]?.fail(new Error("3"));
    await settled();
    expect(asked.result).toMatchObject({ outcome: "failed", error: "3" });
    expect(flaky.calls.map((one) => [one.context.attempt, one.context.idempotencyKey])).toEqual([
      [1, "job/call-1"],
      [2, "job/call-1"],
      [3, "job/call-1"],
    ]);
    expect(bench.log().map((event) => (event.type === "call" ? event.attempt : event.type))).toEqual([
      1,
      2,
      3,
      "result",
    ]);
    expect(bench.clock.pending).toBe(0);
  });

  it("asks the rule, and takes a rule that throws for a no", async () => {
    const rules: ((error: unknown) => boolean)[] = [
      (error) => (error as Error).message === "busy",
      () => {
        throw new Error("broken rule");
      },
    ];
    for (const when of rules) {
      const flaky = heldTool({ retry: { attempts: 5, delayMs: 0, when } });
      const bench = new CallBench({ flaky: flaky.tool });
      const asked = await bench.ask("flaky");
      flaky.calls[0]?.fail(new Error("busy"));
      await bench.clock.advance(0);
      flaky.calls[1]?.fail(new Error("gone"));
      await bench.clock.advance(0);
      expect(asked.outcome).toBe("failed");
      expect(flaky.calls).toHaveLength(when === rules[0] ? 2 : 1);
    }
  });

  it("does not follow a timeout, unless the rule asks for it", async () => {
    const retry = { attempts: 2, delayMs: 0 };
    const plain = heldTool({ timeoutMs: 10, retry });
    const keen = heldTool({
      timeoutMs: 10,
      retry: { ...retry, when: (error) => DuplexError.is(error, "TOOL_FAILED") },
    });
    const bench = new CallBench({ plain: plain.tool, keen: keen.tool });
    const [first, second] = [await bench.ask("plain"), await bench.ask("keen")];
    await bench.clock.advance(10);
    expect([first.outcome, second.outcome]).toEqual(["timed-out", "none yet"]);
    // The next try waits until the one before has stopped, for a second at most.
    keen.calls[0]?.context.progress("still there");
    await bench.clock.advance(999);
    expect(keen.calls).toHaveLength(1);
    await bench.clock.advance(1);
    keen.calls[1]?.give("now");
    await settled();
    expect(second.result?.result).toBe("now");
    expect(plain.calls).toHaveLength(1);
    expect(bench.told("call-2")).toBe("running running result");
  });

  it("never happens to what is irreversible, after an end, or past the longest duration", async () => {
    const retry = { attempts: 5, delayMs: 1000, when: () => true };
    const pay = heldTool({ irreversible: true, needsApproval: false, retry });
    const flaky = heldTool({ retry, maxDurationMs: 2500 });
    const bench = new CallBench({ pay: pay.tool, flaky: flaky.tool });
    const paid = await bench.ask("pay");
    pay.calls[0]?.fail(new Error("no"));
    await settled();
    expect(paid.outcome).toBe("failed");

    const ended = await bench.ask("flaky");
    flaky.calls[0]?.fail(new Error("no"));
    await settled();
    bench.table.cancel("call-2", "enough");
    await settled();
    expect(ended.result).toMatchObject({ outcome: "cancelled", error: "enough" });

    const long = await bench.ask("flaky");
    flaky.calls[1]?.fail(new Error("first"));
    await bench.clock.advance(1000);
    flaky.calls[2]?.fail(new Error("second"));
    await settled();
    expect(long.result).toMatchObject({ outcome: "failed", error: "second" });
    expect(bench.clock.pending).toBe(0);
  });
});

describe("duplicates", () => {
  const twoOf = async (duplicates: NonNullable<Tool["duplicates"]>, more: Partial<Tool> = {}) => {
    const held = heldTool({ duplicates, ...more });
    const bench = new CallBench({ weather: held.tool });
    const first = await bench.ask("weather", { city: "Rome", days: 1 });
    const second = await bench.ask("weather", { days: 1, city: "Rome" });
    return { bench, held, first, second };
  };

  it("all run by default", async () => {
    const { held } = await twoOf("allow");
    expect(held.calls).toHaveLength(2);
  });

  it("are told so and do not run: reject", async () => {
    const { bench, held, second } = await twoOf("reject");
    expect(second.result).toMatchObject({ outcome: "rejected", error: "the same call is under way already" });
    held.calls[0]?.give(1);
    await settled();
    await bench.ask("weather", { city: "Rome", days: 1 });
    await bench.ask("weather", { city: "Oslo" });
    expect(held.calls).toHaveLength(3);
  });

  it("end the earlier call: replace", async () => {
    const { held, first, second } = await twoOf("replace", { concurrency: 1 });
    expect(first.result).toMatchObject({ outcome: "cancelled", error: "a later call took its place" });
    expect(held.calls[0]?.context.abortSignal.aborted).toBe(true);
    held.calls[0]?.give("late");
    await settled();
    held.calls[1]?.give("mine");
    await settled();
    expect(second.result?.result).toBe("mine");
  });

  it("take the place of each other whatever the arguments, when the key says so", async () => {
    const held = heldTool({ duplicates: "replace", key: () => "" });
    const bench = new CallBench({ weather: held.tool });
    const rome = await bench.ask("weather", { city: "Rome" });
    await bench.ask("weather", { city: "Oslo" });
    expect(rome.outcome).toBe("cancelled");
    expect(held.calls[1]?.input).toEqual({ city: "Oslo" });
  });

  it("share one result: join", async () => {
    const { bench, held, first, second } = await twoOf("join");
    expect(held.calls).toHaveLength(1);
    held.calls[0]?.give("clear");
    await settled();
    expect([first.result, second.result]).toMatchObject([
      { call: "call-1", outcome: "done", result: "clear" },
      { call: "call-2", outcome: "done", result: "clear" },
    ]);
    expect(bench.told("call-2")).toBe("queued result");
  });

  it("run themselves when the call that they joined was ended, one of them", async () => {
    const { bench, held, first, second } = await twoOf("join");
    const third = await bench.ask("weather", { city: "Rome", days: 1 });
    bench.table.cancel("call-1", "not needed");
    await settled();
    expect([first.outcome, second.outcome, third.outcome]).toEqual(["cancelled", "none yet", "none yet"]);
    expect(held.calls).toHaveLength(2);
    held.calls[1]?.give("clear");
    await settled();
    expect([second.result?.result, third.result?.result]).toEqual(["clear", "clear"]);
  });

  it("end alone: who joined may leave", async () => {
    const { bench, held, first, second } = await twoOf("join");
    bench.table.cancel("call-2", "not needed");
    await settled();
    expect([first.outcome, second.outcome]).toEqual(["none yet", "cancelled"]);
    expect(held.calls[0]?.context.abortSignal.aborted).toBe(false);
  });

  it("are those of one conversation", async () => {
    const held = heldTool({ duplicates: "reject" });
    const bench = new CallBench({ weather: held.tool });
    await bench.ask("weather", {}, { job: "a" });
    await bench.ask("weather", {}, { job: "b", conversation: "another" });
    const third = await bench.ask("weather", {}, { job: "c" });
    expect(held.calls).toHaveLength(2);
    expect(third.outcome).toBe("rejected");
  });
});

describe("what is irreversible", () => {
  const payTool = () => heldTool({ irreversible: true, needsApproval: false });

  it("is unknown when it was ended or timed out after it began", async () => {
    const pay = heldTool({ irreversible: true, needsApproval: false, timeoutMs: 1000 });
    const bench = new CallBench({ pay: pay.tool });
    const ended = await bench.ask("pay", { euro: 1 });
    bench.table.cancel("call-1", "stop");
    const slow = await bench.ask("pay", { euro: 2 });
    await bench.clock.advance(1000);
    expect(ended.result).toMatchObject({ outcome: "unknown", error: expect.stringContaining("stop") });
    expect(slow.result).toMatchObject({ outcome: "unknown", error: expect.stringContaining("not tried again") });
  });

  it("gives its ending again in the same job, whatever it was, and another job is another matter", async () => {
    const pay = payTool();
    const bench = new CallBench({ pay: pay.tool });
    await bench.ask("pay", { euro: 1 });
    pay.calls[0]?.give("paid");
    await settled();
    expect((await bench.ask("pay", { euro: 1 })).result).toMatchObject({
      call: "call-2",
      outcome: "done",
      result: "paid",
    });
    await bench.ask("pay", { euro: 2 });
    pay.calls[1]?.fail(new Error("no money"));
    await settled();
    expect((await bench.ask("pay", { euro: 2 })).result).toMatchObject({ outcome: "failed", error: "no money" });
    expect(pay.calls).toHaveLength(2);
    await bench.ask("pay", { euro: 1 }, { job: "another" });
    expect(pay.calls).toHaveLength(3);
  });

  it("is joined while it is under way, whatever its policy, and approved once", async () => {
    const pay = heldTool({ irreversible: true, duplicates: "allow" });
    const bench = new CallBench({ pay: pay.tool });
    const both = [await bench.ask("pay"), await bench.ask("pay")];
    expect(bench.asked).toHaveLength(1);
    bench.asked[0]?.answer({ approved: true });
    await settled();
    pay.calls[0]?.give("paid");
    await settled();
    expect(both.map((one) => one.result?.result)).toEqual(["paid", "paid"]);
    expect(pay.calls).toHaveLength(1);
  });

  it("is not run twice by a call whose copy of the log is older than the end of the first", async () => {
    const pay = payTool();
    let allow: (yes: boolean) => void = () => {};
    let waits = false;
    const bench = new CallBench(
      { pay: pay.tool },
      {
        allow: () =>
          waits
            ? new Promise<boolean>((resolve) => {
                allow = resolve;
              })
            : true,
      },
    );
    await bench.ask("pay");
    waits = true;
    const second = await bench.ask("pay", {}, { log: [...bench.log()] });
    pay.calls[0]?.give("paid");
    await settled();
    allow(true);
    await settled();
    expect(second.result).toMatchObject({ call: "call-2", outcome: "done", result: "paid" });
    expect(pay.calls).toHaveLength(1);
  });

  it("may be asked for again when it never began", async () => {
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ pay: pay.tool });
    await bench.ask("pay");
    bench.asked[0]?.answer({ approved: false, reason: "not now" });
    await settled();
    const again = await bench.ask("pay");
    bench.asked[1]?.answer({ approved: true });
    await settled();
    pay.calls[0]?.give("paid");
    await settled();
    expect(again.result?.result).toBe("paid");
  });
});

describe("after a crash", () => {
  it("a call with a result in the log gives that, and writes nothing", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    bench
      .log()
      .push(call("weather", {}), { type: "result", call: "earlier", name: "weather", outcome: "done", result: 5 });
    const asked = await bench.ask("weather", {}, { call: "earlier" });
    expect(asked.result).toEqual({ call: "earlier", name: "weather", outcome: "done", result: 5 });
    expect(bench.log()).toHaveLength(2);
    expect(weather.calls).toHaveLength(0);
  });

  it("a call without one runs again, as the next attempt of the same call", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    bench.log().push(call("weather", {}, { attempt: 2 } as object));
    await bench.ask("weather", {}, { call: "earlier" });
    expect(weather.calls[0]?.context).toMatchObject({ attempt: 3, idempotencyKey: "job/earlier" });
  });

  it("another call with the same arguments does not take a result that is not its own", async () => {
    const weather = heldTool();
    const bench = new CallBench({ weather: weather.tool });
    bench
      .log()
      .push(call("weather", {}), { type: "result", call: "earlier", name: "weather", outcome: "done", result: 5 });
    await bench.ask("weather", {});
    expect(weather.calls).toHaveLength(1);
  });

  it("an irreversible call that had begun is unknown, under its id and any other", async () => {
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ pay: pay.tool });
    bench.log().push(call("pay", { euro: 1 }));
    for (const id of ["earlier", "later", "last"]) {
      const asked = await bench.ask("pay", { euro: 1 }, { call: id });
      expect(asked.result).toMatchObject({ call: id, outcome: "unknown" });
    }
    const changed = await bench.ask("pay", { euro: 99 }, { call: "earlier" });
    expect(changed.outcome).toBe("unknown");
    expect(bench.asked).toHaveLength(0);
    expect(pay.calls).toHaveLength(0);
  });

  it("one that waited for approval waits on, and is not told a second time", async () => {
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ pay: pay.tool });
    bench.log().push(call("pay", { euro: 1 }, { state: "awaiting-approval" } as object));
    const asked = await bench.ask("pay", { euro: 1 }, { call: "earlier" });
    expect(bench.told("earlier")).toBe("awaiting-approval");
    bench.asked[0]?.answer({ approved: true });
    await settled();
    pay.calls[0]?.give("paid");
    await settled();
    expect(asked.result?.result).toBe("paid");
    expect(bench.told("earlier")).toBe("awaiting-approval running result");
  });

  it("one that was ended before its tool was called may run", async () => {
    const pay = heldTool({ irreversible: true, needsApproval: false });
    const bench = new CallBench({ pay: pay.tool });
    bench
      .log()
      .push(call("pay", {}), { type: "result", call: "earlier", name: "pay", outcome: "cancelled", error: "x" });
    await bench.ask("pay", {});
    expect(pay.calls).toHaveLength(1);
  });
});

describe("close", () => {
  it("ends every call, waits for their tools, and takes no more", async () => {
    const weather = heldTool({ concurrency: 1 });
    const pay = heldTool({ irreversible: true });
    const bench = new CallBench({ weather: weather.tool, pay: pay.tool });
    const calls = [await bench.ask("weather"), await bench.ask("weather"), await bench.ask("pay")];
    let closed = false;
    const closing = bench.table.close().then(() => {
      closed = true;
    });
    await settled();
    expect(calls.map((one) => one.result?.error)).toEqual(calls.map(() => "the background is closed"));
    expect(closed).toBe(false);
    weather.calls[0]?.fail(weather.calls[0].context.abortSignal.reason);
    await settled();
    expect(closed).toBe(true);
    await closing;
    expect(bench.table.close()).toBe(bench.table.close());
    expect((await bench.ask("weather")).result).toMatchObject({ outcome: "cancelled" });
    expect(weather.calls).toHaveLength(1);
    expect(bench.table.running).toBe(0);
    expect(bench.clock.pending).toBe(0);
  });

  it("resolves though a tool is deaf and a log takes nothing", async () => {
    const deaf = heldTool();
    const bench = new CallBench({ deaf: deaf.tool });
    let stuck = false;
    await bench.ask("deaf", {}, { append: (): Promise<void> => (stuck ? new Promise(() => {}) : Promise.resolve()) });
    stuck = true;
    let closed = false;
    bench.table.close().then(() => {
      closed = true;
    });
    await bench.clock.advance(4999);
    expect(closed).toBe(false);
    await bench.clock.advance(1);
    expect(closed).toBe(true);
    expect(bench.clock.pending).toBe(0);
    expect(bench.table.running).toBe(0);
  });
});

describe("a table", () => {
  it("loads what JSON Schema needs beforehand, and says then that one cannot be used", async () => {
    const bench = new CallBench({
      plain: { inputSchema: { type: "object" }, outputSchema: { type: "number" }, execute: () => 1 },
    });
    await bench.table.load();
    expect((await bench.ask("plain")).result?.result).toBe(1);
    const broken = new CallTable({ tools: { a: { inputSchema: { type: "object", not: 5n }, execute: () => 1 } } });
    await expect(broken.load()).rejects.toThrow(TypeError);
  });

  it("refuses tools that cannot work when it is made", () => {
    const made = (name: string, more: Partial<Tool>) => () =>
      new CallTable({ tools: { [name]: { ...anything, execute: () => 1, ...more } } });
    expect(made("what is it", {})).toThrow(/letters, digits/);
    expect(made("a", { inputSchema: undefined as never })).toThrow("tool a: inputSchema cannot be used");
    expect(made("a", { timeoutMs: 0 })).toThrow(RangeError);
    expect(made("a", { maxResultBytes: Number.NaN })).toThrow(RangeError);
    expect(made("a", { concurrency: 0.5 })).toThrow(RangeError);
    expect(made("a", { retry: { attempts: 11 } })).toThrow(RangeError);
    expect(made("a", { retry: { attempts: 2, delayMs: -1 } })).toThrow(RangeError);
    expect(() => new CallTable({ tools: {}, concurrency: 0 })).toThrow(RangeError);
    expect(made("a", {})).not.toThrow();
  });
});
