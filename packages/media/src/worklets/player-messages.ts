// What the page and the player worklet say to each other.

/** Name of the processor. */
export const playerName = "microturn-player";

/** What the processor is made with; times in ms. */
export interface PlayerOptions {
  readonly prebufferMs: number;
  readonly maxPrebufferMs: number;
  readonly maxQueuedMs: number;
  readonly fadeMs: number;
}

/** From the page: sound at the context's rate, or an order. */
export type PlayerOrder = Float32Array<ArrayBuffer> | "flush" | "close";

/** Places in what the worklet reports: one array of numbers, always the same one, so that it allocates nothing. */
export const report = {
  /** Samples since the context was made, at the end of the quantum. */
  frame: 0,
  /** Position after the last sample played; counts what the page sent, from 0. */
  heard: 1,
  /** Samples that the page sent, as far as they have come. */
  pushed: 2,
  /** Samples that wait. */
  queued: 3,
  underruns: 4,
  /** Samples dropped because too many waited. */
  dropped: 5,
  /** Samples of input per sample of output. */
  rate: 6,
  /** Root mean square of the last quantum. */
  level: 7,
  /** Flushes so far. */
  flushes: 8,
  /** 1 if samples were played in the last quantum. */
  playing: 9,
} as const;

/** Numbers in a report. */
export const reportLength = 10;
