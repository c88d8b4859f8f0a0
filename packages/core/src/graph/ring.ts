// Where the keys of a ring stand in time, worked out inside the graph from the turn counter.
//
// Letters: B batch, S new positions of this pass, R rows of the ring, N positions of this micro-turn so far, P positions
// per micro-turn. A ring holds sinks (the first micro-turns of the session, for ever) and then the last `ringTurns` ones.

import type { Emitter, Value } from "./emitter.js";

/** Size of a ring and what a query may see of it. */
export interface RingGeometry {
  readonly positionsPerTurn: number;
  readonly sinkTurns: number;
  readonly ringTurns: number;
  /** Keys at this distance or more are out of sight, sinks excepted. Absent: everything in the ring is seen. */
  readonly window?: number;
}

/** Rows of a ring. */
export function ringRows({ positionsPerTurn, sinkTurns, ringTurns }: RingGeometry): number {
  return positionsPerTurn * (sinkTurns + ringTurns);
}

/**
 * For each new position and each key, the column of the relative-bias table that belongs to it:
 * the distance, at most `extent` (a column of zeros); or `extent + 1` (the mask) for a key that is out of sight.
 *
 * @param turn - int32 `[B]`, runs so far
 * @param first - place of the first new position within the micro-turn
 * @param count - S
 * @returns int32 `[B, 1, S, R + N]` with N = first + count
 */
export function biasColumns(
  g: Emitter,
  turn: Value,
  geometry: RingGeometry,
  extent: number,
  first: number,
  count: number,
): Value {
  const { positionsPerTurn: P, sinkTurns, ringTurns, window } = geometry;
  const turns = sinkTurns + ringTurns;
  const perRow = g.reshape(turn, [-1, 1]);

  // How many turns ago each slot was written (B, slots); 0 or less: not yet.
  const parts: Value[] = [];
  if (sinkTurns > 0) parts.push(g.sub(perRow, g.ints(range(sinkTurns), [1, sinkTurns])));
  // Slot s of the ring holds the latest turn t < turn with t = sinkTurns + s modulo ringTurns.
  const since = g.sub(
    perRow,
    g.ints(
      Array.from(range(ringTurns), (slot) => sinkTurns + 1 + slot),
      [1, ringTurns],
    ),
  );
  const written = g.less(g.int(-1), since);
  const rounds = g.div(since, g.int(ringTurns));
  const modulo = g.sub(since, g.mul(rounds, g.int(ringTurns)));
  parts.push(g.where(written, g.add(modulo, g.int(1)), g.int(0)));
  const ago = g.reshape(g.concat(parts, 1), [-1, turns, 1]);

  const offsets = g.ints(range(P), [1, 1, P]);
  const turnStartDistance = g.reshape(g.sub(g.mul(ago, g.int(P)), offsets), [-1, 1, turns * P]);
  const queries = g.ints(range(count, first), [1, count, 1]);
  const distance = g.add(turnStartDistance, queries);
  const column = g.where(g.less(distance, g.int(extent)), distance, g.int(extent));

  // Out of sight: never written, or beyond the window and not a sink.
  const seenAgo = g.reshape(g.less(g.int(0), ago), [-1, turns, 1]);
  const seenRows = g.reshape(g.op("And", [seenAgo, allTrue(g, P)]), [-1, 1, turns * P]);
  let visible: Value;
  if (window === undefined) {
    visible = seenRows;
  } else {
    const reach = new Int32Array(turns * P).fill(window);
    reach.fill(2 ** 31 - 1, 0, sinkTurns * P);
    visible = g.op("And", [seenRows, g.less(distance, g.ints(reach, [1, 1, turns * P]))]);
  }
  const old = g.where(visible, column, g.int(extent + 1));

  // Positions of this micro-turn: the same for every row of the batch.
  const total = first + count;
  const recent = new Int32Array(count * total);
  for (let query = 0; query < count; query++) {
    for (let key = 0; key < total; key++) {
      const apart = first + query - key;
      const hidden = apart < 0 || (window !== undefined && apart >= window);
      recent[query * total + key] = hidden ? extent + 1 : Math.min(apart, extent);
    }
  }
  const zeroPerRow = g.reshape(g.mul(turn, g.int(0)), [-1, 1, 1]);
  const all = g.concat([old, g.add(zeroPerRow, g.ints(recent, [1, count, total]))], 2);
  return g.reshape(all, [-1, 1, count, turns * P + total]);
}

/**
 * The ring with the rows of this micro-turn in their place, for targets whose state stays on the device.
 *
 * @param ring - `[B, heads, R, D]`
 * @param rows - `[B, heads, P, D]`
 * @returns `[B, heads, R, D]`
 */
export function updatedRing(
  g: Emitter,
  ring: Value,
  rows: Value,
  turn: Value,
  geometry: RingGeometry,
  heads: number,
  headDim: number,
): Value {
  const { positionsPerTurn: P, sinkTurns, ringTurns } = geometry;
  const turns = sinkTurns + ringTurns;
  const later = g.sub(turn, g.int(sinkTurns));
  const place = g.sub(later, g.mul(g.div(later, g.int(ringTurns)), g.int(ringTurns)));
  const slot = g.where(g.less(turn, g.int(sinkTurns)), turn, g.add(place, g.int(sinkTurns)));
  const here = g.equal(g.reshape(slot, [-1, 1, 1, 1, 1]), g.ints(range(turns), [1, 1, turns, 1, 1]));
  const slots = g.reshape(ring, [-1, heads, turns, P, headDim]);
  const placed = g.where(here, g.reshape(rows, [-1, heads, 1, P, headDim]), slots);
  return g.reshape(placed, [-1, heads, turns * P, headDim]);
}

function range(count: number, first = 0): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => first + i);
}

function allTrue(g: Emitter, count: number): Value {
  return g.cast(g.ints(new Int32Array(count).fill(1), [1, 1, count]), "bool");
}
