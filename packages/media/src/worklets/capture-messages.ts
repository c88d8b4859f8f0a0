// What the page and the capture worklet say to each other.

import type { SampleRingMemory } from "./sample-ring.js";

/** Name of the processor. */
export const captureName = "microturn-capture";

/** What the processor is made with. */
export interface CaptureOptions {
  /** Samples that the page gets at once, at least. */
  readonly blockSamples: number;
  /** Samples that are held while the page is busy. */
  readonly capacity: number;
  /** Where samples go, if memory can be shared; else they travel in blocks. */
  readonly ring?: SampleRingMemory;
}

/** From the worklet: a block and, after a loss, how many samples were lost in all; or that a block's worth waits in the ring. */
export type CaptureMessage = Float32Array<ArrayBuffer> | number | "samples";
/** From the page: a block that was read, or the end. */
export type CaptureReply = Float32Array<ArrayBuffer> | "close";
