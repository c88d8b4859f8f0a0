import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle, chromiumPath, openChromium, withoutChromium } from "../../../../../scripts/browser-testing.js";
import type { ConversationLog } from "./conversation-log.js";

/** What a test finds in its page. */
declare const made: { readonly ConversationLog: typeof ConversationLog };

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

describe.skipIf(chromiumPath === undefined)(`the log of a conversation${withoutChromium}`, () => {
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    script = await bundle(here("conversation-log.ts"), { format: "iife", globalName: "made" });
    browser = await openChromium();
  });
  afterAll(() => browser?.close());

  it("takes out what was said and not heard, from the end on, and shows where the assistant stopped (rule 4)", async () => {
    const page = await browser.newPage();
    await page.addScriptTag({ content: script });
    const shown = await page.evaluate(() => {
      const element = document.body.appendChild(document.createElement("div"));
      const log = new made.ConversationLog(element);
      const lines = () =>
        [...element.querySelectorAll(".said")].map((line) => line.querySelector(".words")?.textContent ?? "");
      const seen: string[][] = [];
      log.begin(200);
      log.add("assistant", "one", 0);
      log.add("assistant", "two,", 1);
      log.add("user", "stop", 2);
      log.add("assistant", "three", 2);
      log.takeBack("");
      seen.push(lines());
      log.takeBack("two,  three");
      log.yield();
      seen.push(lines());
      // A reply of which nothing was heard goes whole, and what is said next is a line of its own.
      log.add("assistant", "four", 20);
      log.add("assistant", "five", 21);
      log.takeBack("four five");
      log.yield();
      log.add("assistant", "six", 22);
      seen.push(lines());
      return seen;
    });
    expect(shown).toEqual([
      ["one two, three", "stop"],
      ["onestops: you broke in", "stop"],
      ["onestops: you broke in", "stop", "six"],
    ]);
    await page.close();
  });

  it("follows the end, and leaves whoever has scrolled up where he reads", async () => {
    const page = await browser.newPage();
    await page.addScriptTag({ content: script });
    const places = await page.evaluate(async () => {
      const element = document.body.appendChild(document.createElement("div"));
      element.style.cssText = "height: 100px; overflow-y: auto";
      const log = new made.ConversationLog(element);
      const frames = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20)));
      const toEnd = () => Math.round(element.scrollHeight - element.scrollTop - element.clientHeight);
      const say = async (from: number) => {
        for (let turn = from; turn < from + 10; turn++) {
          log.add("typed", "something", turn);
          await frames();
        }
        return [element.scrollHeight > 150, toEnd()];
      };
      log.begin(200);
      const atEnd = await say(0);
      element.scrollTop = 20;
      await frames();
      await say(10);
      const scrolledUp = element.scrollTop;
      element.scrollTop = element.scrollHeight;
      await frames();
      return { atEnd, scrolledUp, again: await say(20) };
    });
    expect(places).toEqual({ atEnd: [true, 0], scrolledUp: 20, again: [true, 0] });
    await page.close();
  });
});
