// The page in a browser, with mini: what it hears comes from recordings, what it sees from a film of colours.

import { readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { readTrace, resample, type SessionTrace, traceAudio } from "@microturn/core";
import { mini } from "@microturn/mini";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, openChromium, webgpuFlags, withoutChromium } from "../../../../../scripts/browser-testing.js";
import { bestMatch, type Listening, listen } from "../../../../media/src/testing/recordings.js";
import { demoHeaders, demoPlaces } from "../demo-files.js";
import { type FileServer, type Served, startFileServer } from "../file-server.js";
import { colourFilm } from "../testing/colour-film.js";
import { bundledDemo } from "../testing/demo-folders.js";

const speech = (name: string) => fileURLToPath(new URL(`../../../../../fixtures/speech/${name}.wav`, import.meta.url));
const fakeDevices = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
/** A machine with other work is slow. */
const patienceMs = 150_000;
/** So late may a micro-turn be here, ms: one that is merged with the next would cut the words that the tests wait for. */
const budgetMs = 8000;

/** The audio of a page, once it sounds. */
declare const audioOfPage: AudioContext;
/** What the recorder of a page offers. */
declare const recorded: () => Promise<{ readonly base64: string; readonly sampleRate: number }>;

describe.skipIf(chromiumPath === undefined)(`the demo page${withoutChromium}`, { timeout: 240_000 }, () => {
  let built: Awaited<ReturnType<typeof bundledDemo>>;
  let places: Record<string, Served>;
  let axe = "";
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    built = await bundledDemo();
    places = {
      ...(await demoPlaces(mini, built.folders, true)),
      "/recorder-worklet.js": { file: join(built.folders.media, "recorder-worklet.js") },
    };
    axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  });
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
  afterAll(() => built?.remove());

  interface Visit {
    readonly page: Page;
    readonly context: BrowserContext;
    readonly server: FileServer;
    /** What the page complained of. */
    readonly problems: string[];
  }

  async function visit(
    flags: readonly string[],
    {
      isolated = true,
      address = `?budget=${budgetMs}`,
      ...contextOptions
    }: Parameters<Browser["newContext"]>[0] & { readonly isolated?: boolean; readonly address?: string } = {},
  ): Promise<Visit> {
    const server = await startFileServer({ places, headers: demoHeaders(isolated), port: 0 });
    open.push(server);
    const browser = await openChromium(flags);
    open.push(browser);
    const context = await browser.newContext({ viewport: { width: 1280, height: 960 }, ...contextOptions });
    await context.addInitScript(recorder);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    await page.goto(`${server.url}${address}`);
    await page.waitForFunction(() => document.body.dataset.phase === "idle");
    return { page, context, server, problems };
  }

  it("answers what is asked aloud, sounds like it, and saves what was", async () => {
    const { page, context, problems } = await visit([
      ...fakeDevices,
      `--use-file-for-fake-audio-capture=${speech("conversation")}`,
    ]);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await start(page);
    expect(await page.textContent("#device")).toMatch(
      /^WebAssembly, \d+ threads?\d+ ms per micro-turn.*WebGPU: .*To get it, /,
    );
    await said(page, /seven plus eight is fifteen/);
    expect(await lines(page, "user")).toContainEqual(expect.stringMatching(/seven plus eight/));
    expect(await page.textContent("#microphone")).toBe("on");
    expect(await page.textContent("#figures")).toMatch(/^\d+ ms median, \d+ ms at worst, of 200 ms$/);
    for (const name of ["user", "mini", "slack", "experts"])
      expect([name, await paintedLane(page, name)]).toEqual([name, true]);
    expect(await violations(page, axe)).toEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await violations(page, axe)).toEqual([]);

    const { base64, sampleRate } = await page.evaluate(() => recorded());
    const { file, trace } = await savedSession(page);
    open.push({ close: () => rm(file) });
    await showsItself(context, file);
    expect(trace.turns.map(({ output }) => output.text).join(" ")).toMatch(/seven\s+plus\s+eight\s+is\s+fifteen/);
    const correlation = likeness(listen({ base64 } as Listening), sampleRate, trace);
    console.info(`loudspeaker and session: correlation ${correlation.toFixed(3)}`);
    expect(correlation).toBeGreaterThan(0.9);

    await page.click("#mute");
    expect(await page.textContent("#microphone")).toContain("muted");
    await page.click("#start");
    await page.waitForFunction(() => document.body.dataset.phase === "ended");
    expect(await page.textContent("#state")).toBe("ended");
    expect(problems).toEqual([]);
  });

  // Minutes on an adapter that computes on the processor: only where it is asked for.
  const onWebgpu = it.runIf(process.env.MICROTURN_DEMO_ON_WEBGPU === "1");
  onWebgpu("answers on WebGPU where the address asks for it", { timeout: 400_000 }, async ({ skip }) => {
    // An adapter that computes on the processor takes more time than there is: what was said waits, up to a minute.
    const { page, problems } = await visit(webgpuFlags, { address: "?device=webgpu&budget=60000" });
    await page.click("#start");
    await opened(page, 250_000);
    const device = (await page.textContent("#device")) ?? "";
    expect(device).toMatch(/^WebGPU, .*\d+ ms per micro-turn/);
    await expect.poll(() => paintedLane(page, "experts"), { timeout: 100_000 }).toBe(true);
    expect(problems).toEqual([]);
    const turnMs = Number(/(\d+) ms per micro-turn/.exec(device)?.[1]);
    skip(turnMs > 2000, `this machine's software adapter takes ${turnMs} ms for a micro-turn now: no answer in time`);
    await page.fill("#text", "what is two plus three");
    await page.press("#text", "Enter");
    await said(page, /two plus three is five/, 180_000);
  });

  it("gives up what it says when it is interrupted, and turns to what is asked", async () => {
    const { page, problems } = await visit([...fakeDevices, `--use-file-for-fake-audio-capture=${speech("barge-in")}`]);
    await start(page);
    await said(page, /^one(?!.*nine).*you broke in/);
    await said(page, /my name is mini/);
    expect(problems).toEqual([]);
  });

  it("talks with those who type: by keyboard alone, without a microphone, and without a network from the second visit on", async () => {
    const { page, server, problems } = await visit([]);
    expect(await violations(page, axe)).toEqual([]);
    await page.keyboard.press("Tab");
    expect(await focused(page)).toBe("start");
    await page.keyboard.press("Enter");
    await opened(page);
    // On a machine with other work it says first that it is slow.
    await expect
      .poll(() => page.textContent("#notice"), { timeout: 30_000 })
      .toMatch(/microphone.*The conversation goes on without it/);
    expect(await page.textContent("#microphone")).toContain("typing works");
    for (let i = 0; i < 8 && (await focused(page)) !== "text"; i++) await page.keyboard.press("Tab");
    await page.keyboard.type("what is two plus three");
    await page.keyboard.press("Enter");
    expect(await lines(page, "typed")).toEqual([expect.stringContaining("what is two plus three")]);
    await answers(page, "what is two plus three", /two plus three is five/);

    const hostile = '<img src=x onerror="window.hacked=1">';
    await page.fill("#text", hostile);
    await page.keyboard.press("Enter");
    expect(await lines(page, "typed")).toContainEqual(expect.stringContaining(hostile));
    expect(await page.locator("#conversation img").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    await page.fill("#text", "漢字");
    await page.keyboard.press("Enter");
    await expect
      .poll(() => lines(page, "note"), { timeout: 30_000 })
      .toEqual([expect.stringMatching(/cannot hear.*漢字/)]);
    expect(problems).toEqual([]);

    await server.close();
    await page.reload();
    await start(page);
    await answers(page, "what is four plus four", /four plus four is eight/);
  });

  it("answers those who type while the page's sound does not run, and listens again once it does", async () => {
    const { page, problems } = await visit([...fakeDevices]);
    await start(page);
    const microphone = () => page.textContent("#microphone");
    await expect.poll(microphone, { timeout: 30_000 }).toBe("on");
    // As on a machine without a loudspeaker: a browser may open the microphone there, and its sound never starts.
    await page.evaluate(() => {
      const { prototype } = AudioContext;
      const { resume } = prototype;
      prototype.resume = () => new Promise(() => {});
      Object.assign(window, { soundWorks: () => Object.assign(prototype, { resume }) });
      return audioOfPage.suspend();
    });
    await expect.poll(microphone).toMatch(/press a key; typing works/);
    await answers(page, "what is two plus three", /two plus three is five/);
    expect(await microphone()).toMatch(/typing works/);
    await page.evaluate(() => (window as unknown as { soundWorks(): void }).soundWorks());
    await page.keyboard.press("Shift");
    await expect.poll(microphone).toBe("on");
    expect(problems).toEqual([]);
  });

  it("sees what the camera shows, and tells when it changes", async () => {
    const film = join(tmpdir(), `colours-${process.pid}.y4m`);
    await writeFile(
      film,
      colourFilm(
        [
          [220, 30, 30],
          [40, 60, 220],
        ],
        9,
      ),
    );
    open.push({ close: () => rm(film) });
    const { page, problems } = await visit([...fakeDevices, `--use-file-for-fake-video-capture=${film}`]);
    const begin = async () => {
      await start(page);
      // The fake microphone beeps.
      await page.click("#mute");
      await page.click("#camera");
      await page.waitForFunction(() => !document.getElementById("preview")?.hidden);
    };
    const anew = async () => {
      await page.click("#start");
      await page.waitForFunction(() => document.body.dataset.phase === "ended");
      await begin();
    };
    await begin();
    await answers(page, "what color do you see", /i see (red|blue)/, anew);
    await answers(page, "tell me when it turns blue", /now it is blue/, anew);
    expect(await violations(page, axe)).toEqual([]);
    await page.click("#camera");
    await page.waitForFunction(() => document.getElementById("preview")?.hidden);
    expect(problems).toEqual([]);
  });

  it("draws without motion where none is wanted, fits a phone, and needs no isolation", async () => {
    const { page, problems } = await visit([], {
      ...{ reducedMotion: "reduce", viewport: { width: 390, height: 844 }, isolated: false },
    });
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await start(page);
    expect(await page.textContent("#device")).toContain("WebAssembly, 1 thread");
    await answers(page, "count to three", /one two three/);
    expect(await paintedLane(page, "mini")).toBe(true);
    const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(content).toBeLessThanOrEqual(shown);
    expect(await violations(page, axe)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it("says what is wrong when the model cannot be had, and starts when it can", async () => {
    const { page, context } = await visit([]);
    await context.route("**/model/tokenizer.json", (route) => route.fulfill({ status: 404 }));
    await page.click("#start");
    await page.waitForFunction(() => document.getElementById("problem")?.textContent !== "", null, {
      timeout: patienceMs,
    });
    expect(await page.textContent("#problem")).toMatch(/tokenizer\.json is not there.*\(MODEL_INVALID\)/);
    expect(await page.textContent("#start")).toBe("Start talking");
    await context.unroute("**/model/tokenizer.json");
    await start(page);
    expect(await page.textContent("#problem")).toBe("");
    await page.click("#start");
    await page.waitForFunction(() => document.body.dataset.phase === "ended");
    expect(await page.textContent("#start")).toBe("Start again");
    await start(page);
  });

  it("keeps the files of one version, and those of the next one once they are all there", async () => {
    const { page, server } = await visit([]);
    const version = async () => {
      const { pathname } = new URL(page.url());
      await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
      const kept = await page.evaluate(async () => (await caches.keys()).filter((name) => name.includes("page")));
      return [pathname, ...kept];
    };
    const [, first, ...others] = await version();
    expect([first, others]).toEqual([expect.stringMatching(/^microturn-demo-page-[0-9a-f]{16}$/), []]);
    const [script, home] = [places["/service-worker.js"], places["/"]] as { body: string; type: string }[];
    try {
      const next = { ...home, body: home.body.replace("Talk with mini</h1>", "Talk with mini, the next</h1>") };
      places["/"] = next;
      const changed = first.slice(-16).replace(/./g, "f");
      places["/service-worker.js"] = { ...script, body: script.body.replace(first.slice(-16), changed) };
      await page.reload();
      expect(await page.textContent("h1")).toBe("Talk with mini, the next");
      await expect.poll(version, { timeout: 30_000 }).toEqual(["/", `microturn-demo-page-${changed}`]);
      await server.close();
      await page.reload();
      expect(await page.textContent("h1")).toBe("Talk with mini, the next");
    } finally {
      places["/service-worker.js"] = script;
      places["/"] = home;
    }
  });
});

async function start(page: Page): Promise<void> {
  await page.click("#start");
  await opened(page);
}

async function opened(page: Page, longestMs = patienceMs): Promise<void> {
  const phase = () => page.evaluate(() => document.body.dataset.phase);
  await page.waitForFunction(() => document.body.dataset.phase !== "loading", null, { timeout: longestMs });
  expect([await phase(), await page.textContent("#problem")]).toEqual(["open", ""]);
}

/** What one side has said, line by line. */
function lines(page: Page, speaker: string): Promise<string[]> {
  return page.locator(`#conversation .${speaker} .words`).allTextContents();
}

/** Waits until mini has said it. */
async function said(page: Page, words: RegExp, timeoutMs = patienceMs): Promise<void> {
  const words_ = async () => (await lines(page, "assistant")).some((line) => words.test(line));
  await expect.poll(words_, { timeout: timeoutMs, interval: 250, message: String(words) }).toBe(true);
}

/** Types until mini answers. @param anew - begins another conversation, in which mini is not in the middle of something */
async function answers(page: Page, question: string, words: RegExp, anew = async () => {}): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    if (attempt % 2 === 0 && attempt > 0) await anew();
    await page.fill("#text", question);
    await page.press("#text", "Enter");
    try {
      return await said(page, words, 28_000);
    } catch {
      console.info(`"${question}" again: mini said ${JSON.stringify(await lines(page, "assistant"))}`);
    }
  }
  throw new Error(`mini did not say ${words}`);
}

function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => document.activeElement?.id);
}

/** What breaks the accessibility rules. */
async function violations(page: Page, axe: string): Promise<string[]> {
  // From the test, not from the page: its policy allows no script but its own.
  return page.evaluate(`(async () => {
    if (typeof window.axe !== "object") { ${axe} }
    const { violations } = await window.axe.run();
    return violations
      .map(({ id, nodes }) => id + ": " + nodes.map(({ html, failureSummary }) => html + " " + failureSummary).join("; "));
  })()`);
}

/** Whether anything but grid is drawn in a lane. */
function paintedLane(page: Page, name: string): Promise<boolean> {
  return page.evaluate((lane) => {
    const canvas = document.getElementById("lanes") as HTMLCanvasElement;
    const label = document.querySelector<HTMLElement>(`.lane-${lane === "mini" ? "assistant" : lane}`);
    // The canvas itself belongs to the worker that draws on it: a copy is looked at.
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d");
    if (label === null || context === null) return false;
    context.drawImage(canvas, 0, 0);
    const ratio = canvas.height / canvas.clientHeight;
    const top = label.offsetTop - (label.parentElement?.offsetTop ?? 0);
    const { data } = context.getImageData(0, top * ratio, canvas.width, label.offsetHeight * ratio);
    // Its own colours are saturated, those of the grid are not; slack is the darkest grey.
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
      const [low, high] = [Math.min(data[i], data[i + 1], data[i + 2]), Math.max(data[i], data[i + 1], data[i + 2])];
      if (high - low > 60 || (lane === "slack" && Math.abs(high - 0x94) < 8)) count++;
    }
    return count > 20;
  }, name);
}

async function savedSession(page: Page): Promise<{ readonly file: string; readonly trace: SessionTrace }> {
  const downloading = page.waitForEvent("download");
  await page.click("#save");
  const download = await downloading;
  expect(download.suggestedFilename()).toMatch(/^microturn-.*\.html$/);
  const file = join(tmpdir(), `saved-${process.pid}.html`);
  await download.saveAs(file);
  return { file, trace: await readTrace(await readFile(file, "utf8")) };
}

/** A saved session is a page of its own: its policy fits its script. */
async function showsItself(context: BrowserContext, file: string): Promise<void> {
  const page = await context.newPage();
  await page.goto(pathToFileURL(file).href);
  await page.waitForFunction(() => document.querySelectorAll("#figures .figure").length > 0);
  expect(await page.textContent("#conversation")).toContain("seven plus eight is fifteen");
  await page.close();
}

const pieceTurns = 3;

/**
 * How much what the loudspeaker got is like what the session said: the best match of a piece of it. A machine with other work is late
 * now and then, and the sound has gaps there.
 */
function likeness(heard: Float32Array, sampleRate: number, { header, turns }: SessionTrace): number {
  const { outputSampleRate, turnDurationMs } = header;
  const samples = (outputSampleRate * turnDurationMs) / 1000;
  const recording = resample(heard, { inputRate: sampleRate, outputRate: 16_000 });
  let best = -1;
  for (let first = 0; first + pieceTurns <= turns.length && best < 0.95; first++) {
    const sounds = turns.slice(first, first + pieceTurns).map(({ output }) => output.speech);
    if (sounds.includes(undefined)) continue;
    const piece = new Float32Array(pieceTurns * samples);
    sounds.forEach((sound, i) => {
      if (sound !== undefined) piece.set(traceAudio(sound, samples), i * samples);
    });
    first += pieceTurns - 1;
    const { correlation } = bestMatch(recording, resample(piece, { inputRate: outputSampleRate, outputRate: 16_000 }));
    best = Math.max(best, correlation);
  }
  return best;
}

/** Runs in the page before its script: records what goes to the loudspeaker. */
const recorder = `{
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode && this instanceof GainNode) {
      const { context } = this;
      window.audioOfPage = context;
      const ready = context.audioWorklet.addModule("/recorder-worklet.js").then(() => {
        const node = new AudioWorkletNode(context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
        connect.call(node, context.destination);
        connect.call(this, node);
        return node;
      });
      window.recorded = async () => {
        const { port } = await ready;
        const { samples } = await new Promise((resolve) => {
          port.onmessage = ({ data }) => resolve(data);
          port.postMessage("read");
        });
        const bytes = new Uint8Array(samples.buffer);
        let text = "";
        for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
        return { base64: btoa(text), sampleRate: context.sampleRate };
      };
    }
    return connect.call(this, to, ...more);
  };
}`;
