// Whether memory grows: a conversation of a simulated hour, resident memory and heap over it, and how fast they grow.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { DuplexSession, type Engine, localEngine } from "@microturn/core";
import { tinyModel } from "@microturn/core/testing";
import { type BenchContext, benchEngine } from "./model.js";
import type { BenchGoal, BenchSection } from "./report.js";
import { speechLike } from "./speech-like.js";

/**
 * Mean growth per unit of `x` from each value to the next, and its standard error.
 *
 * Memory comes in steps that stay: a page of a heap, an arena of an allocator. Such readings are close to a random walk, and a
 * line through one has a slope and a small error of its own where nothing grows (Granger and Newbold 1974, "Spurious
 * regressions in econometrics"). A leak shows in all of the growth from value to value, a step once; one step, however
 * large, also has a large error, so a bound on the growth itself belongs beside this.
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
/** Growth of resident memory per hour that is no leak whatever its error, as a share of it. */
const allowedGrowth = 0.01;
const turnsPerMinute = 300;

/** What was read while a conversation went on: hours since its start, and MiB. */
interface Readings {
  readonly hours: readonly number[];
  readonly resident: readonly number[];
  readonly heap: readonly number[];
}

/**
 * Growth of memory per hour of conversation: with the model at hand, and with the small model of the tests, whose micro-turns
 * are so quick that several hours fit into the time of one.
 */
export async function memorySection(context: BenchContext): Promise<BenchSection> {
  const minutes = context.quick ? 4 : 60;
  const longMinutes = context.quick ? 8 : 240;
  // Garbage that waits for its collection is not growth.
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  // The small one first: what a large model gives back would hide what grows.
  const long = growthIn(await converse(smallEngine(context), longMinutes, collectGarbage, context.say));
  const own = growthIn(await converse(benchEngine(context), minutes, collectGarbage, context.say));
  return {
    title: `Memory over ${minutes} simulated minutes, and over ${longMinutes} with a small model`,
    rows: [
      { name: "resident", value: inWords(own.resident), note: `means of ${stretches} stretches: ${own.means} MiB` },
      { name: "heap", value: inWords(own.heap) },
      { name: "resident, small model", value: inWords(long.resident), note: `the same: ${long.means} MiB` },
      { name: "heap, small model", value: inWords(long.heap) },
    ],
    goals: [goal("resident memory, slope", own), goal("the same, small model", long)],
    figures: { minutes, ...own, small: { minutes: longMinutes, ...long } },
  };
}

function smallEngine({ backend }: BenchContext): Engine {
  return localEngine({ model: tinyModel(), backend });
}

/** Talks for a while and reads memory on the way; closes the engine. */
async function converse(
  engine: Engine,
  minutes: number,
  collectGarbage: () => void,
  say: (text: string) => void,
): Promise<Readings> {
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
    if (turn % (10 * turnsPerMinute) === 0) say(`minute ${turn / turnsPerMinute} of ${minutes}`);
    await session.writeAudio(sound(turn));
  }
  await session.finish();
  await reading;
  await engine.close();
  return { hours, resident, heap };
}

/** Growth of a kind of memory in MiB per hour, with its standard error. */
export interface Growth {
  readonly slope: number;
  readonly error: number;
}

function growthIn({ hours, resident, heap }: Readings): {
  resident: Growth;
  heap: Growth;
  share: number;
  means: string;
} {
  const grown = (values: readonly number[]) => driftOf(stretchMeans(hours, stretches), stretchMeans(values, stretches));
  const means = stretchMeans(resident, stretches);
  const growth = grown(resident);
  return {
    resident: growth,
    heap: grown(heap),
    share: growth.slope / means[0],
    means: means.map((mean) => mean.toFixed(1)).join(", "),
  };
}

function inWords({ slope, error }: Growth): string {
  return `${slope.toFixed(2)} MiB per hour (standard error ${error.toFixed(2)})`;
}

function goal(name: string, { resident, share }: { resident: Growth; share: number }): BenchGoal {
  return {
    name,
    value: `${inWords(resident)}, ${(100 * share).toFixed(2)} %`,
    goal: `no growth beyond two standard errors, and at most ${100 * allowedGrowth} % an hour`,
    held: isNoGrowth(resident, share),
  };
}

/** Whether memory that grows like this counts as not growing. `share` is the slope as a share of the whole. */
export function isNoGrowth({ slope, error }: Growth, share: number): boolean {
  return slope <= 2 * error && share <= allowedGrowth;
}
