// Whether memory grows: a conversation of simulated hours, resident memory and heap over it, and what they rise or fall by.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DuplexSession, type Engine } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { tinyModel } from "@microturn/core/testing";
import { type BenchContext, benchEngine } from "./model.js";
import type { BenchSection } from "./report.js";
import { speechLike } from "./speech-like.js";

/** Slope and its standard error, by least squares. */
export function slopeOf(x: readonly number[], y: readonly number[]): { slope: number; error: number } {
  const n = x.length;
  const meanX = x.reduce((sum, value) => sum + value, 0) / n;
  const meanY = y.reduce((sum, value) => sum + value, 0) / n;
  let xx = 0;
  let xy = 0;
  for (let i = 0; i < n; i++) {
    xx += (x[i] - meanX) ** 2;
    xy += (x[i] - meanX) * (y[i] - meanY);
  }
  const slope = xy / xx;
  let rest = 0;
  for (let i = 0; i < n; i++) rest += (y[i] - meanY - slope * (x[i] - meanX)) ** 2;
  return { slope, error: Math.sqrt(rest / Math.max(1, n - 2) / xx) };
}

/**
 * Growth over a time: the mean of what memory rose or fell by from each of `count` equal stretches to the next, and its standard
 * error by how much those differ. Resident memory comes in steps that stay, up and down: readings repeat each other, steps do not,
 * and a line through readings would be too sure of a step that happens to lie in them.
 *
 * @param hours - of the readings, evenly spaced
 * @param values - MiB
 * @param count - three or more
 * @returns MiB per hour, and the means of the stretches
 * @throws RangeError if there are fewer readings than stretches
 */
export function growthOf(
  hours: readonly number[],
  values: readonly number[],
  count: number,
): { slope: number; error: number; means: readonly number[] } {
  if (values.length < count) throw new RangeError(`expected at least ${count} readings, got ${values.length}`);
  const meanOf = (all: readonly number[], i: number) => {
    const stretch = all.slice(Math.floor((i * all.length) / count), Math.floor(((i + 1) * all.length) / count));
    return stretch.reduce((sum, value) => sum + value, 0) / stretch.length;
  };
  const means = Array.from({ length: count }, (_, i) => meanOf(values, i));
  const steps = means.slice(1).map((mean, i) => (mean - means[i]) / (meanOf(hours, i + 1) - meanOf(hours, i)));
  const slope = steps.reduce((sum, step) => sum + step, 0) / steps.length;
  const variance = steps.reduce((sum, step) => sum + (step - slope) ** 2, 0) / (steps.length - 1);
  return { slope, error: Math.sqrt(variance / steps.length), means };
}

/** Growth per hour that is too much whatever its error, as a share of the whole: one large step has a large error too. */
const allowedGrowth = 0.01;

/** Whether memory that grows by this slope, from `whole` at the start, counts as not growing. */
export function isNoGrowth({ slope, error }: { slope: number; error: number }, whole: number): boolean {
  return slope <= 2 * error && slope <= allowedGrowth * whole;
}

/**
 * Minutes of conversation before those. Rings and caches fill, what loading took is given back, and the heap and the system's
 * allocator get used to being collected so often: none of it is growth or its opposite.
 */
const settlingMinutes = 60;
/** Minutes that are measured then. */
const measuredMinutes = 240;
/** Stretches of those. */
const stretches = 9;
const turnsPerMinute = 300;

/** What was read while a conversation went on: hours since its start, and MiB. */
interface Readings {
  readonly hours: readonly number[];
  readonly resident: readonly number[];
  readonly heap: readonly number[];
}

/** Growth of memory per hour of conversation, with the model's runs on the caller's thread, as `microturn run` has them. */
export async function memorySection(context: BenchContext): Promise<BenchSection> {
  const backend = await context.backendOn("caller");
  try {
    return await growthSection(context, benchEngine({ ...context, backend }), "");
  } finally {
    await backend.close();
  }
}

/** The same with them in a worker, the library's default. */
export function workerMemorySection(context: BenchContext): Promise<BenchSection> {
  return growthSection(context, benchEngine(context), ", in a worker thread");
}

/**
 * The same with the small model of the tests, which says nothing and takes less: a leak of the session or the backend is a larger part
 * of it.
 */
export function longMemorySection(context: BenchContext): Promise<BenchSection> {
  const engine = localEngine({ model: tinyModel(), backend: context.backend });
  return growthSection(context, engine, ", small model");
}

async function growthSection({ say, quick }: BenchContext, engine: Engine, suffix: string): Promise<BenchSection> {
  const settling = quick ? 1 : settlingMinutes;
  const minutes = quick ? 4 : measuredMinutes;
  const { hours, resident, heap } = await converse(engine, { settling, minutes, say });
  const growth = growthOf(hours, resident, stretches);
  const heapGrowth = growthOf(hours, heap, stretches);
  const words = ({ slope, error }: { slope: number; error: number }) =>
    `${slope.toFixed(2)} MiB per hour (standard error ${error.toFixed(2)})`;
  return {
    title: `Memory over ${minutes} simulated minutes, after ${settling}${suffix}`,
    rows: [
      {
        name: "resident",
        value: words(growth),
        note: `means of ${stretches} stretches: ${growth.means.map((mean) => mean.toFixed(1)).join(", ")} MiB`,
      },
      { name: "heap", value: words(heapGrowth) },
    ],
    goals: [
      {
        name: `resident memory, slope${suffix}`,
        value: words(growth),
        goal: `no growth beyond two standard errors, and at most ${100 * allowedGrowth} % an hour`,
        held: isNoGrowth(growth, growth.means[0]),
      },
    ],
    figures: { minutes, resident: growth, heap: heapGrowth, readings: { hours, resident, heap } },
  };
}

/** Talks for a while and then reads memory on the way; closes the engine. */
async function converse(
  engine: Engine,
  { settling, minutes, say }: { settling: number; minutes: number; say: (text: string) => void },
): Promise<Readings> {
  // Garbage that waits for its collection is not growth.
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const sound = speechLike((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const hours: number[] = [];
  const resident: number[] = [];
  const heap: number[] = [];
  const reading = (async () => {
    for await (const turn of session) {
      if (turn.index % 75 !== 0) continue;
      collectGarbage();
      if (turn.index < turnsPerMinute * settling) continue;
      const { rss, heapUsed } = process.memoryUsage();
      hours.push(turn.index / turnsPerMinute / 60);
      resident.push(rss / 2 ** 20);
      heap.push(heapUsed / 2 ** 20);
    }
  })();
  const whole = settling + minutes;
  for (let turn = 0; turn < turnsPerMinute * whole; turn++) {
    if (turn % (10 * turnsPerMinute) === 0) say(`minute ${turn / turnsPerMinute} of ${whole}`);
    await session.writeAudio(sound(turn));
  }
  await session.finish();
  await reading;
  await engine.close();
  return { hours, resident, heap };
}
