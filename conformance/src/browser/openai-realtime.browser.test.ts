// The engine of OpenAI Realtime in Chromium, with a short-lived key as a sub-protocol, against the double of the service.

import { fileURLToPath } from "node:url";
import { createRealtimeToken } from "@microturn/backend-remote";
import { expect, test } from "vitest";
import { bundle, chromiumPath, openChromium, startServer, withoutChromium } from "../../../scripts/browser-testing.js";
import { OpenAIRealtimeDouble } from "../remote/openai-realtime-double.js";
import { difference, sawtooth, until } from "../remote/wire-session.js";
import type { RealtimeTalk } from "./openai-realtime-page.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const source = (path: string) => here(`../../../packages/backend-remote/src/${path}`);
const apiKey = "sk-never-in-a-page";

test.skipIf(chromiumPath === undefined)(
  `a page holds a session with OpenAI Realtime${withoutChromium}`,
  { timeout: 120_000 },
  async () => {
    const script = await bundle(here("openai-realtime-page.ts"), {
      alias: { "#opus": source("opus/browser-opus.ts"), "#socket": source("socket/browser-socket.ts") },
    });
    const server = await startServer({
      routes: { "/": "<!doctype html><script type=module src=/page.js></script>", "/page.js": script },
    });
    const double = await OpenAIRealtimeDouble.start({ key: apiKey });
    const browser = await openChromium();
    try {
      const { value } = await createRealtimeToken({ apiKey, baseUrl: `http://127.0.0.1:${double.port}/v1` });
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction(() => "talk" in globalThis);
      const talking = page.evaluate(
        ([url, token]) =>
          (globalThis as unknown as { talk(url: string, token: string): Promise<RealtimeTalk> }).talk(url, token),
        [`${double.url}/v1`, value],
      );
      await until("the session", () => double.receivedSamples > 0);
      const reply = double.beginReply();
      reply.text("Hello from the double");
      reply.sound(sawtooth(12_000), { oddBytes: true });
      reply.end();
      const told = await talking;
      expect(told.keyRefused).toMatch(/TypeError: .*createRealtimeToken/);
      // A page is not told why an upgrade was refused.
      expect(told.wrong).toBe("NETWORK_FAILED");
      expect(told.words).toBe("Hello from the double");
      expect(told.decisions).toMatch(/^(listen )+(speak ){3}(listen ?)+$/);
      expect(difference(Int16Array.from(told.sound), sawtooth(12_000))).toBe("");
      await until("the sound of the user", () => double.receivedSamples === 12 * 4800);
      expect(double.received().every((sample) => sample === 8192)).toBe(true);
      expect(double.eventsOf("conversation.item.create")).toHaveLength(1);
      expect(double.violations).toEqual([]);
      await until("the end", () => double.openConnections === 0);
    } finally {
      await browser.close();
      await double.close();
      await server.close();
    }
  },
);
