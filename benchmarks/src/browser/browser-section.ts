// The page's side of the figures: mini in WASM in headless Chromium, cold and warm, with one thread and with two.

import { isNoGrowth, slopeOf } from "../memory.js";
import type { BenchContext } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import { openChromium, skipped } from "./chromium.js";
import { servePages } from "./page-server.js";
import { longestByKind, type PageTask, tasksOfPage } from "./page-tasks.js";
import type { TimedPage, Visit, VisitOptions } from "./visit.js";

const megabyte = 1 << 20;

interface RunOptions extends VisitOptions {
  readonly isolated: boolean;
  /** Notes every task of the page's thread. */
  readonly traced?: boolean;
}

type Run = (options: RunOptions) => Promise<Visit & { readonly tasks: readonly PageTask[] }>;

/** Lets `use` visit the page in headless Chromium, always the same one, with its caches. @returns what it tells */
async function inChromium(
  title: string,
  use: (run: Run, version: string) => Promise<BenchSection>,
): Promise<BenchSection> {
  const flags = ["--enable-precise-memory-info", "--enable-blink-features=ForceEagerMeasureMemory"];
  const browser = await openChromium(flags);
  if (browser === undefined) return { title, ...skipped };
  const server = await servePages({ "/page.js": "page.ts" });
  try {
    const context = await browser.newContext();
    const run: Run = async ({ isolated, traced = false, ...options }) => {
      const page = await context.newPage();
      await page.goto(`${server.url}/${isolated ? "isolated" : "plain"}`);
      await page.waitForFunction(() => "visit" in globalThis);
      await page.evaluate(() => (globalThis as unknown as TimedPage).prepare());
      // What that left behind is not collected at the cost of what is measured.
      const devtools = await context.newCDPSession(page);
      await devtools.send("HeapProfiler.collectGarbage");
      if (traced) await browser.startTracing(page, { categories: ["toplevel"] });
      await page.evaluate((options) => (globalThis as unknown as TimedPage).visit(options), options);
      const tasks = traced ? tasksOfPage(await browser.stopTracing()) : [];
      const visit = await page.evaluate(() => (globalThis as unknown as TimedPage).visited());
      await page.close();
      return { ...visit, tasks };
    };
    return await use(run, browser.version());
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Time to a conversation, time of a micro-turn, and the gap when a worker breaks. */
export function browserSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const turns = quick ? 50 : 600;
  return inChromium("Browser", async (run, version) => {
    say("browser: first visit");
    const cold = await run({ isolated: false, threads: 1, turns: 10, realtime: false });
    say("browser: second visit, one thread");
    const one = await run({ isolated: false, threads: 1, turns, realtime: false });
    say("browser: two threads");
    const two = await run({ isolated: true, threads: 2, turns, realtime: false });
    say("browser: a worker that breaks");
    const broken = await run({ isolated: false, threads: 1, turns: 60, realtime: false, breakAt: 40 });
    const [stepOne, stepTwo] = [one, two].map(({ stepMs }) => percentiles(stepMs));
    const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
    return {
      title: `Browser: mini in WASM, headless Chromium ${version} (${turns} micro-turns each)`,
      rows: [
        {
          name: "to an open session, first visit",
          value: seconds(cold.openMs),
          note: "model and runtime from this machine",
        },
        { name: "to an open session, model in the cache", value: seconds(one.openMs), note: stagesOf(one) },
        {
          name: "whole micro-turn, one thread",
          value: inWords(stepOne),
          note: `run ${inWords(percentiles(one.runMs))}`,
        },
        {
          name: "whole micro-turn, two threads",
          value: inWords(stepTwo),
          note: `run ${inWords(percentiles(two.runMs))}`,
        },
        {
          name: "gap when the worker breaks",
          value: seconds(broken.gapMs ?? 0),
          note: "to be where it was in a new one, 15 micro-turns after a checkpoint",
        },
      ],
      goals: [
        {
          name: "browser, one thread, whole micro-turn p95",
          value: `${stepOne.p95.toFixed(1)} ms`,
          goal: "at most 100 ms",
          held: stepOne.p95 <= 100,
        },
        {
          name: "browser, two threads, p95",
          value: `${stepTwo.p95.toFixed(1)} ms`,
          goal: "less than with one",
          held: stepTwo.p95 < stepOne.p95,
        },
        {
          name: "browser, first conversation with a warm cache",
          value: seconds(one.openMs),
          goal: "at most 3 s",
          held: one.openMs <= 3000,
        },
      ],
      figures: { cold, one, two, broken },
    };
  });
}

/** When each stage began: `read 0.12, check 0.41, …` */
function stagesOf({ stages }: Visit): string {
  return `from ${Object.entries(stages)
    .map(([stage, ms]) => `${stage} ${(ms / 1000).toFixed(2)}`)
    .join(", ")} s on`;
}

/** Five minutes in real time: late micro-turns, long tasks of the page, and its heap. */
export function browserLiveSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const turns = quick ? 50 : 1500;
  const duration = `${(turns * 0.2).toFixed(0)} s`;
  return inChromium("Browser in real time", async (run) => {
    say(`browser: ${duration} in real time`);
    const live = await run({ isolated: false, threads: 1, turns, realtime: true });
    say("browser: every task of the page's thread");
    const tracedTurns = Math.min(turns, 300);
    const traced = await run({
      isolated: false,
      threads: 1,
      turns: tracedTurns,
      realtime: true,
      traced: true,
    });
    // Calls of this program are no work of the page.
    const own = traced.tasks.filter(({ kind }) => kind !== "harness").map(({ cpuMs }) => cpuMs);
    const tasks = percentiles(own.length === 0 ? [Number.NaN] : own);
    const heap = live.heap.map((bytes) => bytes / megabyte);
    const longest = Math.max(0, ...live.longTasks);
    return {
      title: `Browser in real time: mini in WASM, one thread, ${duration}`,
      rows: [
        {
          name: "whole micro-turn",
          value: inWords(percentiles(live.stepMs)),
          note: `${live.late} of ${live.stepMs.length} late`,
        },
        {
          name: "tasks of the page over 50 ms",
          value: `${live.longTasks.length}`,
          note: `loading included${longest === 0 ? "" : `; longest ${longest.toFixed(0)} ms`}`,
        },
        {
          name: "tasks of the page, processor time",
          value: `p99 ${tasks.p99.toFixed(2)}, max ${tasks.max.toFixed(1)} ms`,
          note: `${tasks.count} in ${tracedTurns * 0.2} s and while it loads and opens, by Chromium's trace`,
        },
        { name: "longest by what began them", value: longestByKind(traced.tasks) },
        {
          name: "heap of the page",
          value: `${Math.min(...heap).toFixed(1)} to ${Math.max(...heap).toFixed(1)} MB`,
          note: `last ${heap.at(-1)?.toFixed(1)} MB`,
        },
      ],
      goals: [
        {
          name: "browser, tasks of the page over 50 ms",
          value: `${live.longTasks.length}`,
          goal: "none in 5 minutes",
          held: live.longTasks.length === 0,
        },
        {
          name: "browser, longest task of the page's thread",
          value: `${tasks.max.toFixed(1)} ms`,
          goal: "at most 5 ms of the processor",
          held: tasks.max <= 5,
        },
      ],
      figures: { live, tasks },
    };
  });
}

/** Memory of page and worker over a simulated hour, as fast as it computes. */
export function browserMemorySection({ quick, say }: BenchContext): Promise<BenchSection> {
  const minutes = quick ? 2 : 60;
  const readings = 18;
  const turns = minutes * 300;
  return inChromium("Browser memory", async (run) => {
    say(`browser: ${minutes} simulated minutes`);
    const { memory } = await run({
      ...{ isolated: true, threads: 1, turns, realtime: false },
      memoryEvery: Math.floor(turns / readings),
    });
    // The first tenth is left out: compilers and pools settle.
    const settled = memory.slice(2).map((bytes) => bytes / megabyte);
    const hours = settled.map((_, i) => ((i + 2) / readings) * (minutes / 60));
    const line = slopeOf(hours, settled);
    const range = `${Math.min(...settled).toFixed(1)} to ${Math.max(...settled).toFixed(1)} MB`;
    const held = isNoGrowth(line, settled[0]);
    const slope = `${line.slope.toFixed(2)} +- ${line.error.toFixed(2)} MB an hour`;
    return {
      title: `Memory of page and worker in the browser (mini, WASM, ${minutes} simulated minutes)`,
      rows: [
        { name: "in use", value: range, note: `${settled.length} readings, by measureUserAgentSpecificMemory` },
        { name: "slope", value: slope },
      ],
      goals: [{ name: "browser, memory of page and worker", value: slope, goal: "0 within noise", held }],
      figures: { memory },
    };
  });
}
