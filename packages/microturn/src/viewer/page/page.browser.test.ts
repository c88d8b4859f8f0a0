import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuplexSession, type Engine, type EngineSession, readTrace, type TurnInput, writeTrace } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderTraceHtml } from "../render.js";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

const hostile = '</script><img src=x onerror="window.hacked=1"><!-- <script>window.hacked=1</script>';

/** Hears a hostile transcript at 1 s, replies from 2 s to 3 s, delegates at 3 s. */
const script: Script = ({ index }) => {
  if (index === 5) return { heard: hostile };
  if (index === 15) return { delegation: { task: `look up ${hostile}` } };
  if (index >= 10 && index < 15)
    return { decision: "speak", speech: 0.3, text: ["fine", hostile, "thank", "you", "all"][index - 10] };
  return {};
};

/** The scripted engine with a look inside: routing that moves through 3 layers of 4 experts. */
function transparent(engine: Engine): Engine {
  const open = async (...args: Parameters<Engine["open"]>): Promise<EngineSession> => {
    const session = await engine.open(...args);
    return {
      capabilities: session.capabilities,
      step: async (input: TurnInput) => {
        const output = await session.step(input);
        const expertLoad = Float32Array.from({ length: 12 }, (_, i) => ((i + input.index) % 4 === 0 ? 0.7 : 0.1));
        const controls = new Uint8Array(4).fill(output.decision === "speak" ? 2 : 1);
        return { ...output, inside: { expertLoad, expertShape: [3, 4] as const, controls } };
      },
      snapshot: () => session.snapshot(),
      restore: (snapshot) => session.restore(snapshot),
      close: () => session.close(),
    };
  };
  return { load: (options) => engine.load(options), open, close: () => engine.close() };
}

async function sessionPage(): Promise<string> {
  const session = await DuplexSession.open({
    engine: transparent(scriptedEngine({ script })),
    pace: "as-fast-as-input",
    trace: true,
    tailMs: 0,
  });
  await session.writeAudio(
    Float32Array.from({ length: 16_000 * 6 }, (_, i) => (i < 16_000 ? 0.4 * Math.sin(i / 8) : 0)),
  );
  await session.finish();
  return renderTraceHtml(await writeTrace(session.trace()));
}

describe("renderTraceHtml", () => {
  it("makes one file that readTrace reads back and that names nothing to fetch", async () => {
    const html = await sessionPage();
    const { turns } = await readTrace(html);
    expect(turns[5].output.heard).toBe(hostile);
    // What is markup, without the contents of style and scripts. (No matcher on the whole page: its failure prints it.)
    const markup = html.replace(/(<(?:style|script)[^>]*>)[\s\S]*?(<\/(?:style|script)>)/g, "$1$2");
    expect(markup).toContain("default-src 'none'");
    expect(markup).not.toMatch(/\b(?:src|href)\s*=/i);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
  });

  it("refuses what is not the text of a trace", () => {
    expect(() => renderTraceHtml("<html>")).toThrow(TypeError);
  });
});

describe.skipIf(executablePath === undefined)(
  `the page in a browser${executablePath === undefined ? " (skipped: no Chromium on this machine)" : ""}`,
  () => {
    let browser: Browser;
    let page: Page;
    let folder = "";
    const problems: string[] = [];
    const requests: string[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "viewer-"));
      await writeFile(join(folder, "session.html"), await sessionPage());
      await writeFile(join(folder, "broken.html"), renderTraceHtml('{"format":"something else"}'));
      browser = await chromium.launch({
        ...(executablePath === undefined ? {} : { executablePath }),
        args: [
          ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
          ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
        ],
      });
      const context = await browser.newContext({ offline: true, viewport: { width: 1200, height: 900 } });
      page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(pathToFileURL(join(folder, "session.html")).href);
      await page.waitForFunction(() => document.querySelectorAll("#figures .figure").length > 0);
    });
    afterAll(async () => {
      await browser?.close();
      await rm(folder, { recursive: true });
    });

    /** Share of the pixels of a band of the time line that something was drawn on. */
    const painted = (from: number, to: number) =>
      page.evaluate(
        ([top, bottom]) => {
          const canvas = document.querySelector<HTMLCanvasElement>("#lanes");
          const g = canvas?.getContext("2d");
          if (canvas == null || g == null) return 0;
          const { data } = g.getImageData(0, top, canvas.width, bottom - top);
          let count = 0;
          for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
          return count / (data.length / 4);
        },
        [from, to] as const,
      );

    it("draws every lane, without the network and without a complaint", async () => {
      expect(problems).toEqual([]);
      expect(requests).toHaveLength(1);
      const heights = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>(".lane-label")].slice(0, -1).map((label) => label.offsetHeight),
      );
      let top = 0;
      for (const height of heights) {
        expect(await painted(top, top + height)).toBeGreaterThan(0.005);
        top += height;
      }
    });

    it("shows hostile text as text", async () => {
      expect(await page.textContent("#conversation")).toContain(hostile.trim());
      expect(await page.evaluate(() => "hacked" in window)).toBe(false);
      expect(await page.locator("img").count()).toBe(0);
    });

    it("tells about any micro-turn by keyboard alone", async () => {
      await page.keyboard.press("Home");
      for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
      expect(await page.textContent("#inspector")).toContain("Micro-turn 5");
      expect(await page.textContent("#inspector")).toContain(hostile);
      expect(await page.textContent("#status")).toContain("Micro-turn 5 at 0:01.000, listen, heard");
      await page.keyboard.press("n");
      expect(await page.textContent("#inspector")).toMatch(/Micro-turn 10.*speak/);
      await page.keyboard.press("p");
      await page.keyboard.press("End");
      expect(await page.textContent("#inspector")).toContain("Micro-turn 29");
    });

    it("zooms and comes back", async () => {
      const before = await painted(26, 110);
      await page.keyboard.press("Home");
      for (let i = 0; i < 6; i++) await page.keyboard.press("+");
      await expect.poll(() => painted(26, 110)).not.toBe(before);
      await page.keyboard.press("0");
      await expect.poll(() => painted(26, 110)).toBe(before);
    });

    it("plays and pauses", async () => {
      await page.keyboard.press("Home");
      await page.click("#play");
      await page.waitForFunction(() => !document.getElementById("clock")?.textContent?.startsWith("0:00.000"));
      await page.click("#play");
      expect(await page.getAttribute("#play", "aria-label")).toBe("Play");
      expect(problems).toEqual([]);
    });

    it("goes to a line of the conversation that is chosen", async () => {
      await page.click("#conversation .line.assistant");
      expect(await page.textContent("#inspector")).toContain("Micro-turn 10");
    });

    it("says why when the trace cannot be read", async () => {
      const other = await browser.newPage();
      await other.goto(pathToFileURL(join(folder, "broken.html")).href);
      await other.waitForFunction(() => document.getElementById("failure")?.textContent !== "");
      expect(await other.textContent("#failure")).toContain("cannot be shown");
      await other.close();
    });
  },
);
