// Conversations at random: sessions that end and come back at any moment, work that fails, is cancelled, is slow, and rewinds. Each word of
// each answer enters once, or is accounted for with a reason; nothing hangs, and nothing is left.
// Tests cite the rules of docs/session-rules.md.

import type { DeliveryPolicy } from "@microturn/core";
import { FakeClock, settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { backgroundModel } from "../background-model.js";
import type { JobHandler } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import type { Undelivered } from "./conversation.js";
import { type EnteredText, openScripted, type ScriptedSession } from "./scripted-conversation.js";
import { Seeded } from "./seeded.js";

const policies: readonly DeliveryPolicy[] = ["when-quiet", "when-quiet", "now", "silent", { dropIfStaleMs: 1500 }];

interface Story {
  /** Sentences that each task has logged, by task. */
  readonly said: Map<string, string[]>;
  /** How each work ended, as its worker sees it. */
  readonly done: Map<string, "done" | "failed" | "cancelled">;
}

/** Says a few sentences, each known by its words, with pauses; some fail. */
function randomWork(random: Seeded, clock: FakeClock, story: Story): JobHandler {
  return async (run) => {
    const { task } = run.job.delegation;
    const sentences = Array.from({ length: random.below(5) }, (_, i) => `Part ${i} of ${task}.`);
    const fails = random.next() < 0.15;
    const said: string[] = [];
    story.said.set(task, said);
    let cancelled: "cancelled" | "superseded" | undefined;
    let wake = () => {};
    run.onMessage((message) => {
      if (message.type === "cancel") cancelled = message.outcome;
      wake();
    });
    run.signal.addEventListener("abort", () => wake());
    for (const sentence of sentences) {
      if (random.next() < 0.6) {
        const atMs = clock.now() + random.below(3000);
        await new Promise<void>((resolve) => {
          const stop = clock.setTimer(resolve, atMs);
          wake = () => {
            stop();
            resolve();
          };
          if (cancelled !== undefined || run.signal.aborted) wake();
        });
      }
      if (run.signal.aborted) return;
      if (cancelled !== undefined) break;
      said.push(sentence);
      const at = random.below(sentence.length);
      await run.append({ type: "delta", text: sentence.slice(0, at) });
      await run.append({ type: "delta", text: `${sentence.slice(at)} ` });
    }
    story.done.set(task, cancelled === undefined ? (fails ? "failed" : "done") : "cancelled");
    if (cancelled !== undefined) await run.append({ type: "end", outcome: cancelled });
    else if (fails) await run.append({ type: "end", outcome: "failed", error: "by chance" });
    else await run.append({ type: "end", outcome: "done" });
  };
}

async function play(seed: number) {
  const random = new Seeded(seed);
  const clock = new FakeClock();
  const story: Story = { said: new Map(), done: new Map() };
  const lost: Undelivered[] = [];
  const jobs = localJobs(randomWork(random, clock, story), { clock, attempts: 1 });
  const kept = random.next() < 0.8;
  const rewinds = random.next() < 0.3;
  const policy = random.pick(policies);
  const background = backgroundModel({
    ...{ jobs, clock, deliver: policy, overlap: random.next() < 0.2 ? "replace" : "parallel", keepMs: 6000 },
    ...{ onUndelivered: (one) => void lost.push(one), sayFailure: (error) => `Failed ${error}.` },
  });
  const source = kept ? background.conversation("user") : background;
  const entered: EnteredText[] = [];
  const named = new Set<string>();
  const open: ScriptedSession[] = [];
  const all: ScriptedSession[] = [];
  const openOne = async () => {
    const speaks = random.below(4);
    const one = await openScripted(source, clock, { speaks, ...(rewinds ? { rewindMs: 4000 } : {}) });
    open.push(one);
    all.push(one);
  };
  const end = async (at: number) => {
    const [one] = open.splice(at, 1);
    const start = clock.now();
    await one.session.close();
    expect(clock.now(), "close takes no time").toBe(start);
  };
  let count = 0;
  await openOne();
  for (let step = 0; step < 50; step++) {
    const what = random.next();
    const user = open.length > 0 ? random.pick(open) : undefined;
    if (user === undefined) {
      if (what < 0.5) await openOne();
      else await clock.advance(random.below(4000));
    } else if (what < 0.15) {
      const task = `${seed}-${count++}`;
      const call = random.next() < 0.25;
      if (call) named.add(task);
      await user.delegate({ task, ...(call ? { id: `call-${task}`, name: "f" } : {}) });
    } else if (what < 0.35) await user.turns(1 + random.below(3), "hm");
    else if (what < 0.8) await user.turns(1 + random.below(4));
    else if (what < 0.86) await end(open.indexOf(user));
    else if (what < 0.9 && open.length < 2) await openOne();
    else if (what < 0.94) await background.cancel(background.running[0]?.delegation ?? "none").catch(() => {});
    else if (rewinds && user.session.turnIndex > 0) {
      const turn = Math.max(0, user.session.turnIndex - random.below(8));
      const rewound = user.session.rewind(turn);
      await clock.advance(0);
      await rewound;
    } else await clock.advance(random.below(1000));
  }
  // What is left has time to enter, or is given up at the end.
  if (open.length === 0 && random.next() < 0.7) await openOne();
  const abrupt = random.next() < 0.15;
  for (let i = 0; i < 20 || background.running.length > 0; i++) {
    if (open.length === 0 || abrupt || i > 200) break;
    for (const user of open) await user.turns(1);
  }
  if (abrupt) await background.close();
  while (open.length > 0) await end(0);
  if (random.next() < 0.5) await clock.advance(30_000);
  await background.close();
  await settled();
  // What both had begun with together enters twice, by the rule of the session: the same delivery.
  for (const { entered: texts } of all) {
    entered.push(...texts.filter((one, i) => texts.findIndex(({ delivery }) => delivery === one.delivery) === i));
  }
  entered.sort((a, b) => a.wallMs - b.wallMs);
  return { story, lost, entered, named, background, jobs, clock, rewinds, policy };
}

describe("answers in conversations at random (rules 6, 9 and 10)", () => {
  const total = { entered: 0, lost: 0, works: 0 };
  const reasons = new Set<string>();

  /** Plays a conversation and looks at what became of every sentence in it. */
  async function check(seed: number): Promise<void> {
    const { story, lost, entered, named, background, jobs, clock, rewinds } = await play(seed);
    for (const [task, said] of story.said) {
      total.works++;
      for (const sentence of said) {
        const in_ = entered.filter(({ text }) => text.includes(sentence)).length;
        const out = lost.filter(({ text }) => text.includes(sentence)).length;
        const where = `seed ${seed}: "${sentence}" entered ${in_} times, dropped ${out} times`;
        // A rewind may undo what had entered, of work that it undoes too; then neither counts.
        if (rewinds) expect(in_ + out, where).toBeLessThanOrEqual(1);
        else expect(in_ + out, where).toBe(1);
        total.entered += in_;
        total.lost += out;
      }
      const order = entered.filter(({ text }) => text.includes(` of ${task}.`)).map(({ text }) => text);
      // A piece that the session has stays with it in a rewind, and comes before those that enter again.
      if (!named.has(task) && !rewinds) expect(order, `seed ${seed}: in order`).toEqual([...order].sort());
    }
    for (const { reason } of lost) reasons.add(reason);
    expect(background.running, `seed ${seed}`).toEqual([]);
    await jobs.close();
    await clock.advance(0);
    expect(clock.pending, `seed ${seed}: timers`).toBe(0);
  }

  for (let first = 0; first < 200; first += 50) {
    it(`enter once or are accounted for, and nothing is left, in conversations ${first} to ${first + 49}`, async () => {
      for (let seed = first; seed < first + 50; seed++) await check(seed);
    });
  }

  it("have met everything that can happen to them", () => {
    expect(total.works).toBeGreaterThan(700);
    expect(total.entered).toBeGreaterThan(700);
    expect([...reasons].sort()).toEqual([
      "cancelled",
      "closed",
      "expired",
      "rewind",
      "session-end",
      "stale",
      "superseded",
    ]);
  });
});
