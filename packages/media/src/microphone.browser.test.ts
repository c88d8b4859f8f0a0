import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, withoutChromium } from "../../../scripts/browser-testing.js";
import type { MediaKit } from "./testing/kit.js";
import { type MediaPages, openMediaPages } from "./testing/media-page.js";

declare const kit: MediaKit;

describe.skipIf(chromiumPath === undefined)(`the microphone in a browser${withoutChromium}`, () => {
  let pages: MediaPages;
  beforeAll(async () => {
    pages = await openMediaPages();
  });
  afterAll(() => pages?.close());

  it("trial", async () => {
    const page: Page & { problems: string[] } = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine();
      const session = await kit.core.DuplexSession.open({ engine });
      const states: string[] = [];
      const microphone = await kit.attachMicrophone(session, { onStateChange: (state) => states.push(state) });
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const timeMs = session.timeMs;
      const { settings } = microphone;
      await session.close();
      await microphone.ended;
      return {
        timeMs,
        steps: engine.steps.length,
        states,
        settings,
        iso: crossOriginIsolated,
        level: microphone.level,
      };
    });
    console.log(result, page.problems);
    expect(result.steps).toBeGreaterThan(5);
  });
});
