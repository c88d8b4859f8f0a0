import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, withoutChromium } from "../../../scripts/browser-testing.js";
import type { MediaKit } from "./testing/kit.js";
import { type MediaPages, openMediaPages } from "./testing/media-page.js";

declare const kit: MediaKit;

/** A browser that starts no sound until the user has touched the page, as those of people do. */
const strict = ["--autoplay-policy=document-user-activation-required"];

describe.skipIf(chromiumPath === undefined)(`the audio of a session in a browser${withoutChromium}`, () => {
  let pages: MediaPages;
  beforeAll(async () => {
    pages = await openMediaPages({ flags: strict });
  });
  afterAll(() => pages?.close());

  it("waits for the user's touch where the browser asks for one, and begins with it", async () => {
    const waiting = await openMediaPages({ flags: strict, entry: "testing/autoplay-page.ts" });
    try {
      const page = await waiting.open();
      const told: string[] = [];
      page.on("console", (message) => told.push(message.text()));
      await expect.poll(() => told.join(), { timeout: 10_000 }).toBe("after a while: suspended");
      await page.mouse.click(10, 10);
      await expect.poll(() => told.join(), { timeout: 10_000 }).toBe("after a while: suspended,now: running");
    } finally {
      await waiting.close();
    }
  });

  it("names an interruption, leaves the context alone while it lasts, and goes on after it", async () => {
    const page = await pages.open();
    await page.mouse.click(10, 10);
    const result = await page.evaluate(async () => {
      let context: AudioContext | undefined;
      const Original = AudioContext;
      globalThis.AudioContext = class extends Original {
        constructor(options?: AudioContextOptions) {
          super(options);
          context = this;
        }
      };
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const states: string[] = [];
      const microphone = await kit.attachMicrophone(session, { onStateChange: (state) => states.push(`mic ${state}`) });
      const speaker = kit.attachSpeaker(session, { onStateChange: (state) => states.push(`speaker ${state}`) });
      while (session.turnIndex < 2 || context === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
      states.length = 0;
      // What iOS does when a call comes in, and when it is over.
      let resumes = 0;
      let state = "interrupted";
      context.resume = async () => {
        resumes++;
      };
      Object.defineProperty(context, "state", { get: () => state, configurable: true });
      context.dispatchEvent(new Event("statechange"));
      const during = resumes;
      state = "suspended";
      context.dispatchEvent(new Event("statechange"));
      const after = resumes;
      Reflect.deleteProperty(context, "state");
      context.dispatchEvent(new Event("statechange"));
      const seen = states.slice();
      await session.close();
      await Promise.all([microphone.ended, speaker.ended]);
      return { during, after, seen };
    });
    expect(result.during).toBe(0);
    expect(result.after).toBe(1);
    expect(result.seen).toEqual([
      ...["mic interrupted", "speaker interrupted", "mic suspended", "speaker suspended"],
      ...["mic live", "speaker running"],
    ]);
  });

  it("closes its users when the app closes the context that it passed in", async () => {
    const page = await pages.open();
    await page.mouse.click(10, 10);
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const audioContext = new AudioContext();
      const microphone = await kit.attachMicrophone(session, { audioContext });
      const speaker = kit.attachSpeaker(session, { audioContext });
      await speaker.ready;
      const [track] = microphone.stream.getTracks();
      await audioContext.close();
      await Promise.all([microphone.ended, speaker.ended]);
      const { closed } = session;
      await session.close();
      return { closed, states: [microphone.state, speaker.state, track.readyState] };
    });
    expect(result).toEqual({ closed: false, states: ["closed", "closed", "ended"] });
  });
});
