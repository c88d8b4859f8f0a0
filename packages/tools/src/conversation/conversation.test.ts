// Tests cite the rules of docs/session-rules.md.

import type { EngineCapabilities } from "@microturn/core";
import { codeOf, FakeClock, settled } from "@microturn/core/testing";
import { describe, expect, it, vi } from "vitest";
import { backgroundModel } from "../background-model.js";
import type { JobHandler, JobMessage, JobQueue, JobRun } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import type { Undelivered } from "./conversation.js";
import { answer, bench, openScripted, untilCancelled } from "./scripted-conversation.js";

const texts = (entered: readonly { readonly text: string }[]) => entered.map(({ text }) => text);
const reasons = (lost: readonly Undelivered[]) => lost.map(({ text, reason }) => [text, reason]);

/** A job that waits for a test: `go()` lets it answer. */
function held(...words: readonly string[]) {
  const waiting: (() => void)[] = [];
  const messages: JobMessage[] = [];
  const work: JobHandler = async (run: JobRun) => {
    run.onMessage((message) => messages.push(message));
    const cancelled = untilCancelled(run).then(() => "cancelled");
    const first = await Promise.race([cancelled, new Promise<void>((resolve) => waiting.push(resolve))]);
    if (first !== "cancelled") await answer(run, ...words);
  };
  return {
    work,
    messages,
    get running() {
      return waiting.length;
    },
    async go() {
      for (const one of waiting.splice(0)) one();
      await settled();
    },
  };
}

describe("a conversation that outlives its sessions (rule 6)", () => {
  it("brings what had not entered, and what is ready in between, into the next session, in order, each once", async () => {
    const later = held("Later one. ", "Later two.");
    const { clock, background, lost } = bench({
      rome: (run) => answer(run, "Rome one. ", "Rome two."),
      later: later.work,
    });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "later" });
    await first.turns(3);
    await first.delegate({ task: "rome" });
    await first.turns(1);
    expect(texts(first.entered)).toEqual(["Rome one."]);
    await first.session.close();
    await later.go();
    await clock.advance(60_000);
    const second = await openScripted(user, clock);
    await second.turns(12);
    expect(texts(second.entered)).toEqual(["Rome two.", "Later one.", "Later two."]);
    expect(lost).toEqual([]);
    const third = await openScripted(user, clock);
    await third.turns(12);
    expect(third.entered).toEqual([]);
  });

  it("tells in the next session what happened while none was there, under a name that it cannot have given itself", async () => {
    const later = held("Done.");
    const { clock, background } = bench({ later: later.work });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "later" });
    await first.session.close();
    await later.go();
    const second = await openScripted(user, clock);
    // Its own first delegation has the name that the one before had.
    await second.delegate({ task: "own" });
    await second.turns(8);
    const names = second.told.map(({ type, delegation }) => [type, delegation]);
    const early = names[0][1];
    expect(early).toMatch(/^user-17\/.*\/delegation-0$/);
    expect(names).toEqual([
      ["background-delta", early],
      ["background-end", early],
      ["background-delta", "delegation-0"],
      ["background-end", "delegation-0"],
    ]);
    expect(second.entered.map(({ text, delegation }) => [text, delegation])).toEqual([
      ["Done.", early],
      ["About own.", "delegation-0"],
    ]);
  });

  it("drops what is too old by then, by the time that has really passed; or goes by the policy for late results", async () => {
    for (const [late, entered] of [
      [undefined, []],
      ["now" as const, ["About rome."]],
      [{ dropIfStaleMs: 60_000 }, ["About rome."]],
    ] as const) {
      const { clock, background, lost } = bench({}, { deliver: { dropIfStaleMs: 5000 }, late });
      const user = background.conversation("user-17");
      const first = await openScripted(user, clock);
      await first.delegate({ task: "rome" });
      await first.session.close();
      await clock.advance(10_000);
      const second = await openScripted(user, clock);
      await second.turns(6);
      expect(texts(second.entered)).toEqual(entered);
      expect(reasons(lost)).toEqual(entered.length === 0 ? [["About rome.", "stale"]] : []);
    }
  });

  it("waits for its next session as long as it was told, then ends its work and forgets what it kept", async () => {
    const later = held("Never said.");
    const { clock, background, lost } = bench({ later: later.work }, { keepMs: 30_000 });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "later" });
    await first.delegate({ task: "rome" });
    await first.session.close();
    await clock.advance(29_999);
    expect(background.running).toHaveLength(1);
    await clock.advance(2);
    expect(background.running).toEqual([]);
    expect(later.messages).toEqual([{ type: "cancel", outcome: "cancelled", reason: "the user has not come back" }]);
    expect(reasons(lost)).toEqual([["About rome.", "expired"]]);
    const second = await openScripted(user, clock);
    await second.turns(8);
    expect([second.entered, second.told]).toEqual([[], []]);
  });

  it("keeps what is asked for while the end of what it had forgotten is still being told", async () => {
    const work = held("Never said.");
    const { clock, jobs } = bench({ first: work.work, second: work.work });
    // A queue that cannot be reached: workers are told for 2 s, and then not any more.
    const stuck: JobQueue = {
      submit: (job) => jobs.submit(job),
      follow: (id, options) => jobs.follow(id, options),
      send: () => new Promise(() => {}),
      close: () => jobs.close(),
    };
    const background = backgroundModel({ jobs: stuck, clock, keepMs: 1000 });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "first" });
    await first.session.close();
    await clock.advance(1001);
    const second = await openScripted(user, clock);
    await second.delegate({ task: "second" });
    await clock.advance(3000);
    expect(background.running.map(({ task }) => task)).toEqual(["second"]);
  });

  it("tells nothing of work that ended after it was forgotten", async () => {
    const { clock, jobs } = bench();
    // A queue that is slow to take a job.
    const slow: JobQueue = {
      submit: async (job) => {
        await new Promise<void>((resolve) => clock.setTimer(resolve, clock.now() + 1000));
        await jobs.submit(job);
      },
      follow: (id, options) => jobs.follow(id, options),
      send: (id, message) => jobs.send(id, message),
      close: () => jobs.close(),
    };
    const background = backgroundModel({ jobs: slow, clock, keepMs: 100 });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "rome" });
    await first.session.close();
    await clock.advance(101);
    await clock.advance(3000);
    const second = await openScripted(user, clock);
    await second.turns(8);
    expect([second.entered, second.told]).toEqual([[], []]);
  });

  it("gives the results to the session that came last, and those of functions to the one that called them", async () => {
    const slow = held("Slow.");
    const call = held("Called.");
    const { clock, background } = bench({ slow: slow.work, call: call.work });
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "slow" });
    await first.delegate({ task: "call", id: "c", name: "f" });
    const second = await openScripted(user, clock);
    await slow.go();
    await call.go();
    await first.turns(5);
    await second.turns(5);
    expect([texts(first.entered), texts(second.entered)]).toEqual([["Called."], ["Slow."]]);
    // The one that is left takes what comes.
    await second.delegate({ task: "slow" });
    await second.session.close();
    await slow.go();
    await first.turns(5);
    expect(texts(first.entered)).toEqual(["Called.", "Slow."]);
  });

  it("gives work what was said and seen in the sessions before, on one clock, each word once", async () => {
    const { clock, background, seen } = bench();
    const user = background.conversation("user-17");
    const sees: Partial<EngineCapabilities> = { inputs: ["audio", "text", "video"] };
    const pixel = { data: new Uint8Array(3), width: 1, height: 1 };
    const first = await openScripted(user, clock, { capabilities: sees });
    first.session.writeImage(pixel);
    await first.turns(2, "where was I born");
    await first.delegate({ task: "rome" });
    // An image is written in the time of the machine.
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await first.turns(8);
    const snapshot = await first.session.snapshot();
    await first.session.close();
    await clock.advance(60_000);
    const second = await openScripted(user, clock, { capabilities: sees });
    second.session.writeImage(pixel);
    await second.turns(1, "and when");
    await second.delegate({ task: "rome" });
    await vi.waitFor(() => expect(seen).toHaveLength(2));
    const said = [
      { speaker: "user", text: "where was I born where was I born", timeMs: 0 },
      { speaker: "background", text: "About rome.", timeMs: 200 * (first.entered[0]?.turn ?? 0) },
    ];
    const context = seen[1].context;
    expect(context.entries).toEqual([...said, { speaker: "user", text: "and when", timeMs: 62_200 }]);
    expect(context.leftOut).toBe(0);
    expect(context.images.map(({ timeMs }) => timeMs)).toEqual([0, 62_200]);
    await second.session.close();
    // One that goes on from where the first had got knows its words, and does not tell them again.
    const third = await openScripted(user, clock, { capabilities: sees, from: snapshot });
    await third.turns(1, "who knows");
    await third.delegate({ task: "rome" });
    await vi.waitFor(() => expect(seen).toHaveLength(3));
    expect(seen[2].context.entries.map(({ text }) => text)).toEqual([
      ...said.map(({ text }) => text),
      ...["and when", "who knows"],
    ]);
  });

  it("tells what was said in two sessions at once in the order of its time, whichever ends first", async () => {
    const { clock, background, seen } = bench();
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.turns(1, "one");
    const second = await openScripted(user, clock);
    await second.turns(1, "two");
    await second.session.close();
    await first.delegate({ task: "rome" });
    await first.turns(8);
    expect(seen[0].context.entries.map(({ text }) => text)).toEqual(["one", "two"]);
    await first.session.close();
    const third = await openScripted(user, clock);
    await third.delegate({ task: "rome" });
    expect(seen[1].context.entries.map(({ text }) => text)).toEqual(["one", "two", "About rome."]);
  });

  it("tells what a session and its fork have in common once", async () => {
    const { clock, background, seen } = bench();
    const first = await openScripted(background.conversation("user-17"), clock);
    await first.turns(1, "one");
    const fork = await first.session.fork();
    await first.turns(1, "two");
    await first.delegate({ task: "rome" });
    expect(seen[0].context.entries.map(({ text }) => text)).toEqual(["one two"]);
    await fork.close();
  });

  it("gives work what tools have found before, in all sessions, but not what a rewind took back", async () => {
    const weather = (city: string, result: object, outcome: "done" | "failed" = "done"): JobHandler => {
      const call = { call: `${city}.1`, name: "weather" } as const;
      return async (run) => {
        const given = { key: city, arguments: { city }, state: "running", irreversible: false, attempt: 1 } as const;
        await run.append({ type: "call", ...call, ...given });
        await run.append({ type: "result", ...call, outcome, ...result });
        await answer(run, "Fine.");
      };
    };
    const { clock, background, seen } = bench(
      {
        rome: weather("Rome", { result: { degrees: 20, password: "p4ss" } }),
        oslo: weather("Oslo", { error: "no station" }, "failed"),
        long: weather("Lima", { result: "x".repeat(20_000) }),
      },
      { contextChars: 3000 },
    );
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock, { rewindMs: 10_000 });
    await first.delegate({ task: "rome" });
    await first.turns(2);
    const border = first.session.turnIndex;
    await first.delegate({ task: "oslo" });
    await first.turns(2);
    await first.delegate({ task: "nothing" });
    expect(seen[0].context.results).toBeUndefined();
    const rome = `{"tool":"weather","arguments":{"city":"Rome"},"outcome":"done","result":{"degrees":20,"password":"p4ss"}}`;
    const oslo = `{"tool":"weather","arguments":{"city":"Oslo"},"outcome":"failed","error":"no station"}`;
    expect(seen[2].context.results).toEqual([
      { json: rome, timeMs: 200 },
      { json: oslo, timeMs: 200 * (border + 1) },
    ]);
    await first.session.rewind(border);
    await first.session.close();
    const second = await openScripted(user, clock);
    await second.delegate({ task: "long" });
    expect(seen[3].context.results?.map(({ json }) => json)).toEqual([rome]);
    await second.turns(2);
    await second.delegate({ task: "nothing" });
    const found = seen[4].context.results?.map(({ json }) => json) ?? [];
    expect(found).toEqual([rome, expect.stringMatching(/^\{"tool":"weather","arguments":\{"city":"Lima"\}.*…x+"\}$/)]);
    expect(found[1]).toHaveLength(500 - 24);
    // A third of the conversation's bound: what is older goes.
    await second.turns(2);
    await second.delegate({ task: "long" });
    await second.turns(2);
    await second.delegate({ task: "nothing" });
    expect(seen[6].context.results?.map(({ json }) => json)).toEqual([found[1], found[1]]);
  });

  it("keeps what tools have found where nothing was said, as long as what was said", async () => {
    const { clock, background, seen } = bench(
      {
        async rome(run) {
          await run.append({ type: "result", call: "a.1", name: "weather", outcome: "done", result: 20 });
          await untilCancelled(run);
        },
      },
      { keepMs: 10_000 },
    );
    const user = background.conversation("user-17");
    const first = await openScripted(user, clock);
    await first.delegate({ task: "rome" });
    await background.cancel("delegation-0");
    await first.session.close();
    for (const [awayMs, found] of [
      [9000, 1],
      [11_000, undefined],
    ] as const) {
      await clock.advance(awayMs);
      const next = await openScripted(user, clock);
      await next.delegate({ task: "nothing" });
      expect([seen.at(-1)?.context.entries, seen.at(-1)?.context.results?.length]).toEqual([[], found]);
      await background.cancel(`delegation-${next.session.turnIndex - 1}`);
      await next.session.close();
    }
  });

  it("tells when something was found on the clock of what was said, also after a rewind", async () => {
    const { clock, background, seen } = bench({
      async rome(run) {
        await run.append({ type: "result", call: "a.1", name: "weather", outcome: "done", result: 20 });
        await answer(run, "Fine.");
      },
    });
    const { session, turns, delegate } = await openScripted(background, clock, { rewindMs: 10_000 });
    await turns(10, "hello");
    await session.rewind(3);
    await delegate({ task: "rome" });
    await turns(8);
    await turns(1, "thanks");
    await delegate({ task: "nothing" });
    const { entries, results = [] } = seen[1].context;
    expect(results[0].timeMs).toBe(session.timeMs - 200 * 10);
    expect(results[0].timeMs).toBeLessThan(entries.at(-1)?.timeMs ?? 0);
  });

  it("has one bound for all sessions, and counts what is left out of each", async () => {
    const { clock, background, seen } = bench({}, { contextChars: 256 });
    const user = background.conversation("user-17");
    for (let n = 0; n < 4; n++) {
      const { session, turns, delegate } = await openScripted(user, clock);
      await turns(1, `what was said in session ${n}, some sixty characters of it, no more`);
      await delegate({ task: `task ${n}` });
      await turns(8);
      await session.close();
    }
    const { entries, leftOut } = seen[3].context;
    expect(entries.map(({ text }) => text.slice(0, 26))).toEqual([
      ...["what was said in session 0", "About task 0.", "About task 2.", "what was said in session 3"],
    ]);
    expect(leftOut).toBe(3);
  });

  it("forgets what was said when nobody comes back in time, without a timer", async () => {
    const { clock, background, seen } = bench({}, { keepMs: 5000 });
    for (const user of ["user-17", "user-18"]) {
      const { session, turns } = await openScripted(background.conversation(user), clock);
      await turns(1, "hello");
      await session.close();
    }
    expect(clock.pending).toBe(0);
    await clock.advance(5000);
    const { turns, delegate } = await openScripted(background.conversation("user-17"), clock);
    await turns(1, "who am I");
    await delegate({ task: "rome" });
    expect(seen[0].context.entries).toEqual([{ speaker: "user", text: "who am I", timeMs: 0 }]);
  });

  it("ends with its session where it has no name", async () => {
    const later = held("Never said.");
    const { clock, background, lost } = bench({ later: later.work });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "later" });
    await user.delegate({ task: "rome" });
    await user.session.close();
    expect(background.running).toEqual([]);
    expect(later.messages).toEqual([{ type: "cancel", outcome: "cancelled", reason: "the session has ended" }]);
    expect(reasons(lost)).toEqual([["About rome.", "session-end"]]);
  });

  it("keeps no timer and no conversation that has nothing left to do", async () => {
    const { clock, background } = bench();
    const user = await openScripted(background.conversation("user-17"), clock);
    await user.delegate({ task: "rome" });
    await user.turns(8);
    await user.session.close();
    await settled();
    expect(clock.pending).toBe(0);
  });
});

describe("a rewind (rule 10)", () => {
  it("undoes delegations after its border: their work is cancelled and their words are dropped", async () => {
    const later = held("Never said.");
    const { clock, background, lost } = bench({ later: later.work });
    const user = await openScripted(background, clock, { rewindMs: 10_000 });
    await user.turns(5, "hm");
    await user.delegate({ task: "later" });
    await user.delegate({ task: "rome" });
    await user.turns(1, "hm");
    const rewound = user.session.rewind(5);
    await clock.advance(0);
    await rewound;
    expect(later.messages).toHaveLength(1);
    expect(background.running).toEqual([]);
    await user.turns(1);
    const ends = user.told.filter(({ type }) => type === "background-end");
    expect(ends).toEqual([
      { type: "background-end", delegation: "delegation-6", outcome: "done" },
      {
        ...{ type: "background-end", delegation: "delegation-5", outcome: "cancelled" },
        error: "the session went back to before it",
      },
    ]);
    expect(reasons(lost)).toEqual([["About rome.", "rewind"]]);
    // The same names come again, for other work.
    await user.delegate({ task: "new" });
    await user.turns(8);
    expect(texts(user.entered)).toEqual(["About new."]);
  });

  it("takes back the words that still wait", async () => {
    const { clock, background, lost } = bench({ rome: (run) => answer(run, "One. ", "Two. ", "Three.") });
    const user = await openScripted(background, clock, { rewindMs: 10_000 });
    await user.turns(5, "hm");
    await user.delegate({ task: "rome" });
    await user.turns(1, "hm");
    const rewound = user.session.rewind(5);
    await clock.advance(0);
    await rewound;
    await settled();
    expect(reasons(lost)).toEqual([
      ["Two.", "rewind"],
      ["Three.", "rewind"],
      ["One.", "rewind"],
    ]);
  });

  it("makes what entered after its border enter again, as for the model it never did", async () => {
    const { clock, background } = bench({ rome: (run) => answer(run, "One. ", "Two. ", "Three.") });
    const user = await openScripted(background, clock, { rewindMs: 10_000 });
    await user.delegate({ task: "rome" });
    await user.turns(10);
    expect(user.entered.map(({ text, turn }) => [text, turn])).toEqual([
      ["One.", 3],
      ["Two.", 4],
      ["Three.", 5],
    ]);
    const rewound = user.session.rewind(4);
    await clock.advance(0);
    await rewound;
    expect(texts(user.entered)).toEqual(["One."]);
    await user.turns(10);
    expect(texts(user.entered)).toEqual(["One.", "Two.", "Three."]);
  });

  it("keeps the order, also where the next words wait in the session", async () => {
    const { clock, background, lost } = bench({ rome: (run) => answer(run, "One. ", "Two. ", "Three.") });
    const user = await openScripted(background, clock, { rewindMs: 10_000 });
    await user.delegate({ task: "rome" });
    await user.turns(3);
    await user.turns(3, "hm");
    expect(texts(user.entered)).toEqual(["One.", "Two."]);
    const rewound = user.session.rewind(3);
    await clock.advance(0);
    await rewound;
    expect(texts(user.entered)).toEqual([]);
    await user.turns(12);
    expect(texts(user.entered)).toEqual(["One.", "Two.", "Three."]);
    expect(lost).toEqual([]);
  });
});

describe("work that later work replaces", () => {
  it("is given up when the background is told to replace, with what of its answer still waits", async () => {
    const slow = held("Never said.");
    const { clock, background, lost } = bench({ slow: slow.work }, { overlap: "replace" });
    const user = await openScripted(background, clock);
    await user.turns(1, "hm");
    await user.delegate({ task: "slow" });
    await user.delegate({ task: "paris" });
    await user.delegate({ task: "call", id: "c", name: "f" });
    await user.delegate({ task: "rome" });
    await user.turns(8);
    expect(slow.messages).toMatchObject([{ type: "cancel", outcome: "superseded" }]);
    expect(user.told).toContainEqual({
      ...{ type: "background-end", delegation: "delegation-1", outcome: "superseded" },
      error: "other work took its place",
    });
    // One piece of the answer about Paris was with the session already.
    expect(texts(user.entered)).toEqual(["About paris.", "About call.", "About rome."]);
    expect(lost).toEqual([]);
  });

  it("goes on beside it otherwise, unless the model itself ends it", async () => {
    const slow = held("Slow.");
    const other = held("Other.");
    const drops: JobHandler = async (run) => {
      const [{ delegation }] = run.job.context.underWay;
      const call = { call: "c1", name: "drop_earlier_work", irreversible: false, attempt: 1 };
      await run.append({ type: "call", key: "c1", ...call, arguments: { delegation }, state: "running" });
      await run.append({
        type: "result",
        call: "c1",
        name: call.name,
        outcome: "done",
        result: { dropped: delegation },
      });
      await answer(run, "About Rome instead.");
    };
    const { clock, background, lost } = bench({ slow: slow.work, other: other.work, drops });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "slow" });
    await user.delegate({ task: "other" });
    await user.delegate({ task: "drops" });
    await user.turns(8);
    expect(slow.messages).toMatchObject([{ type: "cancel", outcome: "superseded" }]);
    expect(other.messages).toEqual([]);
    await other.go();
    await user.turns(5);
    expect(texts(user.entered)).toEqual(["About Rome instead.", "Other."]);
    expect(lost).toEqual([]);
  });

  it("takes back all that has not entered, when it is cancelled, and tells what that was", async () => {
    const { clock, background, lost } = bench({ rome: (run) => answer(run, "One. ", "Two. ", "Three.") });
    const user = await openScripted(background, clock);
    await user.turns(1, "hm");
    await user.delegate({ task: "rome" });
    expect(await background.cancel("delegation-1")).toBe(true);
    expect(await background.cancel("delegation-9")).toBe(false);
    await user.turns(8);
    expect(reasons(lost)).toEqual([
      ["Two.", "cancelled"],
      ["Three.", "cancelled"],
      ["One.", "cancelled"],
    ]);
    expect(texts(user.entered)).toEqual([]);
    const told = user.told.flatMap((one) => (one.type === "background-drop" ? [[one.text, one.reason]] : []));
    expect(told).toEqual(reasons(lost));
  });

  it("leaves no secret in a trace, whoever called the function", async () => {
    const { clock, background } = bench({ login: (run) => answer(run, '{"password": "swordfish", "user": "ann"}') });
    const user = await openScripted(background, clock, { trace: true });
    const given = { password: "swordfish", user: "ann" };
    await user.delegate({ task: "login", id: "call-1", name: "login", arguments: given });
    await user.turns(6);
    expect(texts(user.entered)).toEqual(['{"password": "swordfish", "user": "ann"}']);
    const trace = JSON.stringify(user.session.trace().turns);
    expect(trace).not.toContain("swordfish");
    expect(trace).toContain("ann");
  });

  it("ends when the service takes its call back, and gives it no result", async () => {
    const slow = held("Never said.");
    const { clock, background, lost } = bench({ slow: slow.work });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "slow", id: "call-1", name: "slow" });
    await user.callOff("call-9");
    expect(background.running).toHaveLength(1);
    await user.callOff("call-1");
    await user.turns(8);
    expect(slow.messages).toEqual([{ type: "cancel", outcome: "cancelled", reason: "the call was taken back" }]);
    expect(background.running).toEqual([]);
    expect(texts(user.entered)).toEqual([]);
    expect(reasons(lost)).toEqual([]);
  });

  it("tells the service that its call was cancelled, also when the result was there and waited", async () => {
    const { clock, background, lost } = bench({ rome: (run) => answer(run, "Sunny.") });
    const user = await openScripted(background, clock);
    await user.turns(1, "hm");
    await user.delegate({ task: "rome", id: "call-1", name: "weather" });
    expect(background.running).toEqual([]);
    expect(await background.cancel("call-1")).toBe(true);
    await user.turns(8);
    expect(reasons(lost)).toEqual([["Sunny.", "cancelled"]]);
    expect(user.entered.map(({ text, silent, delegation }) => [text, silent, delegation])).toEqual([
      ["The call was cancelled.", true, "call-1"],
    ]);
  });

  it("tells it nothing when it took the call back itself", async () => {
    const { clock, background, lost } = bench({ rome: (run) => answer(run, "Sunny.") });
    const user = await openScripted(background, clock);
    await user.turns(1, "hm");
    await user.delegate({ task: "rome", id: "call-1", name: "weather" });
    await user.callOff("call-1");
    await user.turns(8);
    expect(reasons(lost)).toEqual([["Sunny.", "cancelled"]]);
    expect(texts(user.entered)).toEqual([]);
  });

  it("is told apart by its conversation or its session where several have the same name", async () => {
    const slow = held("Slow.");
    const { clock, background } = bench({ slow: slow.work });
    const [one, two] = [await openScripted(background, clock), await openScripted(background.conversation("b"), clock)];
    await one.delegate({ task: "slow" });
    await two.delegate({ task: "slow" });
    expect(background.running.map(({ task, delegation }) => [task, delegation])).toEqual([
      ["slow", "delegation-0"],
      ["slow", "delegation-0"],
    ]);
    await expect(background.cancel("delegation-0")).rejects.toThrow(TypeError);
    expect(await background.cancel("delegation-0", { conversation: "b" })).toBe(true);
    expect(await background.cancel("delegation-0", { session: one.session })).toBe(true);
    await settled();
    expect(background.running).toEqual([]);
  });

  it("is refused when too much is under way, and a call of a function is told so", async () => {
    const slow = held("Slow.");
    const { clock, background } = bench({ slow: slow.work }, { deliver: "now" });
    const user = await openScripted(background, clock);
    for (let i = 0; i < 64; i++) await user.delegate({ task: "slow" });
    await user.delegate({ task: "slow", id: "c", name: "f" });
    await user.turns(2);
    expect(user.told.at(-1)).toMatchObject({ type: "background-end", delegation: "c", outcome: "failed" });
    expect(user.entered).toMatchObject([{ delegation: "c", text: expect.stringContaining("more than 64") }]);
    expect(background.running).toHaveLength(64);
  });
});

describe("a background that is closed", () => {
  it("leaves nothing running, and sessions go on without it", async () => {
    const clock = new FakeClock();
    const running = new Set<JobRun>();
    const jobs = localJobs(
      async (run) => {
        running.add(run);
        await untilCancelled(run);
        running.delete(run);
      },
      { clock },
    );
    const lost: Undelivered[] = [];
    const background = backgroundModel({ jobs, clock, onUndelivered: (one) => lost.push(one) });
    const one = await openScripted(background, clock);
    const two = await openScripted(background.conversation("user-17"), clock);
    await one.delegate({ task: "a" });
    await two.delegate({ task: "b" });
    await two.session.close();
    expect(running.size).toBe(2);
    await Promise.all([background.close(), background.close()]);
    await settled();
    expect(running.size).toBe(0);
    expect(background.running).toEqual([]);
    await one.turns(2);
    expect(one.session.closed).toBe(false);
    await one.session.close();
    await jobs.close();
    expect(clock.pending).toBe(0);
    expect(await codeOf(background.load?.({ signal: new AbortController().signal }) ?? Promise.resolve())).toBe(
      "SESSION_CLOSED",
    );
    await expect(openScripted(background, clock)).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  });

  it("is not held up by workers that cannot be told", async () => {
    const clock = new FakeClock();
    const background = backgroundModel({
      clock,
      jobs: {
        submit: async () => {},
        async *follow() {
          await new Promise(() => {});
        },
        send: () => new Promise(() => {}),
        close: async () => {},
      },
    });
    const user = await openScripted(background, clock);
    await user.delegate({ task: "a" });
    const start = clock.now();
    const closed = user.session.close().then(() => clock.now() - start);
    await clock.advance(10_000);
    expect(await closed).toBe(2000);
    await background.close();
  });
});
