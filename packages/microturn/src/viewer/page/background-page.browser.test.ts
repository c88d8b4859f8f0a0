import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Background, type BackgroundActivity, DuplexSession, writeTrace } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, openChromium, withoutChromium } from "../../../../../scripts/browser-testing.js";
import { renderTraceHtml } from "../render.js";

const hostile = '</script><img src=x onerror="window.hacked=1"><b>';

const script: Script = ({ index, text }) => {
  if (index === 4)
    return { delegation: { task: `weather in Rome ${hostile}`, name: "ask", arguments: { city: hostile } } };
  if (index === 7) return { delegation: { task: "book the cheapest hotel for two nights", id: "hotel" } };
  if (index > 5 && index < 16 && index % 3 === 0) return { heard: ["and", "tell me", "also please"][index % 3] };
  if (text.length > 0) return { decision: "speak", speech: 0.2, text: text.map((piece) => piece.text).join(" ") };
  return {};
};

const weather = { delegation: "delegation-4", call: "w1", name: "weather" };
const train = { delegation: "delegation-4", call: "t1", name: `train ${hostile}` };
const hotel = { delegation: "hotel", call: "h1", name: "book_hotel" };
const start = { type: "tool-call", irreversible: false, attempt: 1 } as const;

/** What the background tells in each micro-turn. */
const told: Readonly<Record<number, readonly BackgroundActivity[]>> = {
  6: [
    { ...start, ...weather, arguments: { city: "Rome", note: hostile }, state: "queued" },
    { ...start, ...train, arguments: { to: "Rome" }, state: "running" },
  ],
  8: [{ ...start, ...weather, arguments: { city: "Rome" }, state: "running" }],
  9: [
    { type: "tool-progress", delegation: "delegation-4", call: "w1", text: `half ${hostile}` },
    { ...start, ...hotel, arguments: { nights: 2 }, state: "awaiting-approval", irreversible: true },
  ],
  12: [{ type: "tool-result", ...weather, outcome: "done", result: { rain: true, text: hostile } }],
  13: [
    { type: "background-delta", delegation: "delegation-4", text: "It rains" },
    { type: "background-delta", delegation: "delegation-4", text: " in Rome." },
    { type: "tool-result", ...train, outcome: "timed-out", error: `too slow ${hostile}` },
  ],
  14: [{ type: "background-end", delegation: "delegation-4", outcome: "done" }],
  20: [{ ...start, ...hotel, arguments: { nights: 2 }, state: "running", irreversible: true }],
  26: [{ type: "tool-result", ...hotel, outcome: "unknown", error: "the connection broke" }],
  27: [{ type: "background-end", delegation: "hotel", outcome: "failed", error: "nobody knows whether it is booked" }],
};

const durationMs = 36 * 200;

/** Tells the above, and delivers the answer whole, and a word that nobody asked for. */
const background: Background = {
  attach(session, tell) {
    session.on("turn-end", ({ turnIndex }) => {
      for (const activity of told[turnIndex + 1] ?? []) tell(activity);
      if (turnIndex === 12) void session.deliver("It rains in Rome.", "when-quiet", { delegation: weather.delegation });
      if (turnIndex === 24) void session.deliver(`by the way ${hostile}`, "silent");
    });
    return { close: async () => {} };
  },
};

async function traceOf(options: { background?: Background }): Promise<string> {
  const engine = scriptedEngine({ script });
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", trace: true, tailMs: 0, ...options });
  await session.writeAudio(
    Float32Array.from({ length: 16_000 * 7 }, (_, i) => (i < 16_000 ? 0.4 * Math.sin(i / 8) : 0)),
  );
  await session.finish();
  return writeTrace(session.trace());
}

/** The same trace with more told than anybody can look at, by names that clash. */
function flooded(trace: string): string {
  const file = JSON.parse(trace) as { turns: { background?: unknown[] }[] };
  file.turns.forEach((turn, index) => {
    turn.background = Array.from({ length: 3_000 }, (_, i) => {
      const call = { delegation: `d${i % 70}`, call: `c${i % 100}`, name: hostile };
      if (i % 3 === 0) return { ...start, ...call, arguments: { deep: [[[[[[[i]]]]]]] }, state: "queued" };
      if (i % 3 === 1) return { type: "background-delta", delegation: `d${i % 700}`, text: `${hostile} ${index}` };
      return { type: "tool-result", ...call, outcome: "rejected", error: hostile };
    });
  });
  return JSON.stringify(file);
}

it("keeps the script of the page small: it is part of every saved session", async () => {
  const script = await readFile(new URL("../../../dist/viewer/page.js", import.meta.url));
  expect(script.byteLength).toBeLessThan(64 * 1024);
});

describe.skipIf(chromiumPath === undefined)(`the background in the page of a session${withoutChromium}`, () => {
  let browser: Browser;
  let page: Page;
  let folder = "";
  const problems: string[] = [];

  const open = async (name: string, trace: string): Promise<Page> => {
    const path = join(folder, `${name}.html`);
    await writeFile(path, renderTraceHtml(trace));
    const opened = await browser.newPage({ viewport: { width: 1300, height: 1500 } });
    opened.on("pageerror", (error) => problems.push(error.message));
    opened.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    // What is drawn is counted.
    await opened.addInitScript(() => {
      const counts = { drawn: 0 };
      Object.assign(window, { counts });
      const { fillRect, fillText, stroke, fill, strokeRect } = CanvasRenderingContext2D.prototype;
      for (const [name, method] of Object.entries({ fillRect, fillText, stroke, fill, strokeRect })) {
        Object.assign(CanvasRenderingContext2D.prototype, {
          [name](this: CanvasRenderingContext2D, ...args: unknown[]) {
            counts.drawn++;
            return (method as (...args: unknown[]) => unknown).apply(this, args);
          },
        });
      }
    });
    await opened.goto(pathToFileURL(path).href);
    await opened.waitForFunction(() => document.querySelectorAll("#figures .figure").length > 0);
    return opened;
  };

  /** Moves the pointer to a time, `down` pixels into the lane, and reads what is shown there. */
  const pointAt = async (timeMs: number, down: number): Promise<string | undefined> => {
    const box = await page.locator("#overlay").boundingBox();
    const lane = await page.locator(".lane-background").boundingBox();
    if (box === null || lane === null) throw new Error("the page has no lane of the background");
    await page.mouse.move(box.x + (timeMs / durationMs) * box.width, lane.y + down);
    return (await page.locator("#tip").isVisible()) ? ((await page.locator("#tip").textContent()) ?? "") : undefined;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "viewer-background-"));
    browser = await openChromium();
    page = await open("session", await traceOf({ background }));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  // The lane, from its top: results that name no work (4), the first work (20) with its words (40), its two calls (56 and 73).
  it("tells under the pointer what was asked, called, told and delivered, and how long it waited", async () => {
    expect(await pointAt(1_500, 28)).toMatch(/^weather in Rome <\/script>.*done; from 0:00\.8 for 2\.0 s/);
    expect(await pointAt(1_500, 28)).toContain("2 calls, 1 not done");
    expect(await pointAt(2_000, 62)).toMatch(/^weather: donearguments \{"city":"Rome"\}result \{"rain":true/);
    expect(await pointAt(2_000, 62)).toContain(
      "queued from 0:01.2 for 0.4 s; running from 0:01.6 for 0.8 s; over at 0:02.4",
    );
    expect(await pointAt(2_000, 80)).toMatch(/^train .*: timed out.*error: too slow/);
    expect(await pointAt(2_633, 45)).toContain("the background told at 0:02.6");
    const entered = (await page.evaluate(() => document.querySelector("#conversation")?.textContent)) ?? "";
    expect(entered).toContain("It rains in Rome.");
    expect(await pointAt(3_900, 45)).toBe("entered at 0:03.8, after a wait of 1.2 sIt rains in Rome.");
    expect(await pointAt(5_100, 12)).toBe(`entered at 0:05.0, to know and not to sayby the way ${hostile}`);
    expect(await pointAt(6_900, 28)).toBeUndefined();
  });

  it("shows states and outcomes in colours that the legend names", async () => {
    expect(await page.locator("#legend").isVisible()).toBe(true);
    expect(await page.locator("#legend li").count()).toBe(10);
    const found = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>("#lanes");
      const label = document.querySelector<HTMLElement>(".lane-background");
      const g = canvas?.getContext("2d");
      if (canvas == null || label == null || g == null) return {};
      const top = label.offsetTop - (document.querySelector<HTMLElement>("#labels")?.offsetTop ?? 0);
      const { data } = g.getImageData(0, top, canvas.width, label.offsetHeight);
      const solid = new Set<string>();
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] === 255)
          solid.add(`#${[data[i], data[i + 1], data[i + 2]].map((v) => v.toString(16).padStart(2, "0")).join("")}`);
      }
      const style = getComputedStyle(document.documentElement);
      const names = ["delegate", "done", "late", "approval", "assistant"];
      return Object.fromEntries(names.map((name) => [name, solid.has(style.getPropertyValue(`--${name}`).trim())]));
    });
    expect(found).toEqual({ delegate: true, done: true, late: true, approval: true, assistant: true });
  });

  it("is told in words, and gone through by keyboard alone", async () => {
    await page.keyboard.press("Home");
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("b");
      seen.push((await page.textContent("#status")) ?? "");
    }
    expect(seen.map((text) => text.match(/^Micro-turn (\d+)/)?.[1])).toEqual(["4", "6", "7", "8"]);
    expect(seen[1]).toContain(`call weather queued, call train ${hostile} running`);
    for (let i = 0; i < 4; i++) await page.keyboard.press("b");
    expect(await page.textContent("#status")).toContain("work done: weather in Rome");
    await page.keyboard.press("B");
    expect(await page.textContent("#status")).toMatch(/^Micro-turn 13 .*the background told “It rains”.*timed out/);
    const inspector = (await page.textContent("#inspector .background")) ?? "";
    expect(inspector).toContain(`error: too slow ${hostile}`);
    expect(inspector).toContain("book the cheapest hotel");
    expect(inspector).toContain("waits for approval from 0:01.8 for 2.2 s");
  });

  it("is part of the conversation, from which one goes to its micro-turn", async () => {
    const lines = page.locator("#conversation .line.background");
    expect(await lines.count()).toBe(4);
    expect(await lines.nth(1).textContent()).toContain(
      "book the cheapest hotel for two nights · failed · book_hotel unknown",
    );
    await lines.nth(2).click();
    expect(await page.textContent("#inspector h3")).toBe("Micro-turn 19");
    expect(await page.textContent("#inspector")).toContain("entered at 0:03.8, after a wait of 1.2 s");
  });

  it("shows hostile text as text", async () => {
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await page.locator("img, #tip b").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it("is not there in a session without one", async () => {
    const file = JSON.parse(await traceOf({})) as { turns: { output: { delegation?: { id?: string } } }[] };
    // As recorded before there was a background: a delegation had no name.
    for (const { output } of file.turns) delete output.delegation?.id;
    const other = await open("without", JSON.stringify(file));
    const labels = await other.locator(".lane-label strong").allTextContents();
    expect(labels).toContain("Delegated");
    expect(labels).not.toContain("Background");
    expect(
      await other
        .locator("#legend, #background-keys")
        .evaluateAll((all) => all.map((one) => one.hasAttribute("hidden"))),
    ).toEqual([true, true]);
    expect(await other.locator("#conversation .line.background").count()).toBe(0);
    await other.keyboard.press("b");
    expect(await other.textContent("#inspector h3")).toBe("Micro-turn 0");
    await other.close();
  });

  it("shows the name of every lane whole, and its hint whole or not at all", async () => {
    const file = JSON.parse(await traceOf({})) as { turns: { output: { delegation?: unknown } }[] };
    const two = JSON.stringify(file);
    delete file.turns[7].output.delegation;
    const sessions = { one: JSON.stringify(file), two, calls: await traceOf({ background }) };
    const heights: number[] = [];
    for (const [name, trace] of Object.entries(sessions)) {
      const other = await open(name, trace);
      for (const width of [1_280, 700]) {
        await other.setViewportSize({ width, height: 900 });
        expect({ name, width, cut: await other.evaluate(cutLabels) }).toEqual({ name, width, cut: [] });
      }
      heights.push((await other.locator(".lane-background").boundingBox())?.height ?? 0);
      await other.close();
    }
    // Room for the name alone, for a part of the hint, and for all of it.
    expect(heights.map((height) => [30, 60].filter((least) => height > least).length)).toEqual([0, 1, 2]);
  });

  it("draws a bounded lane of a trace in which thousands of things happen at once", { timeout: 60_000 }, async () => {
    const other = await open("flood", flooded(await traceOf({})));
    expect((await other.locator(".lane-background").boundingBox())?.height).toBeLessThan(620);
    const drawn = await other.evaluate(async () => {
      const counts = (window as unknown as { counts: { drawn: number } }).counts;
      counts.drawn = 0;
      document.getElementById("fit")?.click();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      return counts.drawn;
    });
    expect(drawn).toBeGreaterThan(1_000);
    expect(drawn).toBeLessThan(60_000);
    expect(await other.textContent("#legend")).toMatch(/\d+ more activities are beyond what is shown/);
    await other.keyboard.press("End");
    expect(((await other.textContent("#status")) ?? "").length).toBeLessThan(2_000);
    expect(await other.locator("#inspector *").count()).toBeLessThan(700);
    expect(await other.evaluate(() => "hacked" in window)).toBe(false);
    expect(problems).toEqual([]);
    await other.close();
  });
});

/** In the page: the texts beside the lanes of which a part is cut off. A hint may be out of sight, a name may not. */
function cutLabels(): string[] {
  const cut: string[] = [];
  for (const label of document.querySelectorAll(".lane-label")) {
    const room = label.getBoundingClientRect();
    for (const part of label.children) {
      const range = document.createRange();
      range.selectNodeContents(part);
      const lines = [...range.getClientRects()];
      const whole = lines.every(
        ({ left, right, top, bottom }) =>
          left >= room.left && right <= room.right && top >= room.top - 1 && bottom <= room.bottom + 1,
      );
      const unseen = lines.every(({ left, top }) => left >= room.right || top >= room.bottom);
      if (!whole && (part.localName === "strong" || !unseen)) cut.push(part.textContent ?? "");
    }
  }
  return cut;
}
