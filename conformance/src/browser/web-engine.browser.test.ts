// The engine suite on `webEngine`, driven from a page in Chromium: a tiny model in a worker, read by the worker or by the page.

import { fileURLToPath } from "node:url";
import type { WebEngineOptions } from "@microturn/backend-web";
import { tinyAcoustic, tinyModelFiles } from "@microturn/core/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bundle,
  chromiumPath,
  openChromium,
  type Route,
  startServer,
  type TestServer,
  webgpuFlags,
  withoutChromium,
} from "../../../scripts/browser-testing.js";
import { engineChecks } from "../engine-suite.js";
import type { EnginePage } from "./engine-page.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const extern = { conditions: ["onnxruntime-web-use-extern-wasm"] };

interface Variant {
  readonly name: string;
  readonly isolated: boolean;
  readonly options: Omit<WebEngineOptions, "model">;
  readonly fromPage: boolean;
  readonly device: RegExp;
  readonly timeoutMs: number;
}

const variants: readonly Variant[] = [
  {
    name: "wasm, one session, page not isolated, model from the page",
    isolated: false,
    options: { devices: ["wasm"] },
    fromPage: true,
    device: /^WebAssembly, 1 thread$/,
    timeoutMs: 60_000,
  },
  {
    name: "wasm, three sessions, page isolated, model by its URL",
    isolated: true,
    options: { devices: ["wasm"], maxSessions: 3, threads: 2 },
    fromPage: false,
    device: /^WebAssembly, 2 threads$/,
    timeoutMs: 60_000,
  },
  {
    // A simulated device takes tens of seconds to compile and run the shaders of a model.
    name: "webgpu, software adapter, one session, model by its URL",
    isolated: true,
    options: { devices: ["webgpu"], allowSoftware: true, acceptSlow: true },
    fromPage: false,
    device: /^WebGPU, /,
    timeoutMs: 300_000,
  },
];

describe.skipIf(chromiumPath === undefined)(`web engine${withoutChromium}`, () => {
  let browser: Browser;
  let routes: Record<string, Route>;
  beforeAll(async () => {
    const files = await tinyModelFiles({ seed: 3, duplex: { acoustic: tinyAcoustic } });
    routes = {
      "/": '<!doctype html><title>engine suite</title><script type="module" src="/page.js"></script>',
      "/page.js": await bundle(here("engine-page.ts"), { ...extern, alias: { vitest: here("vitest-in-page.ts") } }),
      "/worker.js": await bundle(here("../../../packages/backend-web/src/worker.ts"), extern),
      "/ort/": { folder: here("../../../node_modules/onnxruntime-web/dist") },
      ...Object.fromEntries([...files].map(([path, bytes]) => [`/tiny/${path}`, bytes])),
    };
    browser = await openChromium(webgpuFlags);
  });
  afterAll(() => browser?.close());

  describe.each(variants)("$name", ({ isolated, options, fromPage, device, timeoutMs }) => {
    let server: TestServer;
    let page: Page;
    beforeAll(async () => {
      server = await startServer({ isolated, routes });
      page = await browser.newPage();
      await page.goto(`${server.url}/`);
      await page.waitForFunction(() => "page" in window);
      const described = await page.evaluate(
        ([options, fromPage]) => (window as unknown as { page: EnginePage }).page.open(options, fromPage),
        [{ ...options, runtimeFolder: "/ort/" }, fromPage] as const,
      );
      expect(described).toMatch(device);
    }, timeoutMs);
    afterAll(async () => {
      await page?.close();
      await server?.close();
    });

    for (const { name } of engineChecks) {
      test(
        name,
        async (task) => {
          const skipped = await page.evaluate(
            (name) => (window as unknown as { page: EnginePage }).page.check(name),
            name,
          );
          if (skipped !== "") task.skip(skipped);
        },
        timeoutMs,
      );
    }
  });
});
