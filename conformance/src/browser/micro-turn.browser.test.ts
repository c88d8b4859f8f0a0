// Our engine in Chromium at our server: it opens with a token, and gives the bits of the engine in the server's process, with
// sound encoded and pictures scaled in the page.

import { fileURLToPath } from "node:url";
import { nodeBackend } from "@microturn/backend-node";
import { localEngine } from "@microturn/core/local";
import { tinyAcoustic, tinyModel } from "@microturn/core/testing";
import { createServer, createToken } from "@microturn/server";
import { expect, test } from "vitest";
import { bundle, chromiumPath, openChromium, startServer, withoutChromium } from "../../../scripts/browser-testing.js";
import { micros } from "../remote/micro-turn-talk.js";
import type { MicroTurnTalk } from "./micro-turn-page.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = (path: string) => here(`../../../packages/backend-remote/src/${path}`);
const secret = "a secret for tests that is long enough to sign with";
const turns = 25;

test.skipIf(chromiumPath === undefined)(
  `a page holds a session at our server, to the bit${withoutChromium}`,
  { timeout: 120_000 },
  async () => {
    const script = await bundle(here("micro-turn-page.ts"), {
      alias: { "#opus": source("opus/browser-opus.ts"), "#socket": source("socket/browser-socket.ts") },
    });
    const site = await startServer({
      routes: { "/": "<!doctype html><script type=module src=/page.js></script>", "/page.js": script },
    });
    const backend = await nodeBackend({ threads: 1 });
    const model = tinyModel({ seed: 3, duplex: { acoustic: tinyAcoustic } });
    const engine = localEngine({ model, backend, maxSessions: 4 });
    const limits = { maxAheadMs: 3_600_000, maxSlowShare: 1 };
    const server = createServer({ engine, auth: { secret }, origins: [new URL(site.url).origin], limits });
    const browser = await openChromium();
    try {
      const { url } = await server.listen({ port: 0 });
      await server.ready;
      const token = await createToken({ secret });
      const page = await browser.newPage();
      await page.goto(site.url);
      await page.waitForFunction(() => "talk" in globalThis);
      const told = await page.evaluate(
        ([url, token, turns]) =>
          (globalThis as unknown as { talk(url: string, token: string, turns: number): Promise<MicroTurnTalk> }).talk(
            url as string,
            token as string,
            turns as number,
          ),
        [url, token, turns],
      );
      expect(told.keyRefused).toMatch(/TypeError: .*createToken/);
      // A page is not told why an upgrade was refused.
      expect(told.wrong).toBe("NETWORK_FAILED");
      const session = await engine.open({ seed: 5, temperature: 1 });
      const speech: number[] = [];
      const words: string[] = [];
      for (const input of micros(turns)) {
        const output = await session.step(input);
        speech.push(...output.speech);
        words.push(`${output.decision}|${output.text}|${output.heard}`);
      }
      expect(told.words).toEqual(words);
      expect(told.speech.length).toBe(speech.length);
      expect(told.speech.every((sample, i) => Object.is(sample, speech[i]))).toBe(true);
      expect(speech.some((sample) => sample !== 0)).toBe(true);
      await session.close();
    } finally {
      await browser.close();
      await server.close();
      await engine.close();
      await backend.close();
      await site.close();
    }
  },
);
