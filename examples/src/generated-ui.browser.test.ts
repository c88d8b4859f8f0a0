// The page web-generated-ui, built as it says, served under a strict policy, and talked to, on the builds of the packages: by voice,
// by text, and by its buttons.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { mixToMono, readWav, writeWav } from "@microturn/core";
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { chromiumPath, openChromium, type Route, startServer, withoutChromium } from "../../scripts/browser-testing.js";

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const packages = ["core", "backend-web", "media", "tools", "mini"];
const unbuilt = packages.filter((name) => !existsSync(root(`packages/${name}/dist/.built`)));
const reason = unbuilt.length > 0 ? ` (skipped: ${unbuilt.join(", ")} not built; run npm run build)` : withoutChromium;
const skip = chromiumPath === undefined || unbuilt.length > 0;
const waiting = { timeout: 150_000, interval: 250 };

describe.skipIf(skip)(`a page that shows what tools find${reason}`, { timeout: 400_000 }, () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), "web-generated-ui-"));
    open.push({ close: () => rm(path, { recursive: true }) });
    return path;
  }

  /** Builds, serves and opens the page, for somebody who says this and is silent from then on. */
  async function start(options: {
    readonly says: Float32Array;
    readonly model?: string;
    readonly routes: Readonly<Record<string, Route>>;
  }): Promise<{ readonly page: Page; readonly problems: readonly string[]; readonly sent: readonly string[] }> {
    const place = await folder();
    const app = join(place, "app");
    // A process of its own, because a build for tests has React's other half.
    await promisify(execFile)(
      process.execPath,
      [
        ...[root("node_modules/vite/bin/vite.js"), "build", root("examples/web-generated-ui"), "--outDir", app],
        ...["--emptyOutDir", "--logLevel", "error"],
      ],
      { env: { ...process.env, NODE_ENV: "production", VITE_BACKGROUND_MODEL: options.model ?? "" } },
    );
    const server = await startServer({
      routes: { "/app/": { folder: app }, "/favicon.ico": "", ...options.routes },
      isolated: true,
      headers: {
        "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
      },
    });
    open.push(server);
    const recording = join(place, "says.wav");
    await writeFile(recording, writeWav([options.says], { sampleRate: 16_000 }));
    const browser = await openChromium([
      ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
      `--use-file-for-fake-audio-capture=${recording}%noloop`,
    ]);
    open.push(browser);
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    // A machine that is late would lose words, and mini hear another question.
    await page.goto(`${server.url}/app/index.html?budget=8000`);
    await page.click("#start");
    await expect.poll(() => page.textContent("#status"), waiting).toBe("open");
    return { page, problems, sent: server.requests };
  }

  /** Calls of a tool that are in a state. */
  const call = (page: Page, name: string, state: string) =>
    page.locator(`[data-tool="${name}"][data-state="${state}"]`);

  /** What the page shows otherwise is in the message of a test that fails. */
  async function appears(page: Page, name: string, state: string): Promise<void> {
    const shown = async () => ((await call(page, name, state).count()) === 1 ? "it" : page.locator("main").innerHTML());
    await expect.poll(shown, waiting).toBe("it");
  }

  /** On a machine that is late, mini says a word again that it was cut off in. */
  const isSaid = async (page: Page, words: string) => {
    const said = async () => (await page.locator('[data-who="assistant"]').allTextContents()).join(" ");
    await expect.poll(said, waiting).toMatch(new RegExp(words.replaceAll(" ", "\\b.*\\b")));
  };

  /** What mini understands of what is typed varies; it hands these wishes over. */
  async function type(page: Page, words: string): Promise<void> {
    await page.fill("input[name=text]", words);
    await page.keyboard.press("Enter");
  }

  it("draws the weather that was asked for by voice, and deletes what the user allows", async () => {
    const { channels } = readWav(await readFile(root("fixtures/speech/question.wav")));
    const says = new Float32Array(4.4 * 16_000);
    says.set(mixToMono(channels).subarray(0, 3.4 * 16_000)); // what is the weather like in paris
    const asked: ServerResponse[] = [];
    const { page, problems } = await start({
      says,
      // A weather station that takes as long as the test wants.
      routes: { "/app/weather/paris.json": (_, response) => void asked.push(response) },
    });

    await appears(page, "weather", "running");
    const running = call(page, "weather", "running");
    await expect.poll(() => running.textContent(), waiting).toContain("asks the weather station of paris");
    expect(await running.locator("progress").count()).toBe(1);
    await expect.poll(() => asked.length, waiting).toBe(1);
    asked[0].writeHead(200, { "Content-Type": "application/json" });
    asked[0].end(await readFile(root("examples/web-generated-ui/public/weather/paris.json")));
    await appears(page, "weather", "done");
    const card = call(page, "weather", "done");
    expect(await card.locator("figcaption").textContent()).toBe("Paris: 14 °C light rain until the evening");
    expect(await card.locator("polyline").getAttribute("points")).toMatch(/^(\d+\.\d,\d+\.\d ?){6}$/);
    await isSaid(page, "in paris it is fourteen degrees with light rain until the evening");

    await type(page, "please delete buy milk from my list");
    await appears(page, "delete_item", "awaiting-approval");
    const waits = call(page, "delete_item", "awaiting-approval");
    expect(await call(page, "list_items", "done").locator("li").allTextContents()).toEqual([" buy milk", " call mom"]);
    expect(await waits.textContent()).toMatch(/It cannot be undone.*"title": "buy milk"/s);
    await waits.getByRole("button", { name: "Do not" }).click();
    await appears(page, "delete_item", "rejected");
    await isSaid(page, "i have left it on your list");

    await type(page, "buy milk is done, please delete it");
    await appears(page, "delete_item", "awaiting-approval");
    await waits.getByRole("button", { name: "Allow" }).click();
    await appears(page, "delete_item", "done");
    expect(await call(page, "delete_item", "done").locator("li").allTextContents()).toEqual([" call mom"]);
    await isSaid(page, "it is off your list");

    await page.click("#stop");
    await expect.poll(() => page.textContent("#status"), waiting).toBe("closed");
    // What was drawn stays.
    expect(await card.count()).toBe(1);
    expect(problems).toEqual([]);
  });

  it("asks a language model at its own server, without a key", async () => {
    const questions: { readonly body: string; readonly key: string | undefined }[] = [];
    const { page, problems, sent } = await start({
      says: new Float32Array(16_000),
      model: "some-model",
      routes: {
        // What a server gives that passes on what an OpenAI-compatible one says.
        "/app/model/v1/chat/completions": async (request, response) => {
          questions.push({ body: await text(request), key: request.headers.authorization });
          const weather = { name: "weather", arguments: '{"city":"Paris"}' };
          const chunk = (delta: object, finish_reason: string | null) =>
            `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", created: 1, model: "some-model", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
          response.writeHead(200, { "Content-Type": "text/event-stream" });
          if (questions.length === 1) {
            response.write(chunk({ tool_calls: [{ index: 0, id: "a", type: "function", function: weather }] }, null));
            response.write(chunk({}, "tool_calls"));
          } else {
            response.write(chunk({ content: "It is warm in Paris." }, null));
            response.write(chunk({}, "stop"));
          }
          response.end("data: [DONE]\n\n");
        },
      },
    });
    await type(page, "is it warm in paris today");
    await appears(page, "weather", "done");
    expect(await call(page, "weather", "done").locator("figcaption").textContent()).toBe(
      "Paris: 14 °C light rain until the evening",
    );
    await isSaid(page, "it is warm in paris");
    expect(questions.map(({ key }) => key)).toEqual([undefined, undefined]);
    expect(JSON.parse(questions[0].body)).toMatchObject({ model: "some-model", stream: true });
    expect(questions[1].body).toContain("light rain");
    expect(sent).toContain("/app/weather/paris.json");
    expect(problems).toEqual([]);
  });
});
