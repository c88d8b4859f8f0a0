// Whether memory grows: a conversation of a simulated hour, resident memory and heap over it, and how fast they grow.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DuplexSession } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import type { BenchSection } from "./report.js";
import { speechLike } from "./speech-like.js";

/**
 * Mean growth per unit of `x` from each value to the next, and its standard error.
 *
 * Memory comes in steps that stay: a page of a heap, an arena of an allocator. Such readings are a random walk, and a line
 * through one has a slope and a small error of its own where nothing grows (Granger and Newbold 1974, "Spurious regressions
 * in econometrics"). Growth from value to value is what is independent; a leak shows in all of it, a step once.
 */
export function driftOf(x: readonly number[], y: readonly number[]): { slope: number; error: number } {
  const steps = y.slice(1).map((value, i) => (value - y[i]) / (x[i + 1] - x[i]));
  const n = steps.length;
  const slope = steps.reduce((sum, step) => sum + step, 0) / n;
  const rest = steps.reduce((sum, step) => sum + (step - slope) ** 2, 0);
  return { slope, error: Math.sqrt(rest / Math.max(1, n - 1) / n) };
}

/** Means of `count` equal stretches. */
export function stretchMeans(values: readonly number[], count: number): number[] {
  if (values.length < count) throw new RangeError(`expected at least ${count} values, got ${values.length}`);
  return Array.from({ length: count }, (_, i) => {
    const stretch = values.slice(
      Math.floor((i * values.length) / count),
      Math.floor(((i + 1) * values.length) / count),
    );
    return stretch.reduce((sum, value) => sum + value, 0) / stretch.length;
  });
}

/** Stretches whose means are compared. */
const stretches = 9;

/** Growth of memory per hour of conversation. */
export async function memorySection(context: BenchContext): Promise<BenchSection> {
  const minutes = context.quick ? 4 : 60;
  const turnsPerMinute = 300;
  // Garbage that waits for its collection is not growth.
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const engine = benchEngine(context);
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const sound = speechLike((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const hours: number[] = [];
  const resident: number[] = [];
  const heap: number[] = [];
  const reading = (async () => {
    for await (const turn of session) {
      // The first fifth fills rings and caches, and gives back what loading took: neither is growth or its opposite.
      if (turn.index < (turnsPerMinute * minutes) / 5 || turn.index % 75 !== 0) continue;
      collectGarbage();
      const { rss, heapUsed } = process.memoryUsage();
      hours.push(turn.index / turnsPerMinute / 60);
      resident.push(rss / 2 ** 20);
      heap.push(heapUsed / 2 ** 20);
    }
  })();
  for (let turn = 0; turn < turnsPerMinute * minutes; turn++) {
    if (turn % (10 * turnsPerMinute) === 0) context.say(`minute ${turn / turnsPerMinute} of ${minutes}`);
    await session.writeAudio(sound(turn));
  }
  await session.finish();
  await reading;
  await engine.close();
  const grown = (values: readonly number[]) => driftOf(stretchMeans(hours, stretches), stretchMeans(values, stretches));
  const growth = grown(resident);
  const heapGrowth = grown(heap);
  const words = ({ slope, error }: { slope: number; error: number }) =>
    `${slope.toFixed(2)} MiB per hour (standard error ${error.toFixed(2)})`;
  return {
    title: `Memory over ${minutes} simulated minutes`,
    rows: [
      {
        name: "resident",
        value: words(growth),
        note: `means of ${stretches} stretches: ${stretchMeans(resident, stretches)
          .map((mean) => mean.toFixed(1))
          .join(", ")} MiB`,
      },
      { name: "heap", value: words(heapGrowth) },
      {
        name: "smallest leak that shows",
        value: `${Math.round((2 * growth.error * 2 ** 20) / (60 * turnsPerMinute))} bytes per micro-turn`,
        note: "two standard errors",
      },
    ],
    goals: [
      {
        name: "resident memory, slope",
        value: words(growth),
        goal: "no growth beyond two standard errors",
        held: growth.slope <= 2 * growth.error,
      },
    ],
    figures: { minutes, resident: growth, heap: heapGrowth, residentMeans: stretchMeans(resident, stretches) },
  };
}
