import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, withoutChromium } from "../../../../scripts/browser-testing.js";
import { type MediaPages, openMediaPages } from "../testing/media-page.js";

/** What the page of the tests has: see testing/react-page.tsx. */
declare const page: {
  streams: MediaStream[];
  loads: number;
  failing: boolean;
  slow: boolean;
  yielding: boolean;
  heard: string[];
};

describe.skipIf(chromiumPath === undefined)(`useDuplexSession in a browser${withoutChromium}`, () => {
  let pages: MediaPages;
  beforeAll(async () => {
    pages = await openMediaPages({ entry: "testing/react-page.tsx" });
  });
  afterAll(() => pages?.close());

  const text = (tab: Page, id: string) => tab.textContent(`#${id}`);
  const becomes = (tab: Page, id: string, value: string | RegExp) =>
    expect.poll(() => text(tab, id), { timeout: 20_000 }).toMatch(value);
  const tracks = (tab: Page) =>
    tab.evaluate(() => page.streams.flatMap((stream) => stream.getTracks()).map(({ readyState }) => readyState));

  it("talks: opens on a click, shows what both said, mutes, and lets every device go at the end", async () => {
    const tab = await pages.open();
    expect(await text(tab, "state")).toBe("idle");
    await tab.click("#start");
    await becomes(tab, "state", "open");
    await becomes(tab, "transcript", /user: user0 user1.* \| assistant: assistant0 assistant1/);
    expect(await text(tab, "devices")).toMatch(/live (running|suspended) live/);
    await tab.click("#mute");
    await becomes(tab, "muted", "true");
    expect(
      await tab.evaluate(() => page.streams.flatMap((one) => one.getAudioTracks()).map(({ enabled }) => enabled)),
    ).toEqual([false]);
    await tab.click("#stop");
    await becomes(tab, "state", "closed");
    expect(await tracks(tab)).toEqual(["ended", "ended"]);
    // What was said stays readable; muting holds for the next start.
    expect(await text(tab, "transcript")).toContain("user: user0");
    await tab.click("#start");
    await becomes(tab, "state", "open");
    expect(await text(tab, "muted")).toBe("true");
    await tab.click("#stop");
    await becomes(tab, "state", "closed");
    // One engine per start, also in StrictMode, which mounts everything twice.
    expect(await tab.evaluate(() => page.loads)).toBe(2);
    expect(tab.problems).toEqual([]);
  });

  it("shows of the assistant what was heard: when it is cut off, words whose sound was flushed go again (rule 4); and what the background does", async () => {
    const tab = await pages.open();
    await tab.evaluate(() => {
      page.yielding = true;
    });
    await tab.click("#toggle");
    await tab.click("#toggle");
    await tab.click("#start");
    const said = "assistant0 assistant1 assistant2 assistant3 assistant4 assistant5 assistant6 assistant7 assistant8";
    await becomes(tab, "transcript", "user: stop");
    await expect.poll(() => tab.evaluate(() => page.heard.length), { timeout: 20_000 }).toBe(1);
    const [heard] = await tab.evaluate(() => page.heard);
    // The session counts as heard what the speaker tells, and hands that over; the captions say the same.
    expect(await text(tab, "transcript")).toBe(`assistant: ${heard}- | user: stop`);
    expect(said.startsWith(heard)).toBe(true);
    expect(heard.length).toBeLessThan(said.length);
    // What it handed over is done meanwhile, and shown beside.
    await becomes(tab, "tools", 'look_up done {"hats":2}');
    await becomes(tab, "work", "done: There are two.");
    await tab.click("#stop");
    await becomes(tab, "state", "closed");
    expect(tab.problems).toEqual([]);
  });

  it("ends with its component, and changes nothing after that", async () => {
    const tab = await pages.open();
    await tab.click("#start");
    await becomes(tab, "state", "open");
    await becomes(tab, "transcript", "user0");
    await tab.click("#toggle");
    await becomes(tab, "gone", "gone");
    await expect.poll(() => tracks(tab), { timeout: 20_000 }).toEqual(["ended", "ended"]);
    await tab.click("#toggle");
    expect(await text(tab, "state")).toBe("idle");
    expect(tab.problems).toEqual([]);
  });

  it("can be stopped, or removed, while it loads", async () => {
    const tab = await pages.open();
    await tab.evaluate(() => {
      page.slow = true;
    });
    await tab.click("#start");
    await becomes(tab, "state", "loading");
    await tab.click("#start");
    await tab.click("#stop");
    await becomes(tab, "state", "closed");
    await tab.click("#start");
    await becomes(tab, "state", "loading");
    await tab.click("#toggle");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(await tracks(tab)).toEqual([]);
    expect(await tab.evaluate(() => page.loads)).toBe(2);
    expect(tab.problems).toEqual([]);
  });

  it("tells why it could not start, and can be started again", async () => {
    const tab = await pages.open();
    await tab.evaluate(() => {
      page.failing = true;
    });
    await tab.click("#start");
    await becomes(tab, "state", "error");
    expect(await text(tab, "error")).toBe("no model here");
    await tab.evaluate(() => {
      page.failing = false;
    });
    await tab.click("#start");
    await becomes(tab, "state", "open");
    expect(await text(tab, "error")).toBe("");
    await tab.click("#stop");
    await becomes(tab, "state", "closed");
    expect(tab.problems).toEqual([]);
  });
});
