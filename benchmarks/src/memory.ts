// Whether memory grows: a conversation of simulated hours, resident memory and heap over it, and its slope in each.

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
 * Growth over `parts` equal parts of a time, usually hours: the mean of the slopes in each, and its standard error by how much they
 * differ. Memory comes in steps that stay: a line through all readings would be too sure of a step that happens to lie in them.
 *
 * @throws RangeError if a part has fewer than two readings
 */
export function growthOf(
  x: readonly number[],
  y: readonly number[],
  parts: number,
): { slope: number; error: number; slopes: readonly number[] } {
  if (x.length < 2 * parts) throw new RangeError(`expected at least ${2 * parts} readings, got ${x.length}`);
  const bound = (part: number) => Math.floor((part * x.length) / parts);
  const slopes = Array.from(
    { length: parts },
    (_, i) => slopeOf(x.slice(bound(i), bound(i + 1)), y.slice(bound(i), bound(i + 1))).slope,
  );
  const slope = slopes.reduce((sum, one) => sum + one, 0) / parts;
  const variance = slopes.reduce((sum, one) => sum + (one - slope) ** 2, 0) / Math.max(1, parts - 1);
  return { slope, error: Math.sqrt(variance / parts), slopes };
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
/** Minutes that are measured then: of each of these hours the slope is one value, and what they differ by is the noise. */
const measuredMinutes = 240;
const parts = 4;
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
  const growth = growthOf(hours, resident, parts);
  const heapGrowth = growthOf(hours, heap, parts);
  const words = ({ slope, error }: { slope: number; error: number }) =>
    `${slope.toFixed(2)} MiB per hour (standard error ${error.toFixed(2)})`;
  const each = (slopes: readonly number[]) => slopes.map((slope) => slope.toFixed(2)).join(", ");
  return {
    title: `Memory over ${minutes} simulated minutes, after ${settling}${suffix}`,
    rows: [
      {
        name: "resident",
        value: words(growth),
        note: `in each quarter ${each(growth.slopes)}; ${Math.min(...resident).toFixed(1)} to ${Math.max(...resident).toFixed(1)} MiB, ${resident[0].toFixed(1)} at first, ${resident[resident.length - 1].toFixed(1)} at the end`,
      },
      { name: "heap", value: words(heapGrowth), note: `in each quarter ${each(heapGrowth.slopes)}` },
    ],
    goals: [
      {
        name: `resident memory, slope${suffix}`,
        value: words(growth),
        goal: `no growth beyond two standard errors, and at most ${100 * allowedGrowth} % an hour`,
        held: isNoGrowth(growth, resident[0]),
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
