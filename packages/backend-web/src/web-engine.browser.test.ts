import { fileURLToPath } from "node:url";
import { tinyModelFiles } from "@microturn/core/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openBackgroundTab } from "../../../scripts/background-tab.js";
import {
  bundle,
  chromiumPath,
  openChromium,
  type Route,
  type ServerOptions,
  startServer,
  type TestServer,
  webgpuFlags,
  withoutChromium,
} from "../../../scripts/browser-testing.js";
import type { EnginePage, LiveTalk } from "./testing/engine-page.js";
import type { DeviceChange, WebEngine } from "./web-engine.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const extern = { conditions: ["onnxruntime-web-use-extern-wasm"] };

/** What a test finds in its page. */
declare const page: EnginePage;
/** What it leaves there for later. */
declare const live: LiveTalk;

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, 1000 * count));

describe.skipIf(chromiumPath === undefined)(`webEngine${withoutChromium}`, { timeout: 120_000 }, () => {
  let routes: Record<string, Route>;
  let plain: Browser;
  let withGpu: Browser;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    const files = await tinyModelFiles({ seed: 3 });
    routes = {
      "/": '<!doctype html><title>engine</title><script type="module" src="/page.js"></script>',
      "/page.js": await bundle(here("testing/engine-page.ts"), extern),
      "/worker.js": await bundle(here("worker.ts"), extern),
      "/fragile-worker.js": await bundle(here("testing/fragile-worker.ts"), extern),
      "/ort/": { folder: here("../../../node_modules/onnxruntime-web/dist") },
      "/mini/": { folder: here("../../mini") },
      ...Object.fromEntries([...files].map(([path, bytes]) => [`/tiny/${path}`, bytes])),
    };
    [plain, withGpu] = await Promise.all([openChromium(), openChromium(webgpuFlags)]);
  });
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
  afterAll(() => Promise.all([plain?.close(), withGpu?.close()]));

  async function visit(browser: Browser, options: Partial<ServerOptions> = {}): Promise<Page> {
    const server: TestServer = await startServer({ routes, ...options });
    open.push(server);
    const context = await browser.newContext();
    open.push(context);
    const tab = await context.newPage();
    await tab.goto(`${server.url}/`);
    await tab.waitForFunction(() => "page" in window);
    return tab;
  }

  it("goes on in a new worker when the first one breaks, as if nothing had been", async () => {
    const tab = await visit(plain);
    const [undisturbed, broken, changes] = await tab.evaluate(async () => {
      const changes: DeviceChange[] = [];
      const options = {
        devices: ["wasm"] as const,
        onDeviceChange: (change: DeviceChange) => void changes.push(change),
      };
      const engine = page.makeEngine(options);
      const undisturbed = await page.talk(engine, 40);
      // Once before and once after the first checkpoint.
      const broken = await page.talk(engine, 40, { 7: "worker", 33: "worker" });
      await engine.close();
      return [undisturbed, broken, changes] as const;
    });
    expect(undisturbed).toHaveLength(40);
    expect(new Set(undisturbed).size).toBeGreaterThan(20);
    expect(broken).toEqual(undisturbed);
    expect(changes).toHaveLength(2);
    for (const { from, to, reason, gapMs, sessions } of changes) {
      expect([from.device, to.device, sessions]).toEqual(["wasm", "wasm", 1]);
      expect(reason).toContain("it was told to break");
      expect(gapMs).toBeGreaterThan(0);
    }
  });

  it("lets a model wait for as long as it is told to", async () => {
    const tab = await visit(plain);
    const [usual, patient] = await tab.evaluate(async () => {
      const said: string[][] = [];
      for (const options of [{}, { startMargin: 20 }]) {
        const engine = page.makeEngine({ devices: ["wasm"], ...options });
        said.push(await page.talk(engine, 20));
        await engine.close();
      }
      return said;
    });
    const decisions = (said: readonly string[]) => [...new Set(said.map((line) => line.split(" ")[0]))].sort();
    expect(decisions(usual)).toContain("speak");
    expect(decisions(patient)).toEqual(["listen"]);
  });

  it("gives up a worker that breaks again and again, with the reason", async () => {
    const tab = await visit(plain);
    const said = await tab.evaluate(async () => {
      const engine = page.makeEngine({ devices: ["wasm"] });
      const breaks = Object.fromEntries([2, 4, 6, 8].map((turn) => [turn, "worker" as const]));
      const said = await page.talk(engine, 12, breaks);
      await engine.close();
      return said;
    });
    expect(said.length).toBeLessThan(12);
    expect(said.at(-1)).toMatch(/^BACKEND_FAILED .*lost 4 times in a minute.*it was told to break/);
  });

  it("goes on in a new worker when the runtime of the first one has no memory left", async () => {
    const tab = await visit(plain);
    const [undisturbed, broken, changes] = await tab.evaluate(async () => {
      const changes: DeviceChange[] = [];
      const engine = page.makeEngine({ devices: ["wasm"], onDeviceChange: (change) => void changes.push(change) });
      const undisturbed = await page.talk(engine, 8);
      const broken = await page.talk(engine, 8, { 4: "memory" });
      await engine.close();
      return [undisturbed, broken, changes] as const;
    });
    expect(broken).toEqual(undisturbed);
    expect(changes.map(({ sessions, reason }) => [sessions, reason])).toEqual([
      [1, expect.stringMatching(/bad_alloc|failed to allocate/)],
    ]);
  });

  it("says that there is not enough memory: for the runtime, and for the model", async () => {
    const tab = await visit(plain);
    const [noRuntime, noModel] = await tab.evaluate(async () => {
      const withMemory = (megabytes: number, model: string) =>
        page.makeEngine({
          ...{ devices: ["wasm"], model },
          worker: () => new Worker(`/fragile-worker.js?memory=${megabytes}`, { type: "module" }),
        });
      return [
        await page.failure(withMemory(8, "/tiny/").load()),
        // Its graph is 36 MB.
        await page.failure(withMemory(80, "/mini/").load()),
      ];
    });
    const told = /^BACKEND_UNAVAILABLE .*\nwasm: .*to get it, close other tabs and programs, or use a smaller model$/;
    expect(noRuntime).toMatch(told);
    expect(noRuntime).toContain("could not allocate memory");
    expect(noModel).toMatch(told);
    expect(noModel).toMatch(/it has not enough memory \(.*bad_alloc/);
  });

  it("moves a session whose GPU is lost: to it again, and when it is lost once more, to WASM", {
    timeout: 240_000,
  }, async () => {
    const tab = await visit(withGpu, { isolated: true });
    const [said, changes, choice, undisturbed] = await tab.evaluate(async () => {
      const changes: DeviceChange[] = [];
      const engine = page.makeEngine({
        allowSoftware: true,
        acceptSlow: true,
        onDeviceChange: (change) => void changes.push(change),
      });
      await engine.load();
      const choice = engine.choice?.device;
      const undisturbed = await page.talk(engine, 8);
      const said = await page.talk(engine, 12, { 3: "gpu", 8: "gpu" });
      await engine.close();
      return [said, changes, choice, undisturbed] as const;
    });
    expect(choice).toBe("webgpu");
    expect(said).toHaveLength(12);
    expect(said.at(-1)).not.toMatch(/^[A-Z_]+ /);
    // On the same kind of device, what follows is what would have been.
    expect(said.slice(0, 8)).toEqual(undisturbed);
    expect(changes.map(({ from, to }) => [from.device, to.device])).toEqual([
      ["webgpu", "webgpu"],
      ["webgpu", "wasm"],
    ]);
    for (const { reason, gapMs } of changes) {
      expect(reason).toContain("the device was lost");
      expect(gapMs).toBeGreaterThan(0);
    }
    console.info(`a GPU that is lost: gaps of ${changes.map(({ gapMs }) => gapMs.toFixed(0)).join(" and ")} ms`);
  });

  it("holds no more memory of the GPU the longer a session lasts", { timeout: 360_000 }, async () => {
    const tab = await visit(withGpu, { isolated: true });
    const readings = await tab.evaluate(async () => {
      const engine = page.makeEngine({ devices: ["webgpu"], allowSoftware: true, acceptSlow: true });
      // In each part is a checkpoint, which reads the state back.
      const readings = await page.gpuMemory(engine, 26, 2);
      await engine.close();
      return readings;
    });
    console.info(
      `GPU buffers after 26 and 52 micro-turns: ${readings.map(({ buffers, bytes }) => `${buffers} (${bytes})`)}`,
    );
    expect(readings[0].buffers).toBeGreaterThan(20);
    expect(readings[1]).toEqual(readings[0]);
  });

  it("passes over what is not there, and says why and how to get it", async () => {
    const tab = await visit(plain);
    const [choice, failure, reports] = await tab.evaluate(async () => {
      const engine = page.makeEngine();
      await engine.load();
      const { choice } = engine;
      await engine.close();
      const failure = await page.failure(page.makeEngine({ devices: ["webgpu"] }).load());
      return [choice, failure, await page.probeDevices()] as const;
    });
    expect(choice?.device).toBe("wasm");
    expect(choice?.calibration.turnMs).toBeGreaterThan(0);
    expect(choice?.passedOver).toEqual([
      { device: "webgpu", reason: expect.stringMatching(/adapter|WebGPU/), fix: expect.stringMatching(/WASM/) },
    ]);
    expect(failure).toMatch(/^BACKEND_UNAVAILABLE .*no device works here.*\nwebgpu: .*; to get it, /);
    expect(reports.map(({ device, works }) => [device, works])).toEqual([
      ["webgpu", false],
      ["wasm", true],
    ]);
    expect(reports[1]).toMatchObject({ threads: 1, isolated: false, memoryGib: expect.any(Number) });
    const isolated = await visit(plain, { isolated: true });
    const [{ threads, ...more }] = await isolated.evaluate(() => page.probeDevices({ devices: ["wasm"] }));
    expect(more).toMatchObject({ isolated: true, memoryGib: reports[1].memoryGib });
    expect(threads).toBe(Math.min(4, await isolated.evaluate(() => navigator.hardwareConcurrency)));
  });

  it("passes over a device that does not keep up", { timeout: 120_000 }, async () => {
    const tab = await visit(withGpu);
    const choice = await tab.evaluate(async () => {
      const engine = page.makeEngine({ allowSoftware: true });
      await engine.load();
      const { choice } = engine;
      await engine.close();
      return choice;
    });
    expect(choice?.device).toBe("wasm");
    expect(choice?.passedOver[0].reason).toMatch(/^a micro-turn takes \d+ ms of 200$/);
  });

  it("refuses an adapter that computes on the processor, unless it is asked for", async () => {
    const tab = await visit(withGpu);
    const reports = await tab.evaluate(async () => [
      ...(await page.probeDevices({ devices: ["webgpu"] })),
      ...(await page.probeDevices({ devices: ["webgpu"], allowSoftware: true })),
    ]);
    expect(reports.map(({ works, software }) => [works, software])).toEqual([
      [false, true],
      [true, true],
    ]);
    expect(reports[0].reason).toContain("computes on the processor");
  });

  it("passes over an adapter that binds too few buffers for the shaders", async () => {
    const tab = await visit(withGpu);
    const [reports, choice] = await tab.evaluate(async () => {
      const worker = () => new Worker("/fragile-worker.js?buffers=6", { type: "module" });
      const { prototype } = GPUSupportedLimits;
      Object.defineProperty(prototype, "maxStorageBuffersPerShaderStage", { get: () => 6 });
      const reports = await page.probeDevices({ allowSoftware: true });
      const engine = page.makeEngine({ allowSoftware: true, acceptSlow: true, worker });
      await engine.load();
      const { choice } = engine;
      await engine.close();
      return [reports, choice] as const;
    });
    const reason = "the adapter binds 6 buffers in a shader, 8 are needed";
    expect(reports.map(({ device, works }) => [device, works])).toEqual([
      ["webgpu", false],
      ["wasm", true],
    ]);
    expect(reports[0]).toMatchObject({ reason, shaderF16: expect.any(Boolean), maxBufferBytes: expect.any(Number) });
    expect(choice).toMatchObject({
      device: "wasm",
      passedOver: [{ device: "webgpu", reason, fix: expect.stringMatching(/WASM/) }],
    });
  });

  it("passes over a GPU that has too little memory for the model", async () => {
    const tab = await visit(withGpu);
    const [choice, failure] = await tab.evaluate(async () => {
      const worker = () => new Worker("/fragile-worker.js?gpu=200000", { type: "module" });
      const options = { allowSoftware: true, acceptSlow: true, worker };
      const engine = page.makeEngine(options);
      await engine.load();
      const { choice } = engine;
      await engine.close();
      return [choice, await page.failure(page.makeEngine({ ...options, devices: ["webgpu"] }).load())] as const;
    });
    expect(choice).toMatchObject({
      device: "wasm",
      passedOver: [{ device: "webgpu", reason: expect.stringMatching(/^it failed while it was tried /) }],
    });
    expect(failure).toMatch(/^BACKEND_UNAVAILABLE .*\nwebgpu: it failed .*to get it, close other tabs, or update/s);
  });

  it("says which file is missing: the worker, the runtime, the model", async () => {
    const tab = await visit(plain);
    const failures = await tab.evaluate(async () => {
      const devices = ["wasm"] as const;
      const noWorker = () => new Worker("/nowhere.js", { type: "module" });
      return [
        await page.failure(page.makeEngine({ devices, worker: noWorker }).load()),
        await page.failure(page.makeEngine({ devices, runtimeFolder: "/nowhere/" }).load()),
        await page.failure(page.makeEngine({ devices, model: "/nowhere/" }).load()),
      ];
    });
    expect(failures[0]).toMatch(/^BACKEND_UNAVAILABLE .*serve dist\/worker\.js/);
    expect(failures[1]).toMatch(/^BACKEND_UNAVAILABLE .*\/nowhere\/.*runtimeFolder/s);
    expect(failures[2]).toMatch(/^MODEL_INVALID .*microturn\.json/);
  });

  it("is offline at the first load: says so, whatever is missing, and loads once it is online", async () => {
    const tab = await visit(plain);
    // What the browser has kept of its own accord; the first file that it has not is the one that is told.
    const kept: string[] = [];
    await tab.context().route("**", (route) => {
      const { pathname } = new URL(route.request().url());
      return kept.some((path) => pathname.startsWith(path)) ? route.continue() : route.abort("internetdisconnected");
    });
    await tab.evaluate(() => {
      Object.defineProperty(navigator, "onLine", { value: false });
      Object.assign(window, { engine: page.makeEngine({ devices: ["wasm"] }) });
    });
    const load = () => tab.evaluate(() => page.failure((window as unknown as { engine: WebEngine }).engine.load()));
    expect(await load()).toMatch(/^NETWORK_FAILED .*its worker does not start .*offline; go online and load again$/);
    kept.push("/fragile-worker.js");
    expect(await load()).toMatch(
      /^NETWORK_FAILED .*microturn\.json cannot be fetched.*check the network, and load again$/,
    );
    kept.push("/tiny/");
    expect(await load()).toMatch(
      /^BACKEND_UNAVAILABLE .*cannot be had from .*load again once its server can be reached/s,
    );
    kept.push("/");
    expect(await load()).toBe("");
  });

  it("needs 'wasm-unsafe-eval' of a content security policy, and nothing else that is unsafe", async () => {
    const policy = (more: string) => ({
      headers: { "Content-Security-Policy": `default-src 'self'; script-src 'self'${more}; worker-src 'self'` },
    });
    const load = (tab: Page) =>
      tab.evaluate(async () => {
        const engine = page.makeEngine({ devices: ["wasm"] });
        const failure = await page.failure(engine.load());
        await engine.close();
        return failure;
      });
    expect(await load(await visit(plain, policy("")))).toMatch(/^BACKEND_UNAVAILABLE .*'wasm-unsafe-eval'/s);
    expect(await load(await visit(plain, policy(" 'wasm-unsafe-eval'")))).toBe("");
  });

  it("settles what is open when it is closed while it loads, and can be aborted", async () => {
    const tab = await visit(plain);
    const failures = await tab.evaluate(async () => {
      const engine = page.makeEngine({ devices: ["wasm"] });
      const loading = page.failure(engine.load());
      await Promise.all([engine.close(), engine.close()]);
      const aborted = page.makeEngine({ devices: ["wasm"] });
      const controller = new AbortController();
      const first = page.failure(aborted.load({ signal: controller.signal }));
      const second = page.failure(aborted.load());
      controller.abort();
      const failures = [await loading, await page.failure(engine.open()), await first, await second];
      await aborted.close();
      return failures;
    });
    expect(failures.map((failure) => failure.split(" ")[0])).toEqual([
      "SESSION_CLOSED",
      "SESSION_CLOSED",
      "ABORTED",
      "",
    ]);
  });

  it("goes on after its page stood still for seconds, as when a laptop sleeps (rule 3)", async () => {
    const tab = await visit(plain);
    await tab.evaluate(async () => {
      const engine = page.makeEngine({ devices: ["wasm"] });
      await engine.load();
      Object.assign(window, { live: page.talkLive(engine, 25).finally(() => engine.close()) });
    });
    const debugging = await tab.context().newCDPSession(tab);
    await debugging.send("Debugger.enable");
    const paused = new Promise((resolve) => debugging.once("Debugger.paused", resolve));
    await debugging.send("Debugger.pause");
    await paused;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await debugging.send("Debugger.resume");
    await debugging.detach();
    const { turns, longestGapMs } = await tab.evaluate(
      () => (window as unknown as { live: ReturnType<EnginePage["talkLive"]> }).live,
    );
    expect(turns).toBe(25);
    expect(longestGapMs, "the page did not stand still").toBeGreaterThan(2500);
  });

  it("goes on in a hidden tab, and in one that was frozen: nothing is lost, and events say what was late (rules 2, 3 and 8)", async () => {
    const server = await startServer({ routes });
    const browser = await openChromium([], { throttles: true });
    open.push(server, browser);
    const tab = await openBackgroundTab(browser, `${server.url}/`);
    const look = () => tab.evaluate(() => live.look());
    await tab.evaluate(async () => {
      Object.assign(window, { live: await page.keepTalking(page.makeEngine({ devices: ["wasm"] })) });
    });
    await seconds(1);
    const shown = await look();
    await tab.hide();
    await seconds(4);
    const hidden = await look();
    await tab.freeze();
    await seconds(4);
    await tab.thaw();
    await seconds(2);
    const thawed = await look();
    await tab.show();
    await expect.poll(async () => (await look()).turns.length, { timeout: 30_000, interval: 1000 }).toBeGreaterThan(2);
    await tab.evaluate(() => live.close());
    expect(hidden.longestGapMs, "its timers were not slowed down").toBeGreaterThan(900);
    expect(thawed.longestGapMs, "it was not frozen").toBeGreaterThan(3900);
    // One after the other, each once: what was merged has records too.
    const turns = [shown, hidden, thawed].flatMap((report) => report.turns);
    expect(turns).toEqual(turns.map((_, index) => index));
    expect(turns.length).toBeGreaterThan(20);
    for (const report of [shown, hidden, thawed]) {
      expect(report.problems).toEqual([]);
      // All but one write at most is in the session.
      expect(report.timeMs).toBeLessThan(report.writtenMs + 1);
      expect(report.timeMs).toBeGreaterThan(report.writtenMs - 1001);
      expect(report.skippedByEvents).toBe(report.skipped);
      // A timer of a hidden tab brings a second at once.
      expect(report.mostQueued).toBeLessThanOrEqual(6);
    }
  });

  it("leaves nothing running when its tab is closed in mid-session, and another tab can begin", async () => {
    const first = await visit(plain);
    const second = await first.context().newPage();
    await second.goto(first.url());
    await second.waitForFunction(() => "page" in window);
    const workers = () =>
      second.evaluate(async () => {
        const { held = [] } = await navigator.locks.query();
        return held.filter(({ name }) => name?.startsWith("worker ")).length;
      });
    await first.evaluate(async () => {
      await page.keepTalking(page.makeEngine({ devices: ["wasm"] }));
    });
    expect(await workers()).toBe(1);
    await first.close();
    await expect.poll(workers, { timeout: 10_000 }).toBe(0);
    const said = await second.evaluate(async () => {
      const engine = page.makeEngine({ devices: ["wasm"] });
      const said = await page.talk(engine, 3);
      await engine.close();
      return said;
    });
    expect(said).toHaveLength(3);
    // A worker that is ended gives its lock back a moment later.
    await expect.poll(workers, { timeout: 10_000 }).toBe(0);
  });

  it("runs two engines in one page, each in its own worker", async () => {
    const tab = await visit(plain);
    const [alone, one, other] = await tab.evaluate(async () => {
      const engines = [0, 1].map(() => page.makeEngine({ devices: ["wasm"] }));
      const alone = await page.talk(engines[0], 10);
      const both = await Promise.all(engines.map((engine) => page.talk(engine, 10)));
      await Promise.all(engines.map((engine) => engine.close()));
      return [alone, ...both];
    });
    expect(one).toEqual(alone);
    expect(other).toEqual(alone);
  });
});
