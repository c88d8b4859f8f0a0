// The demo page as people have it: microphone, loudspeaker and time line beside the conversation. What its thread does at once, and for how long.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext } from "playwright-core";
import type { BenchContext } from "../model.js";
import type { BenchRow, BenchSection } from "../report.js";
import { openChromium, skipped } from "./chromium.js";
import { longestByKind, type PageTask, tasksOfPage } from "./page-tasks.js";

const recording = fileURLToPath(new URL("../../fixtures/speech/conversation.wav", import.meta.url));
const flags = [
  ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  ...[`--use-file-for-fake-audio-capture=${recording}`, "--autoplay-policy=no-user-gesture-required"],
];
/** Of loudspeakers. From 44.1 kHz on, many phases make the filters large; Chromium has that rate where there is no device at all. */
const rates = [48_000, 44_100];

/** What the page tells after a visit. */
interface DemoVisit {
  /** From the click to an open conversation, ms. */
  readonly openMs: number;
  /** Tasks of 50 ms or more, ms each. */
  readonly longTasks: readonly number[];
  /** Micro-turns that were late, of all. */
  readonly late: string;
}

/** Tasks of the demo's page in conversations with mini, at two rates of the sound, and in five minutes. */
export async function demoSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const title = "Demo page: mini in WASM, a recording in the microphone";
  const browser = await openChromium(flags);
  if (browser === undefined) return { title, ...skipped };
  const demo = await startDemo();
  const [tracedSeconds, longSeconds] = quick ? [5, 10] : [60, 300];
  try {
    const rows: BenchRow[] = [];
    const longest: number[] = [];
    for (const rate of rates) {
      const context = await contextAt(browser, rate);
      for (const name of ["first visit", "model in the cache"]) {
        say(`demo: ${rate} Hz, ${name}`);
        const { tasks, openMs } = await visit(context, demo.url, tracedSeconds, true);
        const own = tasks.filter(({ kind }) => kind !== "harness").map(({ cpuMs }) => cpuMs);
        longest.push(Math.max(...own));
        rows.push({
          name: `longest task at ${rate / 1000} kHz, ${name}`,
          value: `${Math.max(...own).toFixed(1)} ms of the processor`,
          note: `${own.filter((ms) => ms > 5).length} of ${own.length} over 5 ms; ${longestByKind(tasks)}; open after ${(openMs / 1000).toFixed(1)} s`,
        });
      }
      await context.close();
    }
    say(`demo: ${longSeconds} s`);
    const context = await contextAt(browser, rates[0]);
    const long = await visit(context, demo.url, longSeconds, false);
    rows.push({
      name: `tasks of 50 ms or more in ${longSeconds} s`,
      value: `${long.longTasks.length}`,
      note: `${long.longTasks.map((ms) => ms.toFixed(0)).join(", ") || "none"} ms by the clock, opening included; ${long.late} micro-turns late`,
    });
    return {
      title: `${title}, headless Chromium ${browser.version()}`,
      rows,
      goals: [
        {
          name: "demo, longest task at 48 kHz, model in the cache",
          value: `${longest[1].toFixed(1)} ms of the processor`,
          goal: "at most 5 ms",
          held: longest[1] <= 5,
        },
        {
          name: `demo, tasks of 50 ms or more in ${longSeconds} s`,
          value: `${long.longTasks.length}`,
          goal: "none",
          held: long.longTasks.length === 0,
        },
      ],
      figures: { longest, long: { ...long, tasks: long.tasks.length } },
    };
  } finally {
    await browser.close();
    await demo.stop();
  }
}

/** The command, as a user starts it. */
async function startDemo(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const bin = join(dirname(createRequire(import.meta.url).resolve("microturn/package.json")), "dist/bin.js");
  const child = spawn(process.execPath, [bin, "demo", "--port", "0", "--no-open"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /http:\/\/localhost:\d+\//.exec(line)?.[0];
    if (url === undefined) continue;
    const stop = async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    };
    return { url, stop };
  }
  throw new Error("microturn demo told no address");
}

/** A visitor of his own, whose sound has a rate. */
async function contextAt(browser: Browser, rate: number): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 960 } });
  await context.addInitScript(`{
    const Plain = AudioContext;
    window.AudioContext = class AudioContext extends Plain {
      constructor(options) { super({ ...options, sampleRate: ${rate} }); }
    };
  }`);
  return context;
}

async function visit(
  context: BrowserContext,
  url: string,
  seconds: number,
  traced: boolean,
): Promise<DemoVisit & { readonly tasks: readonly PageTask[] }> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(`document.body.dataset.phase === "idle"`);
  // What the browser does after loading a page is over.
  await wait(2000);
  if (traced) await context.browser()?.startTracing(page, { categories: ["toplevel"] });
  const openMs = await page.evaluate<number>(pressStart);
  await wait(1000 * seconds);
  const trace = traced ? await context.browser()?.stopTracing() : undefined;
  const longTasks = await page.evaluate<number[]>("longTasks");
  const late = (await page.textContent("#late")) ?? "";
  await page.close();
  return { openMs, longTasks, late, tasks: trace === undefined ? [] : tasksOfPage(trace) };
}

/** Runs in the page: presses the button in a task of its own, and gives the time until the conversation is open, ms. */
const pressStart = `new Promise((resolve, reject) => {
  window.longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ entryTypes: ["longtask"] });
  const startMs = performance.now();
  new MutationObserver(() => {
    const { phase } = document.body.dataset;
    if (phase === "open") resolve(performance.now() - startMs);
    if (phase === "idle") reject(new Error(document.getElementById("problem").textContent));
  }).observe(document.body, { attributeFilter: ["data-phase"] });
  setTimeout(() => document.getElementById("start").click());
})`;
