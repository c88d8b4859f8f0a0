// WebGPU and WASM in the same minute of conversation: whether they say the same, and how far they differ inside.

import type { BenchContext } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import { openChromium, skipped } from "./chromium.js";
import type { DeviceComparison, DevicePage } from "./device-run.js";
import { servePages } from "./page-server.js";

/** Recordings of a minute and more, one after the other. */
const recordings = ["conversation", "barge-in", "pause-and-backchannel", "question"].map(
  (name) => `/speech/${name}.wav`,
);
/** A software adapter, where there is no GPU. */
const flags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** A simulated GPU takes seconds for a micro-turn, on a busy machine half a minute: then this is all the time it gets. */
const mostMs = 75 * 60_000;

/** Compares the two devices of a page over 60 s. */
export async function deviceSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const turns = quick ? 20 : 300;
  const title = `Browser, WebGPU (software adapter) and WASM: mini in ${turns * 0.2} s of conversation`;
  const browser = await openChromium(flags);
  if (browser === undefined) return { title, ...skipped };
  const server = await servePages({ "/page.js": "device-page.ts", "/device-worker.js": "device-worker.ts" });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}/isolated`);
    await page.waitForFunction(() => "page" in globalThis);
    const progress = setInterval(() => {
      const done = page.evaluate(() => (globalThis as unknown as { page: DevicePage }).page.done);
      done.then(
        (turn) => say(`browser-devices: micro-turn ${turn} of ${turns}`),
        () => {},
      );
    }, 15_000);
    try {
      const comparison = await page.evaluate(
        ({ recordings, turns, mostMs }) =>
          (globalThis as unknown as { page: DevicePage }).page.compare(recordings, turns, mostMs),
        { recordings, turns, mostMs },
      );
      return { title, ...told(comparison, turns) };
    } finally {
      clearInterval(progress);
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

function told({ difference, devices, said }: DeviceComparison, wanted: number): Omit<BenchSection, "title"> {
  const { turns, otherWords, otherLevels, levels, routerFlips, layers, mostShare, mostSample, speaking } = difference;
  const first = difference.firstDifference;
  return {
    rows: [
      ...devices.map(({ description, loadMs, stepMs }) => ({
        name: description,
        value: inWords(percentiles(stepMs), 0),
        note: `loaded in ${(loadMs / 1000).toFixed(1)} s, ${sum(stepMs).toFixed(0)} s for all`,
      })),
      {
        name: "micro-turns with other words",
        value: `${otherWords} of ${turns}`,
        note: `${speaking} in which it speaks`,
      },
      { name: "levels chosen otherwise", value: `${otherLevels} of ${levels}` },
      {
        name: "router flips",
        value: `${routerFlips} of ${layers}`,
        note: `layers of micro-turns; shares of experts differ by ${mostShare.toExponential(1)} at most`,
      },
      { name: "largest difference of a sample", value: mostSample.toExponential(1) },
      { name: "first difference", value: first === undefined ? "none" : `micro-turn ${first}` },
      { name: "words said", value: `${said.split(" ").length} in all of it, in WASM` },
    ],
    goals: [
      {
        name: "browser, what is said on WebGPU and on WASM",
        value: `${otherWords} of ${turns} micro-turns differ`,
        goal: `none of ${wanted}`,
        held: otherWords === 0 && speaking > 0 && turns === wanted,
      },
    ],
    figures: { difference, devices, said },
  };
}

/** Seconds. */
function sum(ms: readonly number[]): number {
  return ms.reduce((total, one) => total + one, 0) / 1000;
}
