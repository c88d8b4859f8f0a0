import { afterEach, describe, expect, test, vi } from "vitest";
import { atOnce } from "./keep-recent.js";
import { Resampler } from "./resampler.js";
import { defaultResamplerQuality, designPolyphase, type ResamplerQuality } from "./resampler-filter.js";
import { prepareResampler, valuesPerSlice } from "./resampler-preparation.js";

const rates = { inputRate: 16_000, outputRate: 44_100 };
const figures = (beta: number): ResamplerQuality => ({ ...defaultResamplerQuality, beta });
const tableOf = (quality: ResamplerQuality, { inputRate, outputRate } = rates) =>
  atOnce(designPolyphase(inputRate, outputRate, quality)).table;

/** Makes the eight filters and curves that are kept others. */
function forgetAll(): void {
  for (let beta = 0; beta < 8; beta++) {
    tableOf({ zeroCrossings: 1, beta, cutoff: 0.5 }, { inputRate: 16_000, outputRate: 24_000 });
  }
}

/** Counts the tasks that preparations give to others. */
function countTasks(): { count: number } {
  const tasks = { count: 0 };
  const Original = MessageChannel;
  vi.stubGlobal(
    "MessageChannel",
    class extends Original {
      constructor() {
        super();
        tasks.count++;
      }
    },
  );
  return tasks;
}

/** Tasks that the values of a design, by its own count, make necessary, and one for the kernel. */
function tasksFor(quality: ResamplerQuality, { inputRate, outputRate } = rates): number {
  forgetAll();
  let [tasks, values] = [1, 0];
  for (const more of designPolyphase(inputRate, outputRate, quality)) {
    values += more;
    if (values < valuesPerSlice) continue;
    tasks++;
    values = 0;
  }
  forgetAll();
  return tasks;
}

afterEach(() => {
  vi.unstubAllGlobals();
  forgetAll();
});

describe("a filter that is prepared", () => {
  test.each([
    [16_000, 44_100],
    [44_100, 16_000],
    [24_000, 44_100],
    [48_000, 16_000],
    [12_345, 16_000],
  ])("is the one that is made at once, to the bit: %i to %i Hz", async (inputRate, outputRate) => {
    const quality = { zeroCrossings: 8, beta: 7.5, cutoff: 0.9 };
    const expected = tableOf(quality, { inputRate, outputRate });
    forgetAll();
    await prepareResampler({ inputRate, outputRate, quality });
    const steps = designPolyphase(inputRate, outputRate, quality);
    const first = steps.next();
    if (expected.length <= 65_536) expect(first.done).toBe(true);
    const table = first.done ? first.value.table : atOnce(steps).table;
    expect(table).not.toBe(expected);
    expect(table).toEqual(expected);
  });

  test("is made in slices, no longer than a row of taps more than was set, with tasks of others in between", async () => {
    for (const [inputRate, outputRate] of [
      [16_000, 44_100],
      [44_100, 16_000],
      [24_000, 44_100],
      [48_000, 16_000],
    ]) {
      forgetAll();
      const { table, taps, up, down } = atOnce(designPolyphase(inputRate, outputRate, figures(8.1)));
      forgetAll();
      const counts = [...designPolyphase(inputRate, outputRate, figures(8.1))];
      expect(Math.max(...counts)).toBeLessThanOrEqual(Math.max(64, taps));
      // Every value of the half of the curve, and every tap.
      const values = counts.reduce((a, b) => a + b);
      expect(values).toBeGreaterThanOrEqual(table.length + 32 * Math.max(up, down));
      expect(values).toBeLessThan(table.length + 32 * Math.max(up, down) + 128);
    }
    const expected = tasksFor(figures(8.1));
    expect(expected).toBeGreaterThan(140);
    const tasks = countTasks();
    let others = 0;
    const turn = () => {
      others++;
      immediate = setImmediate(turn);
    };
    let immediate = setImmediate(turn);
    await prepareResampler({ ...rates, quality: figures(8.1) });
    clearImmediate(immediate);
    expect(tasks.count).toBe(expected);
    expect(others).toBeGreaterThan(expected / 2);
  });

  test("is made once by two preparations at once, and both directions share its curve", async () => {
    const quality = figures(8.2);
    const expected = tasksFor(quality);
    const tasks = countTasks();
    const both = [prepareResampler({ ...rates, quality }), prepareResampler({ ...rates, quality: { beta: 8.2 } })];
    await Promise.all(both);
    // The second one finds the filter.
    expect(tasks.count).toBe(expected + 1);
    await prepareResampler({ inputRate: 44_100, outputRate: 16_000, quality });
    const curveTasks = (32 * 441) / valuesPerSlice;
    expect(tasks.count).toBeLessThan(2 * expected - curveTasks + 3);
    const { count } = tasks;
    expect(new Resampler({ ...rates, quality }).delaySamples).toBe(89);
    await prepareResampler({ ...rates, quality });
    expect(tasks.count).toBe(count + 1);
  });

  test("is never seen half made: a resampler made meanwhile makes its own at once, which is the one that stays", async () => {
    const quality = figures(8.3);
    const expected = tableOf(quality);
    // In the middle of the curve, and in the middle of the rows.
    for (const moment of [5, 120]) {
      forgetAll();
      const tasks = countTasks();
      const prepared = prepareResampler({ ...rates, quality });
      while (tasks.count < moment) await new Promise((resolve) => setImmediate(resolve));
      const table = tableOf(quality);
      expect(table).toEqual(expected);
      await prepared;
      expect(tasks.count).toBeGreaterThan(moment);
      expect(tableOf(quality)).toBe(table);
      vi.unstubAllGlobals();
    }
  });

  test("is made with timers where there are no messages", async () => {
    vi.stubGlobal("MessageChannel", undefined);
    const quality = { zeroCrossings: 4, beta: 8.4 };
    await prepareResampler({ ...rates, quality });
    expect(designPolyphase(16_000, 44_100, { ...defaultResamplerQuality, ...quality }).next().done).toBe(true);
  });

  test("takes no task for equal rates, and what is out of range is refused", async () => {
    const tasks = countTasks();
    await prepareResampler({ inputRate: 16_000, outputRate: 16_000 });
    expect(tasks.count).toBe(0);
    await expect(prepareResampler({ inputRate: 16_000, outputRate: 7999 })).rejects.toThrow(RangeError);
    await expect(prepareResampler({ inputRate: 16_000.5, outputRate: 16_000 })).rejects.toThrow(/whole rates/);
    await expect(prepareResampler({ ...rates, quality: { beta: 21 } })).rejects.toThrow(/a beta of 0 to 20, got 21/);
    await prepareResampler({ inputRate: 48_000, outputRate: 16_000 });
  });
});
