// The page's side of the figures: mini in WASM in headless Chromium, cold and warm, with one thread and with two.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type BrowserContext, chromium } from "playwright-core";
import type { BenchContext } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import type { Visit, VisitOptions } from "./visit.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders: Readonly<Record<string, string>> = {
  "/mini/": join(root, "packages/mini"),
  "/runtime/": join(root, "packages/backend-web/dist"),
};
const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const megabyte = 1 << 20;

/** Time to a conversation, time of a micro-turn, tasks of the page, and its heap. */
export async function browserSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
    existsSync(path),
  );
  if (executablePath === undefined) {
    return { title: "Browser", rows: [{ name: "skipped", value: "no Chromium on this machine" }] };
  }
  const turns = quick ? 50 : 600;
  const realtimeTurns = quick ? 50 : 1500;
  const server = await serve();
  const browser = await chromium.launch({
    executablePath,
    args: ["--headless=new", "--no-sandbox", "--mute-audio", "--enable-precise-memory-info"],
  });
  const run = async (context: BrowserContext, isolated: boolean, options: VisitOptions): Promise<Visit> => {
    const page = await context.newPage();
    await page.goto(`${server.url}/${isolated ? "isolated" : "plain"}`);
    await page.waitForFunction(() => "visit" in globalThis);
    const visit = await page.evaluate(
      (options) => (globalThis as unknown as { visit(options: VisitOptions): Promise<Visit> }).visit(options),
      options,
    );
    await page.close();
    return visit;
  };
  try {
    const context = await browser.newContext();
    say("browser: first visit");
    const cold = await run(context, false, { threads: 1, turns: 10, realtime: false });
    say("browser: second visit, one thread");
    const one = await run(context, false, { threads: 1, turns, realtime: false });
    say("browser: two threads");
    const two = await run(context, true, { threads: 2, turns, realtime: false });
    say(`browser: ${(realtimeTurns * 0.2).toFixed(0)} s in real time`);
    const live = await run(context, false, { threads: 1, turns: realtimeTurns, realtime: true });
    const version = browser.version();
    const [stepOne, stepTwo, stepLive] = [one, two, live].map(({ stepMs }) => percentiles(stepMs));
    const heap = live.heap.map((bytes) => bytes / megabyte);
    const longest = Math.max(0, ...live.longTasks);
    return {
      title: `Browser: mini in WASM, headless Chromium ${version} (${turns} micro-turns each)`,
      rows: [
        {
          name: "to an open session, first visit",
          value: `${(cold.openMs / 1000).toFixed(2)} s`,
          note: "model and runtime from this machine",
        },
        { name: "to an open session, model in the cache", value: `${(one.openMs / 1000).toFixed(2)} s` },
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
          name: "whole micro-turn, in real time",
          value: inWords(stepLive),
          note: `${live.late} of ${live.stepMs.length} late`,
        },
        {
          name: "tasks of the page over 50 ms",
          value: `${live.longTasks.length} in ${(live.stepMs.length * 0.2).toFixed(0)} s`,
          note: live.longTasks.length === 0 ? "loading included" : `longest ${longest.toFixed(0)} ms, loading included`,
        },
        {
          name: "heap of the page",
          value: `${Math.min(...heap).toFixed(1)} to ${Math.max(...heap).toFixed(1)} MB`,
          note: `last ${heap.at(-1)?.toFixed(1)} MB`,
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
          name: "browser, two threads beside one, p95",
          value: `${stepTwo.p95.toFixed(1)} ms`,
          goal: "better than one",
          held: stepTwo.p95 < stepOne.p95,
        },
        {
          name: "browser, first conversation with a warm cache",
          value: `${(one.openMs / 1000).toFixed(2)} s`,
          goal: "at most 3 s",
          held: one.openMs <= 3000,
        },
        {
          name: "browser, tasks of the page over 50 ms",
          value: `${live.longTasks.length}`,
          goal: "none in 5 minutes",
          held: live.longTasks.length === 0,
        },
      ],
      figures: { cold, one, two, live },
    };
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Serves the page, with the headers of an isolated page and without. */
async function serve(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { outputFiles } = await build({
    entryPoints: [join(root, "benchmarks/src/browser/page.ts")],
    ...{
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      logLevel: "error",
    },
    // The worker and its runtime have files of their own.
    external: ["onnxruntime-web"],
  });
  const script = outputFiles?.[0].text ?? "";
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    response.setHeader("Cache-Control", "max-age=3600");
    if (path !== "/plain") {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const folder = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file =
      path === "/conversation.wav"
        ? join(root, "fixtures/speech/conversation.wav")
        : folder === undefined || path.includes("..")
          ? undefined
          : join(folders[folder], path.slice(folder.length));
    if (path === "/page.js") response.setHeader("Content-Type", "text/javascript").end(script);
    else if (path === "/plain" || path === "/isolated") {
      response
        .setHeader("Content-Type", "text/html")
        .end('<!doctype html><title>bench</title><script type="module" src="/page.js"></script>');
    } else if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile()) {
      const { mtimeMs, size } = statSync(file);
      response.setHeader("ETag", `"${size}-${mtimeMs}"`);
      response.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream").end(readFileSync(file));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
