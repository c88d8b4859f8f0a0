// The engine of Moshi in Chromium, with the browser's own Opus encoder, against the double of Kyutai's server.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundle, chromiumPath, openChromium, startServer, withoutChromium } from "../../../scripts/browser-testing.js";
import { moshiDouble } from "../remote/moshi-double.js";
import type { MoshiTalk } from "./moshi-page.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = (path: string) => here(`../../../packages/backend-remote/src/${path}`);

test.skipIf(chromiumPath === undefined)(
  `a page speaks with a Moshi server, encoding with WebCodecs${withoutChromium}`,
  { timeout: 120_000 },
  async () => {
    const script = await bundle(here("moshi-page.ts"), {
      alias: { "#opus": source("opus/browser-opus.ts"), "#socket": source("socket/browser-socket.ts") },
    });
    const server = await startServer({
      routes: { "/": "<!doctype html><script type=module src=/page.js></script>", "/page.js": script },
    });
    const double = await moshiDouble({ profile: "python" });
    const browser = await openChromium();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction(() => "talk" in globalThis);
      const reply = double.beginReply();
      reply.text("▁Hel");
      reply.text("lo");
      reply.sound(Int16Array.from({ length: 24_000 }, (_, i) => 9830 * Math.sin((2 * Math.PI * 440 * i) / 24_000)));
      reply.end();
      const told = await page.evaluate(
        (url) => (globalThis as unknown as { talk(url: string): Promise<MoshiTalk> }).talk(url),
        double.url,
      );
      expect(told.keyRefused).toMatch(/TypeError: .*page/);
      expect(told.words).toBe("Hello");
      expect(told.decisions).toMatch(/^(listen )+(speak )+listen/);
      expect(told.loud + told.dropped).toBeGreaterThan(0.7 * 24_000);
      expect(double.violations).toEqual([]);
      // The encoder may hold the last packet or two when the session ends.
      expect(double.receivedSamples).toBeGreaterThanOrEqual(14 * 4800);
      const tone = double.received().slice(4800, 12 * 4800);
      const power = tone.reduce((sum, value) => sum + (value / 32768) ** 2, 0) / tone.length;
      expect(Math.sqrt(2 * power)).toBeCloseTo(0.3, 1);
    } finally {
      await browser.close();
      await double.close();
      await server.close();
    }
  },
);
