// Makes the filter of a resampler before it is needed, in slices: the thread of a page is never busy with it for long.
// A module of its own, as a program that prepares nothing has no use for it.

import { checkRates, type ResamplerOptions } from "./resampler.js";
import { checkResamplerQuality, defaultResamplerQuality, designPolyphase } from "./resampler-filter.js";
import { simdKernel } from "./resampler-simd.js";

/** Values of the curve and taps of one slice, up to a row of taps more. Counted, not timed: a busy machine cuts the work no other way. */
export const valuesPerSlice = 256;

/** The preparation that the next one waits for. */
let last: Promise<void> | undefined;

/**
 * Makes the filter of every {@link Resampler} of these options, a slice of less than 1 ms (2 before its code is compiled) per task, with
 * other tasks in between. Between 44.1 kHz and 16 or 24 kHz that is 20 ms of work in all, at 48 kHz next to none.
 *
 * Preparations follow one another, so two of one filter share the work. A resampler that is made meanwhile waits for none: it makes its
 * filter at once. The eight filters used last are kept; one of more than 65 536 taps is not (rates with more than 900 phases, such as
 * 47 999 to 16 000 Hz), and preparing it is in vain.
 *
 * @returns resolves when the filter is ready
 * @throws RangeError as {@link Resampler}, by rejection
 * @example
 * const rates = { inputRate: 44_100, outputRate: 16_000 };
 * await prepareResampler(rates);
 * const resampler = new Resampler(rates); // has its filter
 */
export async function prepareResampler({ inputRate, outputRate, quality }: ResamplerOptions): Promise<void> {
  checkRates(inputRate, outputRate);
  const figures = { ...defaultResamplerQuality, ...quality };
  checkResamplerQuality(figures);
  if (inputRate === outputRate) return;
  const before = last;
  const made = (async () => {
    await before;
    const steps = designPolyphase(inputRate, outputRate, figures);
    let step = steps.next();
    for (let values = 0; !step.done; step = steps.next()) {
      values += step.value;
      if (values < valuesPerSlice) continue;
      values = 0;
      await nextTask();
    }
    // The kernel is compiled once in a program: a task of its own, too.
    await nextTask();
    simdKernel(step.value);
  })();
  // One that fails (no memory) stops none after it.
  last = made.catch(() => {});
  await made;
}

/** The little of a MessageChannel that is needed; its types belong to browsers. */
interface Channel {
  readonly port1: { onmessage: unknown; close(): void };
  readonly port2: { postMessage(message: unknown): void };
}

/**
 * Lets other tasks run. Browsers hold timers back, by 4 ms each and by a second in the background, but no messages. Each time it is a
 * new channel: Node takes up to 1000 messages of one before anything else.
 */
function nextTask(): Promise<void> {
  const { MessageChannel } = globalThis as unknown as { MessageChannel?: new () => Channel };
  return new Promise((resolve) => {
    if (MessageChannel === undefined) {
      setTimeout(resolve, 0);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
