// The examples for the web: built as their pages say, served, and talked to, on the builds of the packages.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { chromiumPath, openChromium, startServer, withoutChromium } from "../../scripts/browser-testing.js";

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const packages = ["core", "backend-web", "media", "mini"];
const unbuilt = packages.filter((name) => !existsSync(root(`packages/${name}/dist/.built`)));
const reason = unbuilt.length > 0 ? ` (skipped: ${unbuilt.join(", ")} not built; run npm run build)` : withoutChromium;

describe.skipIf(chromiumPath === undefined || unbuilt.length > 0)(`web examples${reason}`, { timeout: 240_000 }, () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  /** Starts a page, says what is in a recording, over and over, and waits for the answer. */
  async function talk(url: string, answer: RegExp): Promise<void> {
    const browser = await openChromium([
      ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
      `--use-file-for-fake-audio-capture=${root("fixtures/speech/conversation.wav")}`,
    ]);
    open.push(browser);
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("favicon")) problems.push(message.text());
    });
    await page.goto(url);
    await page.click("#start");
    const status = () => page.textContent("#status");
    await expect.poll(status, { timeout: 120_000, interval: 250 }).toMatch(/^listening, on WebAssembly/);
    const said = async () => (await page.locator('[data-who="mini"]').allTextContents()).join("\n");
    await expect.poll(said, { timeout: 150_000, interval: 250 }).toMatch(answer);
    expect(problems).toEqual([]);
  }

  it('web-script: a plain <script type="module">, an import map, and any static server', async () => {
    const server = await startServer({
      routes: {
        "/examples/web-script/": { folder: root("examples/web-script") },
        "/node_modules/": { folder: root("node_modules") },
        "/favicon.ico": "",
      },
    });
    open.push(server);
    await talk(`${server.url}/examples/web-script/index.html`, /seven plus eight is fifteen/);
  });

  it("web-vite: what `vite build` makes, with threads and a strict policy", async () => {
    const { build } = await import("vite");
    const outDir = await mkdtemp(join(tmpdir(), "web-vite-"));
    open.push({ close: () => rm(outDir, { recursive: true }) });
    await build({ root: root("examples/web-vite"), logLevel: "error", build: { outDir, emptyOutDir: true } });
    const server = await startServer({
      routes: { "/app/": { folder: outDir }, "/favicon.ico": "" },
      isolated: true,
      headers: {
        "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
      },
    });
    open.push(server);
    await talk(`${server.url}/app/index.html`, /seven plus eight is fifteen/);
  });
});
