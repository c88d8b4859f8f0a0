// Which rows of a state one run computes: only those that are active, where a smaller batch gives the same bits.

/** The rows of a state that one run computes. */
export interface RunRows {
  /** Batch of the run. */
  readonly count: number;
  /** Row of the state at each place of that batch. */
  readonly rows: Int32Array;
  /** One byte per place: 1 where the row takes what the run gives. */
  readonly takes: Uint8Array;
}

/** Every row of a state, each at its own place. */
export function everyRow(batch: number, active?: Uint8Array): RunRows {
  const rows = Int32Array.from({ length: batch }, (_, row) => row);
  return { count: batch, rows, takes: active ?? new Uint8Array(batch).fill(1) };
}

/**
 * The active rows of a state, rounded up to a multiple of `block`: matrix kernels take rows in blocks and round the rest
 * otherwise, so the bits of a row would depend on how many others are active. A state that is no multiple of it meets those
 * kernels in every run, and is computed whole.
 *
 * The batch is filled up with the last of the rows again, which makes no expert compute that would not anyway.
 *
 * @param active - one byte per row, 0 or 1; default all
 * @param block - undefined: the whole state always
 */
export function rowsToRun(batch: number, active: Uint8Array | undefined, block: number | undefined): RunRows {
  if (active === undefined || block === undefined || batch % block !== 0) return everyRow(batch, active);
  let chosen = 0;
  for (const flag of active) chosen += flag;
  const count = block * Math.ceil(chosen / block);
  if (count === batch) return everyRow(batch, active);
  const rows = new Int32Array(count).fill(active.lastIndexOf(1));
  for (let row = 0, place = 0; place < chosen; row++) if (active[row] === 1) rows[place++] = row;
  return { count, rows, takes: new Uint8Array(count).fill(1, 0, chosen) };
}
