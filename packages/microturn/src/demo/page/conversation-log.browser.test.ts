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
});
