// The stretch of time on screen: zoom and scroll, always inside the session.

import { formatTime } from "./session-view.js";

/** Shortest stretch that can fill the screen, ms. */
const closestMs = 400;

/** The visible stretch [startMs, endMs) of a session, mapped to `width` pixels. */
export class TimeWindow {
  startMs = 0;
  endMs: number;
  width = 1;

  constructor(readonly durationMs: number) {
    this.endMs = durationMs;
  }

  get spanMs(): number {
    return this.endMs - this.startMs;
  }

  /** Pixels per ms. */
  get scale(): number {
    return this.width / this.spanMs;
  }

  x(timeMs: number): number {
    return (timeMs - this.startMs) * this.scale;
  }

  time(x: number): number {
    return this.startMs + x / this.scale;
  }

  /** Shows [startMs, startMs + spanMs), pushed back inside the session. */
  show(startMs: number, spanMs: number): void {
    const span = Math.min(this.durationMs, Math.max(Math.min(closestMs, this.durationMs), spanMs));
    const start = Math.min(this.durationMs - span, Math.max(0, startMs));
    this.startMs = start;
    this.endMs = start + span;
  }

  /** Zooms by `factor` (above 1: closer) and keeps `anchorMs` where it is on screen. */
  zoom(factor: number, anchorMs: number): void {
    const span = this.spanMs / factor;
    const limited = Math.min(this.durationMs, Math.max(Math.min(closestMs, this.durationMs), span));
    const share = (anchorMs - this.startMs) / this.spanMs;
    this.show(anchorMs - share * limited, limited);
  }

  scroll(deltaMs: number): void {
    this.show(this.startMs + deltaMs, this.spanMs);
  }

  /** Scrolls so that a time is on screen, with room after it. */
  reveal(timeMs: number): void {
    if (timeMs >= this.startMs && timeMs < this.endMs - 0.02 * this.spanMs) return;
    this.show(timeMs - 0.1 * this.spanMs, this.spanMs);
  }
}

/** Distance between time marks that leaves at least `minimumPixels` between them, ms. */
export function tickMs(scale: number, minimumPixels = 80): number {
  const steps = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000];
  return steps.find((step) => step * scale >= minimumPixels) ?? 1_800_000;
}

/**
 * The time marks of a stretch, each whole: one at the right edge is pushed back, one that has no room is left out.
 *
 * @param measure - width of a text, pixels
 */
export function timeMarks(window: TimeWindow, measure: (text: string) => number): { text: string; x: number }[] {
  const every = tickMs(window.scale);
  const marks: { text: string; x: number }[] = [];
  let free = 0;
  for (let i = Math.floor(window.startMs / every); i * every <= window.endMs; i++) {
    const time = i * every;
    const text = every >= 1000 ? formatTime(time, true) : formatTime(time).slice(0, -1);
    const width = measure(text);
    const x = Math.min(window.x(time) + 4, window.width - width - 2);
    if (x < free) continue;
    marks.push({ text, x });
    free = x + width + 8;
  }
  return marks;
}
