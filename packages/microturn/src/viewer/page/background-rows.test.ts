import { describe, expect, it } from "vitest";
import { rowsOf } from "./background-rows.js";
import type { BackgroundView, CallView, WorkView } from "./background-view.js";

const at = (turn: number) => ({ turn, timeMs: turn * 200 });

function call(id: string, from: number, to: number): CallView {
  return {
    ...{ id, name: id, arguments: {}, irreversible: false, start: at(from), end: at(to), outcome: "done" },
    ...{ phases: [{ ...at(from), state: "running", attempt: 1 }], progress: [] },
  };
}

function work(task: string, from: number, to: number, calls: readonly CallView[] = []): WorkView {
  return {
    ...{ id: task, task, known: true, start: at(from), end: at(to), last: at(to), outcome: "done" },
    ...{ calls, deltas: [], entries: [] },
  };
}

const background = (works: readonly WorkView[]): BackgroundView => ({ works, loose: [], turns: [], left: 0 });

describe("the rows of the background", () => {
  it("are one for work that does not overlap, and one below the other for work that does", () => {
    const { tracks } = rowsOf(background([work("a", 0, 5), work("b", 3, 8), work("c", 5, 9), work("d", 8, 9)]));
    expect(tracks.map(({ works }) => works.map(({ task }) => task))).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
  });

  it("hold the calls of their work, each overlapping one in a row of its own", () => {
    const calls = [call("y", 2, 6), call("x", 1, 4), call("z", 4, 5)];
    const { tracks } = rowsOf(background([work("a", 0, 7, calls)]));
    expect(tracks[0].callRows.map((row) => row.map(({ id }) => id))).toEqual([["x", "z"], ["y"]]);
  });

  it("have room for words only where there are any", () => {
    const entry = { ...at(3), text: "t", silent: false };
    const { tracks, height } = rowsOf(background([work("a", 0, 5)]));
    const talking = rowsOf(background([{ ...work("a", 0, 5), entries: [entry] }]));
    expect(tracks[0].marksTop).toBeUndefined();
    expect(talking.tracks[0].marksTop).toBe(tracks[0].callsTop);
    expect(talking.height).toBeGreaterThan(height);
  });

  it("are no higher for thousands of calls and pieces of work at once: the rest is crowded into one", () => {
    const calls = Array.from({ length: 900 }, (_, i) => call(`c${i}`, 1, 9));
    const works = Array.from({ length: 900 }, (_, i) => work(`w${i}`, 0, 9, i < 5 ? calls : []));
    const { tracks, crowd, height } = rowsOf(background(works));
    expect(height).toBeLessThan(620);
    expect([tracks.length, crowd.length]).toEqual([5, 895]);
    expect(tracks.map(({ callRows, crowd }) => callRows.length + crowd.length)).toEqual(new Array(5).fill(900));
  });
});
