// The examples for the web: built as their pages say, served, and talked to, on the builds of the packages.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { chromiumPath, openChromium, startServer, withoutChromium } from "../../scripts/browser-testing.js";

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const packages = ["core", "backend-web", "media", "mini"];
const unbuilt = packages.filter((name) => !existsSync(root(`packages/${name}/dist/.built`)));
const reason = unbuilt.length > 0 ? ` (skipped: ${unbuilt.join(", ")} not built; run npm run build)` : withoutChromium;

/** Lines that a page of the documentation shows: the first block that imports this. */
async function shown(page: string, imports: string): Promise<string> {
  const blocks = (await readFile(root(page), "utf8")).matchAll(/```tsx?\n([\s\S]*?)```/g);
  const found = [...blocks].map(([, lines]) => lines).find((lines) => lines.includes(`from "${imports}"`));
  if (found === undefined) throw new Error(`${page} shows nothing that imports ${imports}`);
  return found;
}

describe.skipIf(unbuilt.length > 0)(`the lines for a page in the documentation${reason}`, () => {
  it("compile as they are", { timeout: 120_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "lines-"));
    try {
      const files = {
        // What an application has: its buttons, an engine, and something that shows.
        "page.d.ts": `declare const button: HTMLButtonElement, hangUp: HTMLButtonElement;
          declare const engine: import("@microturn/core").Engine;
          declare function show(...values: unknown[]): void;`,
        "readme.ts": await shown("README.md", "@microturn/media"),
        "media.ts": await shown("docs/media.md", "@microturn/media"),
        "media-readme.ts": await shown("packages/media/README.md", "@microturn/media"),
        "react.tsx": await shown("packages/media/README.md", "@microturn/media/react"),
        "engine.ts": await shown("packages/backend-web/README.md", "@microturn/backend-web"),
      };
      const types = (name: string, file = "index") => [root(`packages/${name}/dist/${file}.d.ts`)];
      const compilerOptions = {
        ...{ target: "ES2022", module: "ESNext", moduleResolution: "bundler", types: [], noEmit: true, strict: true },
        ...{ lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"], skipLibCheck: true, jsx: "react-jsx" },
        paths: {
          "@microturn/core": types("core"),
          "@microturn/backend-web": types("backend-web"),
          "@microturn/media": types("media"),
          "@microturn/media/react": types("media", "react"),
        },
      };
      await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: Object.keys(files) }));
      for (const [name, lines] of Object.entries(files)) await writeFile(join(folder, name), lines);
      const tsc = root("node_modules/typescript/bin/tsc");
      const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(
        (failure: { stdout: string }) => failure,
      );
      expect(stdout).toBe("");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe.skipIf(chromiumPath === undefined || unbuilt.length > 0)(`web examples${reason}`, { timeout: 240_000 }, () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  /** Starts a page, says what is in a recording, over and over, and waits for the answer. */
  async function talk(
    url: string,
    answer: RegExp,
    listening: RegExp | null = /^listening, on WebAssembly/,
  ): Promise<void> {
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
    if (listening !== null) await expect.poll(status, { timeout: 120_000, interval: 250 }).toMatch(listening);
    const said = async () => (await page.locator('[data-who="mini"]').allTextContents()).join("\n");
    await expect.poll(said, { timeout: 150_000, interval: 250 }).toMatch(answer);
    expect(problems).toEqual([]);
  }

  it("the ten lines of the README, as they are, in a page with a microphone and a camera", async () => {
    const html = await readFile(root("examples/web-script/index.html"), "utf8");
    const importMap = /<script type="importmap">[\s\S]*?<\/script>/.exec(html)?.[0].replaceAll("../../", "/");
    const server = await startServer({
      routes: {
        "/": `<!doctype html><title>ten lines</title>${importMap}<script type="module" src="/main.js"></script>
          <button id="start">Start</button><p id="status"></p><p data-who="mini"></p>`,
        "/main.js": `const button = document.getElementById("start");
          const show = (text) => document.querySelector("[data-who]").append(" " + text);
          ${await shown("README.md", "@microturn/media")}`,
        "/models/mini/": { folder: root("packages/mini") },
        "/node_modules/": { folder: root("node_modules") },
        "/favicon.ico": "",
      },
    });
    open.push(server);
    await talk(`${server.url}/`, /seven plus eight is fifteen/, null);
  });

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
