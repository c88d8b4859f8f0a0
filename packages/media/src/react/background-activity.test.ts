import { describe, expect, it } from "vitest";
import { type BackgroundEvent, type BackgroundView, noBackground, withEvent } from "./background-activity.js";

/** An event without what all events have. */
type Bare = BackgroundEvent extends infer One
  ? One extends BackgroundEvent
    ? Omit<One, "timeMs" | "turnIndex">
    : never
  : never;

const after = (events: readonly Bare[], view = noBackground): BackgroundView =>
  events.reduce(
    (view, event, i) => withEvent(view, { ...event, turnIndex: i, timeMs: 200 * i } as BackgroundEvent),
    view,
  );
const handedOver = (id: string): Bare => ({ type: "delegation", id, task: `task ${id}`, conversation: [] });
const call = (
  state: "queued" | "awaiting-approval" | "running",
  change: { call?: string; attempt?: number } = {},
): Bare => ({
  ...{ type: "tool-call", delegation: "d1", call: "c1", name: "book", arguments: { seats: 2 } },
  ...{ state, irreversible: true, attempt: 1 },
  ...change,
});

describe("what the background is at", () => {
  it("shows a call from its turn to its result, in its place", () => {
    const waits = after([handedOver("d1"), call("queued"), call("queued", { call: "c2" }), call("awaiting-approval")]);
    expect(waits.toolCalls).toEqual([
      {
        ...{ call: "c1", delegation: "d1", name: "book", arguments: { seats: 2 }, state: "awaiting-approval" },
        ...{ irreversible: true, attempt: 1, turnIndex: 1 },
      },
      expect.objectContaining({ call: "c2", state: "queued", turnIndex: 2 }),
    ]);
    const done = after(
      [
        call("running"),
        { type: "tool-progress", delegation: "d1", call: "c1", text: "half of it" },
        { type: "tool-result", delegation: "d1", call: "c1", name: "book", outcome: "done", result: { seat: "4A" } },
      ],
      waits,
    );
    expect(done.toolCalls[0]).toMatchObject({ state: "done", progress: "half of it", result: { seat: "4A" } });
    expect(done.toolCalls[0]).not.toHaveProperty("error");
    expect(done.toolCalls[1]).toBe(waits.toolCalls[1]);
    // What was shown before is not changed: a component may hold it.
    expect(waits.toolCalls[0].state).toBe("awaiting-approval");
  });

  it("says why a call is over, and begins anew when it is tried again", () => {
    const result = { type: "tool-result", delegation: "d1", call: "c1", name: "book" } as const;
    const failed = after([call("running"), { ...result, outcome: "timed-out", error: "no answer in 5 s" }]);
    expect(failed.toolCalls[0]).toMatchObject({ state: "timed-out", error: "no answer in 5 s" });
    const [again] = after([call("running", { attempt: 2 })], failed).toolCalls;
    expect(again).toMatchObject({ state: "running", attempt: 2, turnIndex: 0 });
    expect(again).not.toHaveProperty("error");
  });

  it("shows what was handed over with the answer so far, and how it ended", () => {
    const view = after([
      handedOver("d1"),
      handedOver("d2"),
      { type: "background-delta", delegation: "d2", text: "It is sunny." },
      { type: "background-delta", delegation: "d2", text: "Take a hat." },
      { type: "background-end", delegation: "d2", outcome: "done" },
      { type: "background-end", delegation: "d1", outcome: "failed", error: "no model" },
      { type: "background-end", delegation: "unknown", outcome: "done" },
    ]);
    expect(view.work).toEqual([
      { delegation: "d1", task: "task d1", state: "failed", text: "", error: "no model", turnIndex: 0 },
      { delegation: "d2", task: "task d2", state: "done", text: "It is sunny. Take a hat.", turnIndex: 1 },
    ]);
  });

  it("forgets the oldest", () => {
    const many = after(Array.from({ length: 300 }, (_, i) => call("queued", { call: `c${i}` })));
    expect(many.toolCalls).toHaveLength(200);
    expect(many.toolCalls.at(-1)?.call).toBe("c299");
  });
});
