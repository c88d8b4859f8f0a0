import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  bundle,
  chromiumPath,
  openChromium,
  type Route,
  startServer,
  type TestServer,
  withoutChromium,
} from "../../../../scripts/browser-testing.js";
import {
  type Behaviour,
  type HostRequest,
  type ModelHost,
  randomModel,
  sha256Of,
  writeManifest,
} from "./testing/model-host.js";
import type { LoadOrder, LoadReport, ModelPage } from "./testing/model-page.js";

declare const modelPage: ModelPage;

const weights = "weights/model.safetensors";
const megabyte = 1 << 20;
/** Small pieces, so that small models have many. */
const pieceBytes = 65_536;
const settings = { pieceBytes };

describe.skipIf(chromiumPath === undefined)(`cachedModel in a browser${withoutChromium}`, () => {
  let browser: Browser;
  let script: string;
  const cleanUp: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    script = await bundle(fileURLToPath(new URL("testing/model-page.ts", import.meta.url)));
    browser = await openChromium(["--host-resolver-rules=MAP insecure.test 127.0.0.1"]);
  });
  afterEach(async () => {
    for (const undo of cleanUp.splice(0).reverse()) await undo();
  });
  afterAll(() => browser?.close());

  interface Scene {
    readonly server: TestServer;
    readonly context: BrowserContext;
    readonly page: Page;
    readonly base: string;
    load(order?: Partial<LoadOrder>, page?: Page): Promise<LoadReport>;
    newPage(): Promise<Page>;
  }

  /** A page, and a model on the page's server: an origin of its own, so that no test finds what another one kept. */
  async function open(host: ModelHost, routes: Record<string, Route> = {}, isolated = false): Promise<Scene> {
    const server = await startServer({
      isolated,
      routes: {
        "/": '<!doctype html><title>a page</title><script type="module" src="/page.js"></script>',
        "/page.js": script,
        "/model/": host.route("/model/"),
        ...routes,
      },
    });
    cleanUp.push(() => server.close());
    const context = await browser.newContext();
    cleanUp.push(() => context.close());
    const newPage = async () => {
      const page = await context.newPage();
      await page.goto(`${server.url}/`);
      await page.waitForFunction(() => "modelPage" in globalThis);
      return page;
    };
    const first = await newPage();
    const base = `${server.url}/model/`;
    const load = (order: Partial<LoadOrder> = {}, page = first) =>
      page.evaluate((complete) => modelPage.load(complete), { base, settings, ...order } as LoadOrder);
    return { server, context, page: first, base, load, newPage };
  }

  /** Behaves so at the first requests for the weights, then as it should. */
  const atFirst = (host: ModelHost, ...behaviours: Behaviour[]) => {
    host.behave = ({ path }: HostRequest) => (path === weights ? (behaviours.shift() ?? {}) : {});
  };

  const filesOf = (host: ModelHost) =>
    Object.fromEntries(
      [...host.files].filter(([path]) => path !== "microturn.json").map(([path, file]) => [path, sha256Of(file)]),
    );

  const bytesOf = (host: ModelHost) =>
    [...host.files].reduce((sum, [path, file]) => sum + (path === "microturn.json" ? 0 : file.length), 0);

  const smallModel = () => randomModel({ [weights]: megabyte, "tokenizer.json": 1000 });

  /** Something that happens when a test says so. */
  function event(): { readonly until: Promise<void>; readonly happen: () => void } {
    let happen = () => {};
    const until = new Promise<void>((resolve) => {
      happen = resolve;
    });
    return { until, happen };
  }

  const reaches = (page: Page, name: string, bytes: number) =>
    expect.poll(() => page.evaluate((name) => modelPage.progress(name), name)).toBe(bytes);

  /** So many readers of this origin wait for another one. */
  const waits = (page: Page, readers: number) =>
    expect.poll(() => page.evaluate(async () => (await navigator.locks.query()).pending?.length)).toBe(readers);

  /** Loads about half of a small model, and gives up then. @returns bytes of the weights that are kept */
  async function loadHalf(host: ModelHost, scene: Scene, order: Partial<LoadOrder> = {}): Promise<number> {
    const kept = 600_000;
    const { behave } = host;
    atFirst(host, { pauseAfter: kept, until: new Promise(() => {}) });
    const loading = scene.load({ ...order, name: "half" });
    await reaches(scene.page, "half", kept);
    await scene.page.evaluate(() => modelPage.abort("half"));
    expect((await loading).code).toBe("ABORTED");
    host.behave = behave;
    host.requests.length = 0;
    return kept;
  }

  it("loads, shows how far it is, and loads again without any network", async () => {
    const host = randomModel({ "a.safetensors": 12 * megabyte, "b b#.safetensors": 3_000_001, "tokenizer.json": 4711 });
    const { server, page, base, load } = await open(host);
    expect(await page.evaluate((base) => modelPage.isCached(base), base)).toBe(false);
    const first = await load({ settings: {} });
    expect(first).toMatchObject({ code: "none", files: filesOf(host), isCached: true, warnings: [] });
    expect(first.total).toBe(bytesOf(host));
    // One for each file would be 3.
    expect(first.progress.length).toBeGreaterThan(5);
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    expect(first.progress.at(-1)).toBe(first.total);
    expect(first.storedBytes).toBe(first.total + (host.files.get("microturn.json")?.length ?? 0));
    expect(host.requests.map(({ path }) => path)).toEqual([
      "microturn.json",
      "a.safetensors",
      "b b#.safetensors",
      "tokenizer.json",
    ]);

    await server.close();
    const second = await load({ settings: {} });
    expect(second).toMatchObject({ code: "none", files: filesOf(host), isCached: true, warnings: [] });
    expect(second.progress.at(-1)).toBe(second.total);
    expect(host.requests).toHaveLength(4);
  });

  it("asks only whether there is a new version when it loads again, and nobody with cache-first", async () => {
    const host = smallModel();
    const { load } = await open(host);
    await load();
    host.requests.length = 0;
    expect((await load()).code).toBe("none");
    expect(host.requests.map(({ path }) => path)).toEqual(["microturn.json"]);
    expect((await load({ settings: { manifest: "cache-first" } })).code).toBe("none");
    expect(host.requests).toHaveLength(1);
  });

  it("is in the cache only when every file is", async () => {
    const host = smallModel();
    const { load, page, base } = await open(host);
    host.behave = ({ path }) => (path === "tokenizer.json" ? { status: 404 } : {});
    expect(await load()).toMatchObject({ code: "MODEL_INVALID", isCached: false });
    host.behave = () => ({});
    host.requests.length = 0;
    expect(await load()).toMatchObject({ code: "none", isCached: true });
    // The weights were there.
    expect(host.requests.map(({ path }) => path)).toEqual(["microturn.json", "tokenizer.json"]);
    expect(await page.evaluate((base) => modelPage.isCached(base), base)).toBe(true);
  });

  it("resumes an aborted download where it was", async () => {
    const host = randomModel({ [weights]: 12 * megabyte, "tokenizer.json": 1000 });
    const { load } = await open(host);
    atFirst(host, { pauseAfter: 7.2 * megabyte, until: new Promise(() => {}) });
    const first = await load({ settings: {}, abortAt: 0.59 });
    expect(first).toMatchObject({ code: "ABORTED", isCached: false });
    const reached = first.progress.at(-1) ?? 0;
    expect(reached).toBeGreaterThanOrEqual(0.59 * first.total);
    expect(reached).toBeLessThanOrEqual(7.2 * megabyte);
    expect(first.storedBytes).toBe(reached);
    host.requests.length = 0;
    const second = await load({ settings: {} });
    expect(second).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    const [rest] = host.of(weights);
    expect(rest).toMatchObject({ range: `bytes=${reached}-`, status: 206, sent: 12 * megabyte - reached });
    expect(rest.ifRange).toMatch(/^"/);
    expect(host.of(weights)).toHaveLength(1);
  });

  it("goes on where a connection broke, within one load", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    const breaks = [400_000, 300_000].map((pauseAfter) => ({ pauseAfter, ...event(), thenBreak: true }));
    atFirst(host, ...breaks);
    const loading = load({ name: "it" });
    // What has not reached the page when a connection breaks is lost with it.
    await reaches(page, "it", 400_000);
    breaks[0].happen();
    await reaches(page, "it", 700_000);
    breaks[1].happen();
    expect(await loading).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.of(weights).map(({ range }) => range)).toEqual([undefined, "bytes=400000-", "bytes=700000-"]);
  });

  it("gives up when connections break again and again, and keeps what came", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    const first = { pauseAfter: 500_000, ...event(), thenBreak: true };
    const more = { pauseAfter: 0, thenBreak: true };
    atFirst(host, first, more, more);
    const loading = load({ name: "it" });
    await reaches(page, "it", 500_000);
    first.happen();
    const report = await loading;
    expect(report).toMatchObject({ code: "NETWORK_FAILED", details: { file: weights }, isCached: false });
    expect(report.message).toContain("check the network");
    expect(report.storedBytes).toBe(500_000);
    host.requests.length = 0;
    expect(await load()).toMatchObject({ code: "none", isCached: true });
    expect(host.of(weights)[0]).toMatchObject({ status: 206, range: "bytes=500000-" });
  });

  it("takes a server that falls silent for a broken connection", async () => {
    const host = smallModel();
    const { load } = await open(host);
    atFirst(host, { pauseAfter: 400_000, until: new Promise(() => {}) });
    const report = await load({ settings: { pieceBytes, stallMs: 500 } });
    expect(report).toMatchObject({ code: "none", files: filesOf(host) });
    expect(host.of(weights).map(({ status }) => status)).toEqual([200, 206]);
  });

  it("refuses and does not keep a file with an altered byte", async () => {
    const host = smallModel();
    const { load } = await open(host);
    const altered = Buffer.from(host.files.get(weights) ?? []);
    altered[777_777] ^= 1;
    host.behave = ({ path }) => (path === weights ? { body: altered } : {});
    const report = await load();
    expect(report).toMatchObject({
      code: "MODEL_INVALID",
      details: { file: weights },
      isCached: false,
      storedBytes: 0,
    });
    expect(report.message).toContain("was altered");
    expect(host.of(weights)).toHaveLength(1);
    host.behave = () => ({});
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
  });

  it.each([
    ["cut, and its head says so", {}],
    ["cut, and its head says nothing", { chunked: true }],
    ["cut and compressed", { gzip: true }],
  ])("refuses and does not keep a file that is %s", async (_, how) => {
    const host = smallModel();
    const { load } = await open(host);
    const cut = (host.files.get(weights) ?? new Uint8Array(0)).subarray(0, 900_000);
    host.behave = ({ path }) => (path === weights ? { ...how, body: cut } : {});
    const report = await load();
    expect(report).toMatchObject({
      code: "MODEL_INVALID",
      details: { file: weights },
      isCached: false,
      storedBytes: 0,
    });
    expect(report.message).toContain("900000 bytes");
  });

  it.each([
    ["its head says so", {}],
    ["its head says nothing", { chunked: true }],
  ])("refuses a file that is too long when %s", async (_, how) => {
    const host = smallModel();
    const { load } = await open(host);
    const long = Buffer.concat([host.files.get(weights) ?? new Uint8Array(0), Buffer.alloc(5)]);
    host.behave = ({ path }) => (path === weights ? { ...how, body: long } : {});
    expect(await load()).toMatchObject({ code: "MODEL_INVALID", details: { file: weights }, storedBytes: 0 });
  });

  it("takes a file that is compressed on its way", async () => {
    const host = smallModel();
    const { load } = await open(host);
    host.behave = () => ({ gzip: true });
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
  });

  it("says where it looked for a file or manifest that is not there, or is a page", async () => {
    const host = smallModel();
    const { load, base } = await open(host);
    host.behave = ({ path }) => (path === weights ? { status: 404 } : {});
    expect(await load()).toMatchObject({
      code: "MODEL_INVALID",
      details: { file: weights, status: 404, url: `${base}${weights}` },
    });
    host.behave = () => ({ status: 404 });
    expect(await load()).toMatchObject({
      code: "MODEL_INVALID",
      details: { file: "microturn.json", status: 404, url: `${base}microturn.json` },
    });
    host.behave = () => ({ type: "text/html", body: Buffer.from("<!doctype html><title>an app</title>") });
    const page = await load();
    expect(page).toMatchObject({ code: "MODEL_INVALID", details: { file: "microturn.json" } });
    expect(page.message).toContain("text/html");
    host.behave = () => ({ body: Buffer.from("{}") });
    expect(await load()).toMatchObject({ code: "MODEL_INVALID", storedBytes: 0 });
  });

  /** A model of which a part is kept. */
  async function halfLoaded(): Promise<{ host: ModelHost; scene: Scene; kept: number }> {
    const host = smallModel();
    const scene = await open(host);
    return { host, scene, kept: await loadHalf(host, scene) };
  }

  it.each<[string, Behaviour]>([
    ["knows no ranges", { withoutRanges: true }],
    ["has another version now", { etag: '"another"' }],
    ["answers with another range", { contentRange: "bytes 0-1048575/1048576" }],
    ["answers with a range of a larger file", { contentRange: "bytes 524288-1048575/2000000" }],
    ["answers with a range that is none", { contentRange: "bytes" }],
    ["refuses the range", { status: 416 }],
  ])("starts over where the server %s", async (_, behaviour) => {
    const { host, scene, kept } = await halfLoaded();
    atFirst(host, behaviour);
    expect(await scene.load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    const [first, ...more] = host.of(weights);
    expect(first.range).toBe(`bytes=${kept}-`);
    // A 200 to the question for a range is the whole; anything else needs a second question.
    expect(more.map(({ range, status }) => [range, status])).toEqual(first.status === 200 ? [] : [[undefined, 200]]);
  });

  it("starts over when the version changes between two pieces and the server does not say so", async () => {
    const { host, scene } = await halfLoaded();
    // A new version, whose server calls it by the old name: only the hash tells.
    const etag = `"${sha256Of(host.files.get(weights) ?? new Uint8Array(0)).slice(0, 16)}"`;
    const next = randomModel({ [weights]: megabyte });
    const other = Buffer.concat([(next.files.get(weights) ?? new Uint8Array(0)).subarray(0, megabyte)]);
    atFirst(host, { body: other, etag });
    expect(await scene.load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.of(weights).map(({ status }) => status)).toEqual([206, 200]);
  });

  it("keeps a new version, once it is whole, in place of the old one", async () => {
    const host = smallModel();
    const scene = await open(host);
    const { load, server, page, base } = scene;
    await load();
    const old = filesOf(host);
    host.files.set(weights, Buffer.from((host.files.get(weights) ?? new Uint8Array(0)).map((byte) => byte ^ 255)));
    writeManifest(host, "2.0.0");
    // On the way to it, the old one is still whole.
    await loadHalf(host, scene);
    expect(await page.evaluate((base) => modelPage.isCached(base), base)).toBe(true);
    const news = await load();
    expect(news).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(news.storedBytes).toBe(bytesOf(host) + (host.files.get("microturn.json")?.length ?? 0));
    const keys = await page.evaluate(() => modelPage.keys());
    expect(keys.filter((key) => key.includes(old[weights]))).toEqual([]);
    await server.close();
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host) });
  });

  it("loads the old version when it goes offline on the way to a new one", async () => {
    const host = smallModel();
    const scene = await open(host);
    const { load, server } = scene;
    await load();
    const old = filesOf(host);
    host.files.set(weights, Buffer.from((host.files.get(weights) ?? new Uint8Array(0)).map((byte) => byte ^ 255)));
    writeManifest(host, "2.0.0");
    await loadHalf(host, scene);
    await server.close();
    expect(await load()).toMatchObject({ code: "none", files: old });
  });

  it("downloads anew, once, what is damaged in the cache", async () => {
    const host = smallModel();
    const { load, page, server } = await open(host);
    await load();
    host.requests.length = 0;
    expect(await page.evaluate(() => modelPage.damage("/pieces/3"))).toBe(1);
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.of(weights)).toHaveLength(1);
    await server.close();
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host) });
  });

  it("finds the new version at the second load where the old one is damaged and no longer on the server", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    const cacheFirst = { settings: { pieceBytes, manifest: "cache-first" } } as const;
    await load(cacheFirst);
    expect(await page.evaluate(() => modelPage.damage("/pieces/3"))).toBe(1);
    host.files.set(weights, Buffer.from((host.files.get(weights) ?? new Uint8Array(0)).map((byte) => byte ^ 255)));
    writeManifest(host, "2.0.0");
    expect(await load(cacheFirst)).toMatchObject({ code: "MODEL_INVALID", details: { file: weights } });
    expect(await load(cacheFirst)).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
  });

  it("waits with remove for a download that is under way, and leaves nothing of it", async () => {
    const host = smallModel();
    const { load, page, base, newPage } = await open(host);
    const { until, happen } = event();
    atFirst(host, { pauseAfter: 500_000, until });
    const loading = load({ name: "it" });
    await reaches(page, "it", 500_000);
    const second = await newPage();
    const removing = second.evaluate((base) => modelPage.remove(base), base);
    await waits(second, 1);
    await page.evaluate(() => modelPage.abort("it"));
    expect((await loading).code).toBe("ABORTED");
    await removing;
    expect(await page.evaluate(() => modelPage.keys())).toEqual([]);
    happen();
  });

  it("starts over where a part that was kept is damaged", async () => {
    const { host, scene } = await halfLoaded();
    expect(await scene.page.evaluate(() => modelPage.damage("/pieces/1"))).toBe(1);
    expect(await scene.load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.of(weights).map(({ status }) => status)).toEqual([206, 200]);
  });

  it("is offline at the first load: says so, and loads once it is online", async () => {
    const host = smallModel();
    const { load, context } = await open(host);
    await context.setOffline(true);
    const report = await load();
    expect(report).toMatchObject({ code: "NETWORK_FAILED", details: { file: "microturn.json" }, isCached: false });
    await context.setOffline(false);
    expect((await load()).code).toBe("none");
  });

  it("goes on with the model that is here while the server is ill, but not when it says that there is none", async () => {
    const host = smallModel();
    const { load } = await open(host);
    await load();
    host.behave = () => ({ status: 503 });
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host) });
    host.behave = () => ({ status: 404 });
    expect(await load()).toMatchObject({ code: "MODEL_INVALID", isCached: true });
  });

  it("goes on with the model that is here when the server is silent", async () => {
    const host = smallModel();
    const { load } = await open(host);
    await load();
    host.behave = () => ({ pauseAfter: 10, until: new Promise(() => {}) });
    expect(await load({ settings: { stallMs: 300 } })).toMatchObject({ code: "none", files: filesOf(host) });
  });

  it("tries again while the server is ill, then says so", async () => {
    const host = smallModel();
    const { load } = await open(host);
    host.behave = () => ({ status: 503 });
    expect(await load()).toMatchObject({ code: "NETWORK_FAILED", details: { status: 503 } });
    expect(host.requests).toHaveLength(3);
  });

  it("removes a model with its parts and older versions, and nothing of another one", async () => {
    const host = smallModel();
    const other = randomModel({ "other.safetensors": 300_000, "tokenizer.json": 1000 });
    // A file that both have.
    other.files.set("shared.safetensors", host.files.get(weights) ?? new Uint8Array(0));
    other.files.delete("microturn.json");
    writeManifest(other, "1.0.0");
    const { load, page, base, server } = await open(host, { "/other/": other.route("/other/") });
    const otherBase = `${server.url}/other/`;
    await load();
    expect(await load({ base: otherBase })).toMatchObject({ code: "none", files: filesOf(other) });
    // It was here already.
    expect(other.of("shared.safetensors")).toEqual([]);
    host.files.set("tokenizer.json", Buffer.alloc(500_000, 7));
    writeManifest(host, "2.0.0");
    await load({ abortAt: 0.9 });

    await page.evaluate((base) => modelPage.remove(base), base);
    expect(await page.evaluate((base) => modelPage.isCached(base), base)).toBe(false);
    expect(await page.evaluate((base) => modelPage.storedBytes(base), base)).toBe(0);
    host.requests.length = other.requests.length = 0;
    expect(await load({ base: otherBase })).toMatchObject({ code: "none", isCached: true });
    expect(other.requests.map(({ path }) => path)).toEqual(["microturn.json"]);
    await page.evaluate((base) => modelPage.remove(base), otherBase);
    expect(await page.evaluate(() => modelPage.keys())).toEqual([]);
    expect(await load()).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
  });

  it("downloads once what two read at once, in one page, in two tabs and in a worker", async () => {
    const host = smallModel();
    const { load, newPage, page, base, server } = await open(host);
    const { until, happen } = event();
    atFirst(host, { pauseAfter: 500_000, until });
    const second = await newPage();
    const loads = [
      load({ name: "first" }),
      load({ name: "second" }),
      load({ name: "third" }, second),
      page.evaluate(({ script, order }) => modelPage.loadInWorker(script, order), {
        script: `${server.url}/page.js`,
        order: { base, settings } as LoadOrder,
      }),
    ];
    await waits(page, 3);
    happen();
    for (const report of await Promise.all(loads)) {
      expect(report).toMatchObject({ code: "none", files: filesOf(host), isCached: true, warnings: [] });
    }
    expect(host.of(weights)).toHaveLength(1);
    expect(host.of("tokenizer.json")).toHaveLength(1);
  });

  it("stops waiting for another reader when it is aborted, and the other goes on", async () => {
    const host = smallModel();
    const { load, newPage } = await open(host);
    const { until, happen } = event();
    atFirst(host, { pauseAfter: 500_000, until });
    const second = await newPage();
    const first = load({ name: "first" });
    await expect.poll(() => host.of(weights).length).toBe(1);
    const waiting = load({ name: "waiting" }, second);
    await waits(second, 1);
    await second.evaluate(() => modelPage.abort("waiting"));
    expect((await waiting).code).toBe("ABORTED");
    happen();
    expect((await first).code).toBe("none");
    expect(host.of(weights)).toHaveLength(1);
  });

  it("stops waiting even when it is aborted before the browser has granted the wait", async () => {
    const { page, newPage } = await open(smallModel());
    await page.evaluate(() => modelPage.hold("a lock"));
    // The first lock of a page takes longest to ask for.
    const second = await newPage();
    expect(await second.evaluate(() => modelPage.giveUpLock("a lock"))).toBe("gave up");
  });

  it("goes on in another tab when the tab that downloads is closed", async () => {
    const host = smallModel();
    const { load, newPage, page } = await open(host);
    atFirst(host, { pauseAfter: 500_000, until: new Promise(() => {}) });
    const second = await newPage();
    const first = load({ name: "first" }, second).catch(() => undefined);
    await reaches(second, "first", 500_000);
    const waiting = load();
    await waits(page, 1);
    await second.close();
    await first;
    expect(await waiting).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    const [, rest] = host.of(weights);
    expect(rest.status).toBe(206);
    // What came after the last whole piece is lost with the tab, and maybe one piece whose write was under way.
    const from = Number(/\d+/.exec(rest.range ?? "")?.[0]);
    expect(from % pieceBytes).toBe(0);
    expect(500_000 - from).toBeLessThan(2 * pieceBytes);
  });

  /** Gives the page's origin so much space in all. */
  async function setQuota({ context, page, server }: Scene, quotaSize: number): Promise<void> {
    const devtools = await context.newCDPSession(page);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin: server.url, quotaSize });
  }

  it("asks for room before the first byte, and loads without keeping anything where there is none", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    // Chromium reports 10 GiB more than is used, whatever the limit is; others tell.
    const estimate = (quota: number) =>
      page.evaluate((quota) => {
        navigator.storage.estimate = async () => ({ quota, usage: 1000 });
      }, quota);
    await estimate(500_000);
    expect(await load()).toMatchObject({
      ...{ code: "none", files: filesOf(host), isCached: false, storedBytes: 0 },
      warnings: ["no-room"],
    });
    host.requests.length = 0;
    expect(await load({ settings: { pieceBytes, requireCache: true } })).toMatchObject({
      ...{ code: "STORAGE_UNAVAILABLE", progress: [], isCached: false, storedBytes: 0 },
      details: { reason: "no-room", neededBytes: bytesOf(host), freeBytes: 499_000 },
    });
    expect(host.of(weights)).toEqual([]);
    await estimate(2 * megabyte);
    expect(await load()).toMatchObject({ code: "none", isCached: true, warnings: [] });
  });

  it.each([false, true])("frees its parts when the room ends on the way (requireCache %s)", async (requireCache) => {
    const host = smallModel();
    const scene = await open(host);
    const { until, happen } = event();
    atFirst(host, { pauseAfter: 400_000, until });
    const loading = scene.load({ name: "it", settings: { pieceBytes, requireCache } });
    await reaches(scene.page, "it", 400_000);
    await setQuota(scene, 1000);
    happen();
    const report = await loading;
    expect(report).toMatchObject({ isCached: false, storedBytes: 0 });
    if (requireCache) expect(report).toMatchObject({ code: "STORAGE_UNAVAILABLE", details: { reason: "no-room" } });
    else expect(report).toMatchObject({ code: "none", files: filesOf(host), warnings: ["no-room"] });
  });

  it.each([
    ["the browser tells its limit", true],
    ["the browser does not", false],
  ])("lets an older version go where there is no room for both, and %s", async (_, tells) => {
    const host = smallModel();
    const scene = await open(host);
    await scene.load();
    host.files.set(weights, Buffer.from((host.files.get(weights) ?? new Uint8Array(0)).map((byte) => byte ^ 255)));
    writeManifest(host, "2.0.0");
    const quota = 1.6 * megabyte;
    await setQuota(scene, quota);
    if (tells) {
      await scene.page.evaluate((quota) => {
        const { storage } = navigator;
        const estimate = storage.estimate.bind(storage);
        storage.estimate = async () => ({ ...(await estimate()), quota });
      }, quota);
    }
    const report = await scene.load({ settings: { pieceBytes, requireCache: true } });
    expect(report).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(report.storedBytes).toBeLessThan(1.1 * megabyte);
    expect(host.of(weights)).toHaveLength(2);
  });

  it("loads without keeping anything, and says so, where there is no Cache API", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    await page.evaluate(() => {
      Object.defineProperty(globalThis, "caches", {
        value: { open: () => Promise.reject(new DOMException("closed to this page", "SecurityError")) },
      });
    });
    expect(await load()).toMatchObject({
      ...{ code: "none", files: filesOf(host), isCached: false, storedBytes: 0 },
      warnings: ["no-cache"],
    });
    expect(await load({ settings: { requireCache: true } })).toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      details: { reason: "no-cache" },
    });
  });

  it("downloads once in a page without Web Locks", async () => {
    const host = smallModel();
    const { load, page } = await open(host);
    await page.evaluate(() => Object.defineProperty(navigator, "locks", { value: undefined }));
    const reports = await Promise.all([load({ name: "1" }), load({ name: "2" })]);
    for (const report of reports) expect(report).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.of(weights)).toHaveLength(1);
  });

  it("says what is wrong on a page that is no secure context", async () => {
    const host = smallModel();
    const { page, server } = await open(host);
    const insecure = server.url.replace("localhost", "insecure.test");
    await page.goto(`${insecure}/`);
    await page.waitForFunction(() => "modelPage" in globalThis);
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    const report = await page.evaluate((base) => modelPage.load({ base }), `${insecure}/model/`);
    expect(report).toMatchObject({ code: "UNSUPPORTED" });
    expect(report.message).toContain("https");
    expect(host.requests).toEqual([]);
  });

  it("resumes from another origin without asking for more than any server allows", async () => {
    const host = smallModel();
    const elsewhere = await startServer({ routes: { "/": host.route("/") } });
    cleanUp.push(() => elsewhere.close());
    // A cross-origin isolated page, as threads need it: what is allowed by CORS needs no header of its own there.
    const scene = await open(smallModel(), {}, true);
    const { load, page } = scene;
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    const base = `${elsewhere.url}/`;
    const refused = await load({ base });
    expect(refused.code).toBe("NETWORK_FAILED");
    expect(refused.message).toContain("CORS");
    // The least that works: no header is exposed, so the range of an answer is hidden.
    host.headers = { "Access-Control-Allow-Origin": "*" };
    const kept = await loadHalf(host, scene, { base });
    expect(await load({ base })).toMatchObject({ code: "none", files: filesOf(host), isCached: true });
    expect(host.requests.map(({ method }) => method)).not.toContain("OPTIONS");
    expect(host.of(weights).map(({ status, range }) => [status, range])).toEqual([[206, `bytes=${kept}-`]]);
    expect((await load({ base, settings: { request: { headers: { Authorization: "Bearer x" } } } })).code).toBe("none");
  });

  it("loads mini with loadModel, from a server and then from the cache", async () => {
    const folder = fileURLToPath(new URL("../../../mini/", import.meta.url));
    const { page, server } = await open(smallModel(), { "/mini/": { folder } });
    const base = `${server.url}/mini/`;
    const load = () => page.evaluate((base) => modelPage.load({ base, withLoadModel: true }), base);
    const first = await load();
    expect(first).toMatchObject({ code: "none", isCached: true, warnings: [] });
    expect([...first.progress].sort((a, b) => a - b)).toEqual(first.progress);
    expect(first.progress.length).toBeGreaterThan(5);
    expect(first.progress.at(-1)).toBe(first.total);
    await server.close();
    const second = await load();
    expect(second).toMatchObject({ code: "none", isCached: true });
    expect(second.progress.at(-1)).toBe(first.total);
  });
});
