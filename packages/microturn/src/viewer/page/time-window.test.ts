import { describe, expect, it } from "vitest";
import { TimeWindow, tickMs, timeMarks } from "./time-window.js";

describe("TimeWindow", () => {
  it("keeps the anchor of a zoom where it is on screen", () => {
    const window = new TimeWindow(60_000);
    window.width = 1_000;
    const x = window.x(20_000);
    window.zoom(4, 20_000);
    expect(window.spanMs).toBe(15_000);
    expect(window.x(20_000)).toBeCloseTo(x, 6);
  });

  it("never leaves the session, however it is zoomed or scrolled", () => {
    const window = new TimeWindow(10_000);
    window.width = 500;
    window.zoom(1e9, 9_999);
    expect(window.spanMs).toBe(400);
    window.scroll(1e9);
    expect(window.endMs).toBe(10_000);
    window.scroll(-1e9);
    expect(window.startMs).toBe(0);
    window.zoom(1e-9, 300);
    expect([window.startMs, window.endMs]).toEqual([0, 10_000]);
  });

  it("scrolls to a time only when it is off screen", () => {
    const window = new TimeWindow(100_000);
    window.show(0, 10_000);
    window.reveal(5_000);
    expect(window.startMs).toBe(0);
    window.reveal(50_000);
    expect(window.startMs).toBe(49_000);
  });
});

it("spaces time marks so that their labels fit", () => {
  for (const scale of [10, 1, 0.1, 0.01, 0.001, 0.0003]) {
    expect(tickMs(scale) * scale).toBeGreaterThanOrEqual(80);
  }
});

describe("timeMarks", () => {
  const measure = (text: string) => 7 * text.length;

  it("pushes the mark at the end of a session back until it is whole", () => {
    const window = new TimeWindow(22_000);
    window.width = 1_000;
    const marks = timeMarks(window, measure);
    expect(marks[0]).toEqual({ text: "0:00", x: 4 });
    expect(marks.at(-1)).toEqual({ text: "0:22", x: 970 });
  });

  it("cuts none and lets none touch another, however the session is zoomed", () => {
    const window = new TimeWindow(7_400_000);
    for (let width = 80; width < 1_500; width += 7) {
      window.width = width;
      window.show(3 * width, 7_400_000 / (width % 61));
      let free = 0;
      for (const { text, x } of timeMarks(window, measure)) {
        expect(x).toBeGreaterThanOrEqual(free);
        free = x + measure(text);
      }
      expect(free).toBeGreaterThan(0);
      expect(free).toBeLessThanOrEqual(width);
    }
  });
});
