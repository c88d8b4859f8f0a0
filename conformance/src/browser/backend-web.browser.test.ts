// The backend suite on backend-web, in a worker of a page in Chromium: on every device, and with and without shared memory.

import { fileURLToPath } from "node:url";
import type { WebBackendOptions } from "@microturn/backend-web";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bundle,
  chromiumPath,
  openChromium,
  startServer,
  type TestServer,
  webgpuFlags,
  withoutChromium,
} from "../../../scripts/browser-testing.js";
import { backendChecks } from "../backend-suite.js";
import type { CheckReply, CheckRequest } from "./backend-worker.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Variant {
  readonly name: string;
  readonly isolated: boolean;
  readonly options: WebBackendOptions;
  /** In what the backend says of its device. */
  readonly device: RegExp;
  /** Of each check, ms. */
  readonly timeoutMs: number;
}

const variants: readonly Variant[] = [
  {
    name: "wasm, one thread, page not isolated",
    isolated: false,
    options: { devices: ["wasm"], threads: 2 },
    device: /^WebAssembly, 1 thread$/,
    timeoutMs: 60_000,
  },
  {
    name: "wasm, two threads, page isolated",
    isolated: true,
    options: { devices: ["wasm"], threads: 2 },
    device: /^WebAssembly, 2 threads$/,
    timeoutMs: 60_000,
  },
  {
    name: "wasm, whole state",
    isolated: true,
    options: { devices: ["wasm"], threads: 1, target: { state: "whole" } },
    device: /^WebAssembly, 1 thread$/,
    timeoutMs: 60_000,
  },
  {
    // A simulated device takes tens of seconds to compile and run the shaders of a model.
    name: "webgpu, software adapter",
    isolated: true,
    options: { devices: ["webgpu"], allowSoftware: true },
    device: /^WebGPU, /,
    timeoutMs: 240_000,
  },
];

describe.skipIf(chromiumPath === undefined)(`backend web${withoutChromium}`, () => {
  let browser: Browser;
  let worker: string;
  beforeAll(async () => {
    worker = await bundle(here("backend-worker.ts"), {
      conditions: ["onnxruntime-web-use-extern-wasm"],
      alias: { vitest: here("vitest-in-page.ts") },
    });
    browser = await openChromium(webgpuFlags);
  });
  afterAll(() => browser?.close());

  describe.each(variants)("$name", ({ isolated, options, device, timeoutMs }) => {
    let server: TestServer;
    let page: Page;
    const ask = async (request: CheckRequest): Promise<string> => {
      const reply = await page.evaluate(
        (message) =>
          new Promise<CheckReply>((resolve) => {
            const { worker } = window as unknown as { worker: Worker };
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => resolve({ failure: message });
            worker.postMessage(message);
          }),
        request,
      );
      if ("failure" in reply) throw new Error(reply.failure);
      return reply.said;
    };

    beforeAll(async () => {
      server = await startServer({
        isolated,
        routes: {
          "/": "<!doctype html><title>backend suite</title>",
          "/worker.js": worker,
          "/ort/": { folder: here("../../../node_modules/onnxruntime-web/dist") },
        },
      });
      page = await browser.newPage();
      await page.goto(`${server.url}/`);
      await page.evaluate(() => {
        Object.assign(window, { worker: new Worker("/worker.js", { type: "module" }) });
      });
      expect(await ask({ open: { ...options, runtimeFolder: "/ort/" } })).toMatch(device);
    }, timeoutMs);
    afterAll(async () => {
      await page?.close();
      await server?.close();
    });

    for (const { name } of backendChecks) test(name, () => ask({ check: name }), timeoutMs);
  });
});
