// Where the background lies in its lane: overlapping work one below the other, its calls in rows of their own. The height of
// the lane has a limit; what finds no row is crowded into a thin one.

import type { BackgroundView, CallView, Entry, WorkView } from "./background-view.js";

/** Heights, pixels. */
export const heights = { work: 20, marks: 16, call: 17, crowd: 8, gap: 6, edge: 4 } as const;

const mostTracks = 5;
const mostCallRows = 4;

/** Work that does not overlap, one behind the other, with all that belongs to it. */
export interface Track {
  readonly top: number;
  readonly works: readonly WorkView[];
  /** Where the words of answers and the entries are; absent if there are none. */
  readonly marksTop?: number;
  readonly callsTop: number;
  /** In each row no call overlaps another. */
  readonly callRows: readonly (readonly CallView[])[];
  /** Calls that found no row, by their start; they may overlap. */
  readonly crowdTop: number;
  readonly crowd: readonly CallView[];
  readonly bottom: number;
}

/** The lane, top to bottom. */
export interface BackgroundRows {
  /** Results that name no work, at the top; empty if there are none. */
  readonly loose: readonly Entry[];
  readonly tracks: readonly Track[];
  readonly crowdTop: number;
  /** Work that found no track, by its start; it may overlap. */
  readonly crowd: readonly WorkView[];
  readonly height: number;
}

/** Lays out a background; it stays so at every zoom. */
export function rowsOf({ works, loose }: BackgroundView): BackgroundRows {
  const { rows, crowd } = pack(
    works,
    mostTracks,
    ({ start }) => start.timeMs,
    ({ last }) => last.timeMs,
  );
  let y: number = heights.edge;
  if (loose.length > 0) y += heights.marks;
  const tracks = rows.map((ofTrack): Track => {
    const top = y;
    y += heights.work;
    const marks = ofTrack.some(({ deltas, entries }) => deltas.length + entries.length > 0) ? { marksTop: y } : {};
    if (marks.marksTop !== undefined) y += heights.marks;
    const callsTop = y;
    const calls = ofTrack.flatMap((work) => work.calls).sort((a, b) => a.start.timeMs - b.start.timeMs);
    const packed = pack(
      calls,
      mostCallRows,
      ({ start }) => start.timeMs,
      ({ end }) => end.timeMs,
    );
    y += packed.rows.length * heights.call;
    const crowdTop = y;
    if (packed.crowd.length > 0) y += heights.crowd;
    const bottom = y;
    y += heights.gap;
    return { top, works: ofTrack, ...marks, callsTop, callRows: packed.rows, crowdTop, crowd: packed.crowd, bottom };
  });
  const crowdTop = y;
  if (crowd.length > 0) y += heights.crowd + heights.gap;
  return { loose, tracks, crowdTop, crowd, height: y };
}

/** Puts each thing, in the order of their starts, into the first row that is free by then. */
function pack<T>(
  list: readonly T[],
  most: number,
  start: (item: T) => number,
  end: (item: T) => number,
): { rows: T[][]; crowd: T[] } {
  const rows: T[][] = [];
  const free: number[] = [];
  const crowd: T[] = [];
  for (const item of list) {
    let row = free.findIndex((until) => until <= start(item));
    if (row < 0) row = rows.length;
    if (row === most) {
      crowd.push(item);
      continue;
    }
    rows[row] ??= [];
    rows[row].push(item);
    free[row] = end(item);
  }
  return { rows, crowd };
}
