// Draws the background's lane: work as spans, its calls by state and outcome below, words when they came, and where they entered.
// What is drawn is bounded by the pixels on screen, not by what the trace holds.

import { type BackgroundRows, heights, type Track } from "./background-rows.js";
import type { CallView, Entry, Moment, WorkView } from "./background-view.js";
import {
  callLines,
  deltaLines,
  entryLines,
  nameOf,
  outcomeOf,
  room,
  taskOf,
  workLines,
  workOutcomeOf,
} from "./background-words.js";
import type { Theme } from "./theme.js";
import type { TimeWindow } from "./time-window.js";
import { shorten } from "./words.js";

type Colour = keyof Theme["colour"];

/** Colour of what became of a call, or of work. */
export function outcomeColour(outcome: CallView["outcome"] | WorkView["outcome"]): Colour {
  switch (outcome) {
    case "done":
    case "answered":
      return "done";
    case "failed":
    case "timed-out":
      return "late";
    case "unknown":
      return "approval";
    case "cancelled":
    case "rejected":
    case "superseded":
      return "muted";
    default:
      return "delegate";
  }
}

/** What drawing needs, whatever is drawn. */
interface Pen {
  readonly g: CanvasRenderingContext2D;
  readonly window: TimeWindow;
  readonly theme: Theme;
}

/** Draws the lane from y = 0 on. */
export function drawBackground(
  g: CanvasRenderingContext2D,
  window: TimeWindow,
  theme: Theme,
  { loose, tracks, crowdTop, crowd }: BackgroundRows,
): void {
  const pen = { g, window, theme };
  g.font = theme.smallFont;
  g.textBaseline = "middle";
  drawEntries(pen, loose, heights.edge);
  for (const track of tracks) drawTrack(pen, track);
  drawCrowd(pen, crowd, crowdTop, ({ last }) => last.timeMs);
}

function drawTrack(pen: Pen, track: Track): void {
  const { window } = pen;
  eachSpan(
    window,
    track.works,
    ({ last }) => last.timeMs,
    (work) => drawWork(pen, work, track.top),
  );
  if (track.marksTop !== undefined) {
    const top = track.marksTop;
    for (const work of track.works) {
      if (work.last.timeMs < window.startMs) continue;
      if (work.start.timeMs > window.endMs) break;
      pen.g.fillStyle = pen.theme.colour.delegate;
      eachMoment(window, work.deltas, (_, x) => pen.g.fillRect(x - 0.75, top + 1, 1.5, 7));
      drawEntries(pen, work.entries, top);
    }
  }
  track.callRows.forEach((calls, row) => {
    const top = track.callsTop + row * heights.call;
    eachSpan(
      window,
      calls,
      ({ end }) => end.timeMs,
      (call) => drawCall(pen, call, top),
    );
  });
  drawCrowd(pen, track.crowd, track.crowdTop, ({ end }) => end.timeMs);
}

function drawWork(pen: Pen, work: WorkView, top: number): void {
  const { g, theme } = pen;
  const [x, width] = extent(pen.window, work.start.timeMs, work.end.timeMs);
  const height = heights.work - 2;
  g.fillStyle = theme.colour.delegate;
  g.globalAlpha = 0.2;
  g.fillRect(x, top, width, height);
  g.globalAlpha = 1;
  g.fillRect(x, top, 2, height);
  if (work.outcome !== "open") cap(pen, work.end.timeMs, outcomeColour(work.outcome), top, height);
  label(pen, `${taskOf(work, room.line)} · ${workOutcomeOf(work)}`, x + 7, width - 14, top + height / 2);
}

/** Queued: an outline. Waiting for approval: an outline of its own colour, half full. Running: full, in the colour of its outcome. */
function drawCall(pen: Pen, call: CallView, top: number): void {
  const { g, window, theme } = pen;
  const [left, whole] = extent(window, call.start.timeMs, call.end.timeMs);
  const height = heights.call - 3;
  const colour = outcomeColour(call.outcome);
  let covered = Number.NEGATIVE_INFINITY;
  call.phases.forEach((phase, i) => {
    const until = call.phases[i + 1]?.timeMs ?? call.end.timeMs;
    if (until < window.startMs || phase.timeMs > window.endMs) return;
    const [x, width] = extent(window, phase.timeMs, until);
    if (x + width <= covered) return;
    covered = Math.ceil(x + width);
    const running = phase.state === "running";
    const own: Colour = running ? colour : phase.state === "queued" ? "muted" : "approval";
    g.fillStyle = theme.colour[own];
    g.strokeStyle = theme.colour[own];
    g.globalAlpha = running ? 0.38 : phase.state === "queued" ? 0.06 : 0.2;
    g.fillRect(x, top, width, height);
    g.globalAlpha = 0.8;
    g.lineWidth = 1;
    if (!running) g.strokeRect(x + 0.5, top + 0.5, Math.max(1, width - 1), height - 1);
    else g.fillRect(x, top, phase.attempt > 1 ? 2 : 1, height);
    g.globalAlpha = 1;
  });
  g.fillStyle = theme.colour.text;
  g.globalAlpha = 0.55;
  eachMoment(window, call.progress, (_, x) => g.fillRect(x - 1, top + height - 3, 2, 3));
  g.globalAlpha = 1;
  if (call.outcome !== undefined) cap(pen, call.end.timeMs, colour, top, height);
  label(pen, `${nameOf(call)} · ${outcomeOf(call)}`, left + 5, whole - 11, top + height / 2);
}

/** What entered: a triangle that points at its micro-turn, hollow where it is not to be said; a line from when it was told. */
function drawEntries({ g, window, theme }: Pen, entries: readonly Entry[], top: number): void {
  g.fillStyle = theme.colour.muted;
  let covered = Number.NEGATIVE_INFINITY;
  for (const { told, timeMs } of entries) {
    if (told === undefined || timeMs < window.startMs || told.timeMs > window.endMs) continue;
    const [x, width] = extent(window, told.timeMs, timeMs);
    if (x + width <= covered) continue;
    covered = Math.ceil(x + width);
    g.fillRect(x, top + 8, width, 1);
  }
  g.fillStyle = theme.colour.assistant;
  g.strokeStyle = theme.colour.assistant;
  g.lineWidth = 1.25;
  eachMoment(window, entries, (entry, x) => {
    g.beginPath();
    g.moveTo(x, top + 4);
    g.lineTo(x + 5, top + 13);
    g.lineTo(x - 5, top + 13);
    g.closePath();
    if (entry.silent) g.stroke();
    else g.fill();
  });
}

function drawCrowd<T extends CallView | WorkView>(
  { g, window, theme }: Pen,
  list: readonly T[],
  top: number,
  end: (item: T) => number,
): void {
  let covered = Number.NEGATIVE_INFINITY;
  g.globalAlpha = 0.6;
  for (const item of list) {
    if (end(item) < window.startMs || item.start.timeMs > window.endMs) continue;
    const [x, width] = extent(window, item.start.timeMs, end(item));
    if (x + width <= covered) continue;
    covered = Math.ceil(x + width);
    g.fillStyle = theme.colour[outcomeColour(item.outcome)];
    g.fillRect(x, top, width, heights.crowd - 3);
  }
  g.globalAlpha = 1;
}

/** Where something ended, and how. */
function cap({ g, window, theme }: Pen, timeMs: number, colour: Colour, top: number, height: number): void {
  g.fillStyle = theme.colour[colour];
  g.fillRect(window.x(timeMs) - 3, top, 4, height);
}

function label({ g, theme }: Pen, text: string, x: number, width: number, y: number): void {
  if (width < 20) return;
  g.fillStyle = theme.colour.text;
  g.fillText(
    shorten(text, width, (part) => g.measureText(part).width),
    x,
    y,
  );
}

/** Left edge and width on screen, at least 3 pixels, with nothing that is far beside it. */
function extent(window: TimeWindow, startMs: number, endMs: number): [x: number, width: number] {
  const x = Math.max(-2, window.x(startMs));
  return [x, Math.max(3, Math.min(window.width + 2, window.x(endMs)) - x)];
}

/** Those on screen, of things that do not overlap; of several on one pixel the first. */
function eachSpan<T extends { readonly start: Moment }>(
  window: TimeWindow,
  list: readonly T[],
  end: (item: T) => number,
  draw: (item: T) => void,
): void {
  let covered = Number.NEGATIVE_INFINITY;
  for (let i = firstFrom(list, (item) => end(item) >= window.startMs); i < list.length; i++) {
    const item = list[i];
    if (item.start.timeMs > window.endMs) break;
    const right = Math.ceil(window.x(end(item)));
    if (right <= covered) continue;
    covered = right;
    draw(item);
  }
}

/** Those on screen, of moments in their order; of several on one pixel the first. */
function eachMoment<T extends Moment>(
  window: TimeWindow,
  list: readonly T[],
  draw: (item: T, x: number) => void,
): void {
  let covered = Number.NEGATIVE_INFINITY;
  const margin = 6 / window.scale;
  for (let i = firstFrom(list, ({ timeMs }) => timeMs >= window.startMs - margin); i < list.length; i++) {
    if (list[i].timeMs > window.endMs + margin) break;
    const x = Math.round(window.x(list[i].timeMs));
    if (x <= covered) continue;
    covered = x;
    draw(list[i], x);
  }
}

/** Index of the first that passes, where all after it pass too. */
function firstFrom<T>(list: readonly T[], passes: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What lies at a place of the lane, in lines; undefined if nothing does. */
export function backgroundAt(
  { loose, tracks, crowdTop, crowd }: BackgroundRows,
  window: TimeWindow,
  turnMs: number,
  x: number,
  y: number,
): string[] | undefined {
  const under = (start: Moment, endMs: number) => window.x(start.timeMs) - 3 <= x && x <= window.x(endMs) + 3;
  const inRow = (top: number, height: number) => y >= top && y < top + height;
  const more = <T>(found: readonly T[], lines: (item: T) => string[]) => {
    if (found.length === 0) return undefined;
    return [...lines(found[found.length - 1]), ...(found.length > 1 ? [`and ${found.length - 1} more here`] : [])];
  };
  const call = (one: CallView) => callLines(one, turnMs, room.line);
  const work = (one: WorkView) => workLines(one, turnMs, room.line);
  const nearest = <T extends Moment>(list: readonly T[]) =>
    list.filter(({ timeMs }) => Math.abs(window.x(timeMs) - x) <= 5);
  const entry = (list: readonly Entry[]) => more(nearest(list), (one) => entryLines(one, turnMs, room.line));
  if (loose.length > 0 && inRow(heights.edge, heights.marks)) return entry(loose);
  if (inRow(crowdTop, heights.crowd))
    return more(
      crowd.filter(({ start, last }) => under(start, last.timeMs)),
      work,
    );
  const track = tracks.find(({ top, bottom }) => y >= top && y < bottom);
  if (track === undefined) return undefined;
  if (inRow(track.top, heights.work))
    return more(
      track.works.filter(({ start, end }) => under(start, end.timeMs)),
      work,
    );
  const { marksTop } = track;
  if (marksTop !== undefined && inRow(marksTop, heights.marks)) {
    const works = track.works.filter(({ start, last }) => under(start, last.timeMs));
    return (
      entry(works.flatMap(({ entries }) => entries)) ??
      more(nearest(works.flatMap(({ deltas }) => deltas)), (one) => deltaLines(one, turnMs, room.line))
    );
  }
  const row = track.callRows[Math.floor((y - track.callsTop) / heights.call)] ?? track.crowd;
  return more(
    row.filter(({ start, end }) => under(start, end.timeMs)),
    call,
  );
}
