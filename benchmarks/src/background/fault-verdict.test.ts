// The verdict on runs with faults: one that went well has no problem, and whatever is taken out of it or added is found.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobEvent } from "@microturn/tools";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { faultPlan } from "./fault-plan.js";
import { playFaultRun } from "./fault-run.js";
import { Ledger } from "./fault-tools.js";
import { judge, type RunRecord } from "./fault-verdict.js";
import { fakeWorld } from "./fault-worlds.js";

const folder = mkdtempSync(join(tmpdir(), "microturn-verdict-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;

/** A run in which an irreversible tool ran, a reversible one failed, and words entered. */
async function play(name = "throws-1"): Promise<RunRecord> {
  const world = fakeWorld(faultPlan(name), new Ledger(join(folder, String(count++))));
  const record = await playFaultRun(faultPlan(name), world);
  expect(await world.close()).toBeUndefined();
  return record;
}

describe("the verdict on a run", () => {
  let record: RunRecord;
  let problems: () => string[];

  beforeEach(async () => {
    record = await play();
    expect(record.problems).toEqual([]);
    problems = () => {
      judge(record);
      return record.problems.map(({ type }) => type);
    };
  });

  /** Changes the first log that has such an event. */
  function change(type: JobEvent["type"], edit: (log: JobEvent[], at: number) => void): void {
    for (const log of record.logs.values()) {
      const at = log.findIndex((event) => event.type === type);
      if (at < 0) continue;
      edit(log, at);
      return;
    }
    throw new Error(`there is no ${type} in the logs`);
  }

  it("has no problem with one that went well, and the same again", () => {
    expect(problems()).toEqual([]);
  });

  it("misses a result", () => {
    change("result", (log, at) => void log.splice(at, 1));
    expect(problems()).toContain("lost");
  });

  it("sees that a call has two results", () => {
    change("result", (log, at) => void log.splice(at, 0, log[at] as JobEvent));
    expect(problems()).toContain("lost");
  });

  it("misses a word of the model", () => {
    change("delta", (log, at) => void log.splice(at, 1));
    expect(problems()).toContain("lost");
  });

  it("misses the end of a job", () => {
    change("end", (log, at) => void log.splice(at, 1));
    expect(problems()).toContain("lost");
  });

  it("misses a sentence that did not enter", () => {
    const at = record.entered.findIndex(({ input }) => input.text.startsWith("Found"));
    record.entered.splice(at, 1);
    expect(problems()).toContain("lost");
  });

  it("takes one that did not enter if there is a reason", () => {
    const at = record.entered.findIndex(({ input }) => input.text.startsWith("Found"));
    const [{ input }] = record.entered.splice(at, 1);
    const { text, delegation = "" } = input;
    record.undelivered.push({ conversation: "", delegation, text, reason: "stale" });
    expect(problems()).toEqual([]);
  });

  it("sees that a sentence entered twice", () => {
    const entered = record.entered.find(({ input }) => input.text.startsWith("Found"));
    if (entered === undefined) throw new Error("nothing has entered");
    record.entered.push({ ...entered, input: { ...entered.input, delivery: 1000 } });
    expect(problems()).toContain("lost");
  });

  it("misses that an end was told", () => {
    const at = record.told.findIndex(({ type }) => type === "background-end");
    record.told.splice(at, 1);
    expect(problems()).toContain("lost");
  });

  it("sees that an irreversible call ran twice", () => {
    const [first] = record.executions;
    if (first === undefined) throw new Error("nothing irreversible ran");
    record.executions = [...record.executions, first];
    expect(problems()).toContain("twice");
  });

  it("sees that an irreversible call that is done never ran", () => {
    record.executions = [];
    expect(problems()).toContain("other");
  });
});

describe("a run", () => {
  it("is the same each time, by its name", () => {
    expect(faultPlan("mixed-7")).toEqual(faultPlan("mixed-7"));
    expect(faultPlan("mixed-7")).not.toEqual(faultPlan("mixed-8"));
    expect(() => faultPlan("floods-1")).toThrow(/kinds are throws, hangs/);
  });

  it("shows when the conversation does not go on", async () => {
    const plan = faultPlan("throws-2");
    const world = fakeWorld(plan, new Ledger(join(folder, String(count++))));
    let turns = 0;
    const stopped = await playFaultRun(plan, {
      ...world,
      maxTurns: 60,
      turn: async (session, speaks) => {
        if (++turns <= 20) await world.turn(session, speaks);
      },
    });
    await world.close();
    expect(stopped.problems.map(({ type }) => type)).toContain("stopped");
  });
});
