import type { BackgroundActivity, Delegation, TextInput, TraceTurn } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { backgroundOf } from "./background-from-trace.js";
import type { BackgroundView } from "./background-view.js";

interface Row {
  readonly told?: readonly BackgroundActivity[];
  readonly text?: readonly Partial<TextInput>[];
  readonly delegation?: Delegation;
}

/** Rows of a trace with nothing but the background in them. */
function rows(count: number, given: Readonly<Record<number, Row>>): TraceTurn[] {
  return Array.from({ length: count }, (_, index) => {
    const { told, text = [], delegation } = given[index] ?? {};
    return {
      ...{ index, startMs: index * 200 },
      input: {
        ...{ paddedSamples: 0, images: [], forceListen: false },
        text: text.map((piece) => ({ source: "background", text: "", ...piece })),
      },
      output: {
        ...{ decision: "listen", text: "", heard: "", yielded: false, skipped: false, fence: 0, speechFingerprint: "" },
        ...(delegation === undefined ? {} : { delegation }),
      },
      timing: {
        ...{ encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0, stepTurns: 1, stepMs: 0, sessionMs: 0, slackMs: 0 },
        late: false,
      },
      ...(told === undefined ? {} : { background: told }),
    };
  });
}

function view(count: number, given: Readonly<Record<number, Row>>): BackgroundView {
  const background = backgroundOf(rows(count, given), 200);
  if (background === undefined) throw new Error("the trace knows of no background");
  return background;
}

const call = { delegation: "d", call: "c", name: "f" };
const starts = { type: "tool-call", ...call, arguments: { a: 1 }, irreversible: false, attempt: 1 } as const;
const delta = (text: string, delegation = "d"): BackgroundActivity => ({ type: "background-delta", delegation, text });

describe("the background of a trace", () => {
  it("is absent where delegations have no names and nothing was told", () => {
    expect(backgroundOf(rows(3, { 1: { delegation: { task: "t" }, text: [{ text: "r" }] } }), 200)).toBeUndefined();
  });

  it("has work from its delegation to its end, and calls with their states", () => {
    const { works, turns, left } = view(12, {
      1: { delegation: { task: "t", id: "d", name: "n", arguments: [1] } },
      3: { told: [{ ...starts, state: "queued" }] },
      5: {
        told: [
          { ...starts, state: "running" },
          { type: "tool-progress", ...call, text: "half" },
        ],
      },
      8: { told: [{ type: "tool-result", ...call, outcome: "done", result: 7 }] },
      9: { told: [{ type: "background-end", delegation: "d", outcome: "failed", error: "tired" }] },
    });
    expect(works).toHaveLength(1);
    expect(works[0]).toMatchObject({
      ...{ task: "t", name: "n", arguments: [1], known: true, outcome: "failed", error: "tired" },
      ...{ start: { turn: 1, timeMs: 300 }, end: { turn: 9 }, last: { turn: 9 } },
    });
    expect(works[0].calls).toMatchObject([
      {
        ...{ name: "f", arguments: { a: 1 }, outcome: "done", result: 7, start: { turn: 3 }, end: { turn: 8 } },
        phases: [
          { state: "queued", turn: 3 },
          { state: "running", turn: 5 },
        ],
        progress: [{ turn: 5, text: "half" }],
      },
    ]);
    expect([turns, left]).toEqual([[1, 3, 5, 8, 9], 0]);
  });

  it("keeps the order within a micro-turn, and all of it before what enters there", () => {
    const { works } = view(4, {
      0: { delegation: { task: "t", id: "d" } },
      2: { told: [delta("a"), delta("b")], text: [{ text: "ab", delegation: "d", delivery: 1 }] },
    });
    const [first, second] = works[0].deltas.map(({ timeMs }) => timeMs);
    expect(first).toBeGreaterThan(400);
    expect(second).toBeGreaterThan(first);
    expect(works[0].entries[0]).toMatchObject({ turn: 2, timeMs: 500, told: { turn: 2, timeMs: second } });
  });

  it("finds when the words of an entry were told, however they were put together", () => {
    const { works } = view(20, {
      0: { delegation: { task: "t", id: "d" } },
      2: { told: [delta("It rains ")] },
      4: { told: [delta("in Rome. Take")] },
      6: { told: [delta(" a coat.")] },
      9: { text: [{ text: "It rains in Rome.", delegation: "d", delivery: 1 }] },
      12: { text: [{ text: "never told", delegation: "d", delivery: 2 }] },
      13: { text: [{ text: "Take a coat.", delegation: "d", delivery: 3, silent: true }] },
      16: { text: [{ text: "It rains in Rome.", delegation: "d", delivery: 1 }] },
    });
    expect(works[0].entries.map(({ turn, told, silent }) => [turn, told?.turn, silent])).toEqual([
      [9, 4, false],
      [12, undefined, false],
      [13, 6, true],
      // It enters again: its words were told when they were told.
      [16, 4, false],
    ]);
  });

  it("takes an entry for the end of work of which no background tells, by its name or else the oldest", () => {
    const { works, loose } = view(9, {
      0: { delegation: { task: "one", id: "1" } },
      1: { delegation: { task: "two", id: "2" } },
      3: { text: [{ text: "second", delegation: "2" }] },
      5: { text: [{ text: "first" }] },
      7: { text: [{ text: "nobody asked" }] },
    });
    expect(works.map(({ outcome, end }) => [outcome, end.turn])).toEqual([
      ["answered", 5],
      ["answered", 3],
    ]);
    expect(loose.map(({ text }) => text)).toEqual(["nobody asked"]);
  });

  it("leaves what has no end open until the end of the recording", () => {
    const { works } = view(6, {
      1: { delegation: { task: "t", id: "d" } },
      2: { told: [{ ...starts, state: "running" }] },
      3: { text: [{ text: "r", delegation: "d" }] },
    });
    expect(works[0]).toMatchObject({ outcome: "open", end: { timeMs: 1200 } });
    expect(works[0].calls[0].outcome).toBeUndefined();
    expect(works[0].calls[0].end.timeMs).toBe(1200);
  });

  it("shows results without a call, calls that begin again after their result, and work that nobody delegated", () => {
    const result = { type: "tool-result", ...call, outcome: "cancelled", error: "e" } as const;
    const { works, left } = view(6, {
      1: { told: [result, result, { ...starts, state: "running" }, result] },
      2: { told: [{ type: "tool-progress", delegation: "d", call: "x", text: "p" }] },
    });
    expect(works).toMatchObject([{ id: "d", task: "", known: false, outcome: "open" }]);
    expect(works[0].calls.map(({ id, outcome, phases }) => [id, outcome, phases.length])).toEqual([
      ["c", "cancelled", 0],
      ["c", "cancelled", 1],
      ["x", undefined, 0],
    ]);
    expect(left).toBe(1);
  });

  it("gives what names two pieces of work to the later one", () => {
    const { works } = view(6, {
      0: { delegation: { task: "one", id: "d" } },
      1: { told: [delta("a")] },
      2: { delegation: { task: "two", id: "d" } },
      3: { told: [delta("b"), { type: "background-end", delegation: "d", outcome: "done" }] },
      4: { told: [{ type: "background-end", delegation: "d", outcome: "failed" }] },
    });
    expect(works.map(({ task, outcome, deltas }) => [task, outcome, deltas.map(({ text }) => text)])).toEqual([
      ["one", "open", ["a"]],
      ["two", "done", ["b"]],
    ]);
  });

  it("is bounded however much was told", () => {
    const flood: BackgroundActivity[] = [];
    for (let i = 0; i < 10_000; i++)
      flood.push(delta("word ".repeat(40), `d${i % 3000}`), { ...starts, call: `c${i}`, state: "queued" });
    const entries = Array.from({ length: 2_000 }, (_, i) => ({ text: "x".repeat(500), delegation: "d0", delivery: i }));
    const given: Record<number, Row> = {};
    for (let turn = 0; turn < 10; turn++) given[turn] = { told: flood, text: entries };
    const { works, left } = view(10, given);
    const kept = works.reduce(
      (sum, { calls, deltas, entries }) => sum + calls.length + deltas.length + entries.length,
      0,
    );
    expect(works).toHaveLength(2_000);
    expect(kept).toBeLessThanOrEqual(25_000);
    expect(left).toBeGreaterThan(100_000);
  });
});
