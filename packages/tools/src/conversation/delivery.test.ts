// Tests cite the rules of docs/session-rules.md.

import type { DeliveryPolicy, DuplexSession } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { type BackgroundModelOptions, backgroundModel } from "../background-model.js";
import type { JobHandler, JobQueue, JobRun } from "../jobs/job.js";
import type { Undelivered } from "./conversation.js";
import { answer, bench, openScripted, untilCancelled } from "./scripted-conversation.js";

const texts = (entered: readonly { readonly text: string }[]) => entered.map(({ text }) => text);
const reasons = (lost: readonly Undelivered[]) => lost.map(({ text, reason }) => [text, reason]);

describe("an answer of the background (rule 6)", () => {
  it("enters sentence by sentence, in order, each named after its delegation, and is told", async () => {
    const { clock, background } = bench({
      rome: (run) => answer(run, "It is su", "nny. It stays ", "so. Take a", " hat"),
    });
    const user = await openScripted(background, clock);
    await user.turns(2);
    await user.delegate({ task: "rome" });
    await user.turns(8);
    expect(texts(user.entered)).toEqual(["It is sunny.", "It stays so.", "Take a hat"]);
    expect(new Set(user.entered.map(({ delegation }) => delegation))).toEqual(new Set(["delegation-2"]));
    expect(user.told).toEqual([
      { type: "background-delta", delegation: "delegation-2", text: "It is sunny." },
      { type: "background-delta", delegation: "delegation-2", text: "It stays so." },
      { type: "background-delta", delegation: "delegation-2", text: "Take a hat" },
      { type: "background-end", delegation: "delegation-2", outcome: "done" },
    ]);
  });

  it("waits for quiet, or does not, as its policy says; the policy may depend on the delegation", async () => {
    const entersAt = async (deliver: BackgroundModelOptions["deliver"]) => {
      const { clock, background } = bench({}, deliver === undefined ? {} : { deliver });
      const user = await openScripted(background, clock);
      await user.delegate({ task: "rome" });
      await user.turns(5, "hm");
      await user.turns(10);
      return user.entered.map(({ turn, silent }) => [turn, silent === true]);
    };
    expect(await entersAt(undefined)).toEqual([[9, false]]);
    expect(await entersAt("now")).toEqual([[1, false]]);
    expect(await entersAt("silent")).toEqual([[1, true]]);
    expect(await entersAt({ dropIfStaleMs: 500 })).toEqual([]);
    expect(await entersAt(({ task }) => (task === "rome" ? "now" : "silent"))).toEqual([[1, false]]);
  });

  it("is accounted for when it is too old to enter", async () => {
    const { clock, background, lost } = bench({}, { deliver: { dropIfStaleMs: 500 } });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "rome" });
    await user.turns(8, "hm");
    expect(reasons(lost)).toEqual([["About rome.", "stale"]]);
    await user.turns(8);
    expect(user.entered).toEqual([]);
    expect(background.running).toEqual([]);
  });

  it("is only told where the engine takes no text in this way", async () => {
    const { clock, background, lost } = bench({}, { deliver: "silent" });
    const user = await openScripted(background, clock, { capabilities: { inputs: ["audio"], saysText: true } });
    await user.delegate({ task: "rome" });
    await user.turns(6);
    expect(user.entered).toEqual([]);
    expect(user.told.at(-1)).toEqual({
      ...{ type: "background-end", delegation: "delegation-0", outcome: "done" },
      error: "nothing of it was delivered: the engine takes no text in this way",
    });
    expect(reasons(lost)).toEqual([["About rome.", "unsupported"]]);
  });

  it("waits for room when as many results wait as a session holds", async () => {
    const { clock, background, lost } = bench();
    const user = await openScripted(background, clock);
    const others = Array.from({ length: 256 }, (_, i) => user.session.deliver(`other ${i}`, "when-quiet"));
    await user.delegate({ task: "rome" });
    await user.turns(3, "hm");
    expect(() => user.session.deliver("one more")).toThrow("256");
    await user.turns(12);
    await Promise.all(others);
    expect(user.entered).toHaveLength(257);
    expect(user.entered.at(-1)?.text).toBe("About rome.");
    expect(lost).toEqual([]);
  });

  it("says in words that the work failed, or nothing if the application wants it so", async () => {
    const failing: JobHandler = async (run) => {
      await run.append({ type: "delta", text: "Let me see. I th" });
      throw new Error("no network");
    };
    const said = async (sayFailure?: BackgroundModelOptions["sayFailure"]) => {
      const { clock, background } = bench({ rome: failing }, { sayFailure });
      const user = await openScripted(background, clock);
      await user.delegate({ task: "rome" });
      await user.turns(10);
      expect(user.told.at(-1)).toMatchObject({ type: "background-end", outcome: "failed" });
      expect((user.told.at(-1) as { error: string }).error).toContain("no network");
      return texts(user.entered).slice(2);
    };
    expect(await said()).toEqual(["I could not find that out."]);
    expect(await said("That did not work.")).toEqual(["That did not work."]);
    expect(await said((error) => (error.includes("network") ? "I am offline." : "?"))).toEqual(["I am offline."]);
    expect(await said(() => undefined)).toEqual([]);
  });

  it("goes on where its log breaks off, without losing or repeating a word", async () => {
    const { clock, jobs, lost } = bench({
      rome: (run) => answer(run, ...Array.from({ length: 20 }, (_, i) => `Fact ${i}. `)),
    });
    let follows = 0;
    const flaky: JobQueue = {
      ...{
        submit: (job) => jobs.submit(job),
        send: (id, message) => jobs.send(id, message),
        close: () => jobs.close(),
      },
      async *follow(id, options) {
        follows++;
        let left = 3;
        for await (const logged of jobs.follow(id, options)) {
          if (left-- === 0) throw new Error("connection lost");
          yield logged;
        }
      },
    };
    const background = backgroundModel({ jobs: flaky, clock });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "rome" });
    await user.turns(60);
    expect(texts(user.entered)).toEqual(Array.from({ length: 20 }, (_, i) => `Fact ${i}.`));
    expect(follows).toBe(7);
    expect(lost).toEqual([]);
    await background.close();
  });

  it("fails when its log cannot be reached at all, or the job cannot be kept; the worker is told", async () => {
    for (const broken of ["follow", "submit"]) {
      const { clock, jobs } = bench({ rome: untilCancelled });
      const sent: unknown[] = [];
      const queue: JobQueue = {
        submit: (job) => (broken === "submit" ? Promise.reject(new Error("queue is down")) : jobs.submit(job)),
        // biome-ignore lint/correctness/useYield: it fails before there is anything to give
        async *follow() {
          throw new Error("queue is down");
        },
        send: async (_, message) => void sent.push(message),
        close: () => jobs.close(),
      };
      const background = backgroundModel({ jobs: queue, clock });
      const user = await openScripted(background, clock);
      await user.delegate({ task: "rome" });
      await user.turns(40);
      expect(texts(user.entered)).toEqual(["I could not find that out."]);
      expect(user.told).toEqual([
        { type: "background-end", delegation: "delegation-0", outcome: "failed", error: "queue is down" },
      ]);
      expect(sent).toHaveLength(broken === "follow" ? 1 : 0);
      await background.close();
    }
  });

  it("holds no more than it can: the rest is accounted for", async () => {
    const { clock, background, lost } = bench({ long: (run) => answer(run, "A sentence of words. ".repeat(5000)) });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "long" });
    await user.until(() => background.running.length === 0, 400, "hm");
    expect(background.running).toEqual([]);
    expect(new Set(lost.map(({ reason }) => reason))).toEqual(new Set(["overflow"]));
    const held = 5000 - lost.length;
    expect(held * "A sentence of words.".length).toBeGreaterThan(60_000);
    expect(held * "A sentence of words.".length).toBeLessThan(66_000);
  });
});

describe("the result of a function that the interaction model called (rule 6)", () => {
  const call = { task: "weather", id: "call-1", name: "weather", arguments: { city: "Rome" } };

  async function result(task: JobHandler, options: BackgroundModelOptions = {}, cancel = false) {
    const { clock, background, seen, lost } = bench({ weather: task }, { deliver: "now", ...options });
    const user = await openScripted(background, clock);
    await user.delegate(call);
    await user.turns(1);
    if (cancel) await background.cancel("call-1");
    await user.turns(10);
    return { user, seen, lost };
  }

  it("is delivered once, whole, at the end", async () => {
    const { user, seen } = await result((run) => answer(run, "Sunny. ", "Warm. ", "Dry."));
    expect(user.entered.map(({ text, delegation }) => [text, delegation])).toEqual([["Sunny. Warm. Dry.", "call-1"]]);
    expect(seen[0].delegation).toEqual({ id: "call-1", task: "weather", name: "weather", arguments: { city: "Rome" } });
    expect(user.told.filter(({ type }) => type === "background-delta")).toHaveLength(3);
  });

  it("is delivered to the letter, as it may be data; what is too long is cut, and says so", async () => {
    const data = JSON.stringify({ token: "x".repeat(1000), list: "1,2,".repeat(300), text: "One.  Two!\n Three" });
    const whole = await result((run) => answer(run, data.slice(0, 700), data.slice(700)));
    expect(texts(whole.user.entered)).toEqual([data]);
    const long = "abcdefg ".repeat(10_000);
    const { user, lost } = await result((run) => answer(run, long));
    await user.until(() => user.entered.length > 0, 2000);
    const [text] = texts(user.entered);
    expect(text.length).toBeLessThan(65_536);
    expect(text).toBe(`${long.slice(0, 64_000).trim()} … The rest of the result was too long, and was left out.`);
    expect(lost.map(({ text }) => text).join("")).toBe(long.slice(64_000));
    expect(new Set(lost.map(({ reason }) => reason))).toEqual(new Set(["overflow"]));
  });

  it("is delivered whatever becomes of the call, so that no service is left waiting", async () => {
    const one = async (task: JobHandler, options?: BackgroundModelOptions, cancel?: boolean) =>
      texts((await result(task, options, cancel)).user.entered);
    expect(await one((run) => answer(run))).toEqual(["The call gave nothing."]);
    const failed: JobHandler = (run) => run.append({ type: "end", outcome: "failed", error: "no such city" });
    expect(await one(failed)).toEqual(["The call failed: no such city"]);
    expect(await one(failed, { sayFailure: "Sorry." })).toEqual(["Sorry."]);
    expect(await one(failed, { sayFailure: () => undefined })).toEqual(["The call failed: no such city"]);
    const half: JobHandler = async (run) => {
      await run.append({ type: "delta", text: "It is" });
      await run.append({ type: "end", outcome: "failed", error: "cut off" });
    };
    expect(await one(half)).toEqual(["It is The call failed: cut off"]);
    const told: JobHandler = async (run) => {
      await run.append({ type: "delta", text: "That did not work: cut off" });
      await run.append({ type: "end", outcome: "failed", error: "cut off" });
    };
    expect(await one(told)).toEqual(["That did not work: cut off"]);
    expect(await one(untilCancelled, {}, true)).toEqual(["The call was cancelled: it is not wanted any more"]);
  });

  it("is replaced by a word that it is too late, once it is stale", async () => {
    const { clock, background, lost } = bench({}, { deliver: { dropIfStaleMs: 500 } });
    const user = await openScripted(background, clock);
    await user.delegate(call);
    await user.turns(8, "hm");
    expect(user.entered.map(({ text, silent, delegation }) => [text, silent, delegation])).toEqual([
      ["The result came too late to be of use.", true, "call-1"],
    ]);
    expect(reasons(lost)).toEqual([["About weather.", "stale"]]);
  });

  it("goes in another session as text that answers no call, as the call is lost with its connection", async () => {
    const { clock, background } = bench();
    const one = background.conversation("user-17");
    const first = await openScripted(one, clock);
    await first.delegate(call);
    await first.session.close();
    const second = await openScripted(one, clock);
    await second.turns(6);
    expect(texts(second.entered)).toEqual(["Result of weather: About weather."]);
    expect(second.entered[0].delegation).not.toBe("call-1");
    expect(second.entered[0].delegation).toBeTypeOf("string");
  });
});

describe("what a tool does, told in the session (rule 6)", () => {
  it("is told without secrets, while the tool gets what it was given", async () => {
    const given: unknown[] = [];
    const clock = new FakeClock();
    const background = backgroundModel({
      clock,
      secrets: ["swordfish"],
      tools: {
        pay: {
          inputSchema: { type: "object" },
          progress: "spoken",
          execute: async (input, { progress }) => {
            given.push(input);
            progress("Paying with swordfish.");
            return { token: "abc", note: "the word is swordfish", ok: true };
          },
        },
      },
    });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "pay", id: "c", name: "pay", arguments: { password: "p4ss", amount: 3 } });
    // The first call brings in a module.
    for (let i = 0; i < 500 && background.running.length > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await user.turns(1);
    }
    expect(given).toEqual([{ password: "p4ss", amount: 3 }]);
    const told = user.told.filter(({ type }) => type !== "background-delta");
    expect(told).toMatchObject([
      { type: "tool-call", name: "pay", state: "running", arguments: { password: "[redacted]", amount: 3 } },
      { type: "tool-progress", text: "Paying with [redacted]." },
      {
        type: "tool-result",
        outcome: "done",
        result: { token: "[redacted]", note: "the word is [redacted]", ok: true },
      },
      { type: "background-end", outcome: "done" },
    ]);
    expect(JSON.stringify([user.told, user.entered])).not.toContain("swordfish");
    await background.close();
  });

  it("is said aloud where its progress is spoken: if it is quiet soon, the last of it, and never into a call", async () => {
    const working: JobHandler = async (run) => {
      for (const text of ["One.", "Two.", "Three."]) {
        await run.append({ type: "progress", call: "c1", text, spoken: true });
      }
      await run.append({ type: "progress", call: "c1", text: "Not this.", spoken: false });
      await untilCancelled(run);
    };
    const said = async (delegation: { task: string; name?: string; id?: string }, loudTurns: number) => {
      const { clock, background } = bench({ work: working });
      const user = await openScripted(background, clock);
      await user.delegate(delegation);
      await user.turns(loudTurns, "hm");
      await user.turns(10);
      expect(user.told.filter(({ type }) => type === "tool-progress")).toHaveLength(4);
      return texts(user.entered);
    };
    expect(await said({ task: "work" }, 0)).toEqual(["One.", "Three."]);
    expect(await said({ task: "work" }, 30)).toEqual(["Three."]);
    expect(await said({ task: "work", id: "c", name: "work" }, 0)).toEqual([]);
  });

  it("takes the place of no answer that waits: that can be taken back however much progress was too old to be said", async () => {
    const runs: JobRun[] = [];
    const working: JobHandler = async (run) => {
      runs.push(run);
      await run.append({ type: "delta", text: "Let me look.\n" });
      await untilCancelled(run);
    };
    const { clock, background, lost } = bench({ work: working });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "work" });
    for (let n = 0; n < 6; n++) {
      await runs[0].append({ type: "progress", call: "c1", text: `Step ${n}.`, spoken: true });
      await user.turns(22, "hm");
    }
    expect(await background.cancel("delegation-0")).toBe(true);
    await user.turns(10);
    expect(texts(user.entered)).toEqual([]);
    expect(reasons(lost)).toEqual([["Let me look.", "cancelled"]]);
  });
});

describe("what goes along with a delegation", () => {
  it("is the conversation with its times, other work under way, and what was seen last", async () => {
    const { clock, background, seen } = bench({ first: untilCancelled });
    const user = await openScripted(background, clock, { speaks: 1 });
    await user.turns(2, "hello");
    for (let i = 0; i < 8; i++) {
      user.session.writeImage({ data: new Uint8Array(3).fill(i), width: 1, height: 1 });
      await user.turns(3);
    }
    await user.delegate({ task: "first" });
    await user.delegate({ task: "second" });
    // Images are written by another thread, in its own time.
    for (let i = 0; i < 200 && seen.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    seen.sort((a, b) => (a.delegation.id < b.delegation.id ? -1 : 1));
    expect(seen.map(({ delegation }) => delegation)).toEqual([
      { id: "delegation-26", task: "first" },
      { id: "delegation-27", task: "second" },
    ]);
    const [, { context, conversation, id }] = seen;
    expect(context.entries).toEqual([{ speaker: "user", text: "hello hello", timeMs: 0 }]);
    expect(context.underWay).toEqual([{ delegation: "delegation-26", task: "first" }]);
    expect(context.images).toHaveLength(4);
    for (const { png } of context.images) expect(Buffer.from(png, "base64").toString("latin1", 1, 4)).toBe("PNG");
    expect(id.startsWith(`${conversation}/`)).toBe(true);
    expect(seen[0].conversation).toBe(conversation);
  });

  it("is bounded", async () => {
    const { clock, background, seen } = bench({}, { contextChars: 300, images: false });
    const user = await openScripted(background, clock, { speaks: 1 });
    for (let i = 0; i < 20; i++) {
      await user.turns(1, `words of the user, number ${i}`);
      void user.session.deliver("fact", "now");
      await user.turns(1);
    }
    user.session.writeImage({ data: new Uint8Array(3), width: 1, height: 1 });
    await user.turns(1);
    await user.delegate({ task: "rome" });
    await user.turns(1);
    const { entries, leftOut, images } = seen[0].context;
    expect(entries.reduce((sum, { text }) => sum + text.length + 24, 0)).toBeLessThanOrEqual(300);
    expect(leftOut).toBeGreaterThan(10);
    expect(images).toEqual([]);
  });
});

describe("options that cannot be", () => {
  it("are refused at once", () => {
    const { jobs } = bench();
    const wrong: BackgroundModelOptions[] = [
      { jobs, deliver: "later" as DeliveryPolicy },
      { jobs, deliver: { dropIfStaleMs: -1 } },
      { jobs, late: {} as DeliveryPolicy },
      { jobs, overlap: "some" as "replace" },
      { jobs, keepMs: -1 },
      { jobs, approvalTimeoutMs: 0 },
      { jobs, maxImages: 17 },
      { jobs, contextChars: 10 },
      { jobs, secrets: ["abc"] },
      {},
    ];
    for (const options of wrong) expect(() => backgroundModel(options), JSON.stringify(options)).toThrow();
    expect(() => backgroundModel({ jobs }).conversation("")).toThrow(TypeError);
    expect(() => backgroundModel({ jobs, tools: {} })).toThrow(/with jobs, tools is the workers' to have/);
    expect(() => backgroundModel({ jobs }).attach(undefined as unknown as DuplexSession, () => {})).toThrow();
  });
});
