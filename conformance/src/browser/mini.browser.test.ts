// mini in a page: it behaves in WASM as it does in Node, and a conversation of more than a minute is the same in both.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bundle,
  chromiumPath,
  openChromium,
  startServer,
  type TestServer,
  webgpuFlags,
  withoutChromium,
} from "../../../scripts/browser-testing.js";
import type { MiniPage, PlayedTurn } from "./mini-page.js";
import { projections } from "./projections.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const extern = { conditions: ["onnxruntime-web-use-extern-wasm"] };
const names = ["conversation", "barge-in", "pause-and-backchannel", "question"];

describe.skipIf(chromiumPath === undefined)(`mini in a page${withoutChromium}`, { timeout: 300_000 }, () => {
  let server: TestServer;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    server = await startServer({
      isolated: true,
      routes: {
        "/": '<!doctype html><title>mini</title><script type="module" src="/page.js"></script>',
        "/page.js": await bundle(here("mini-page.ts"), extern),
        "/worker.js": await bundle(here("../../../packages/backend-web/src/worker.ts"), extern),
        "/ort/": { folder: here("../../../node_modules/onnxruntime-web/dist") },
        "/mini/": { folder: here("../../../packages/mini") },
        "/speech/": { folder: here("../../../fixtures/speech") },
      },
    });
    browser = await openChromium(webgpuFlags);
    page = await browser.newPage();
    await page.goto(`${server.url}/`);
    await page.waitForFunction(() => "page" in window);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  /** All recordings in one session: 73 s. */
  const inPage = () =>
    page.evaluate(
      (recordings) =>
        (window as unknown as { page: MiniPage }).page.play(recordings, { devices: ["wasm"], threads: 1 }),
      names.map((name) => `/speech/${name}.wav`),
    );

  /** The same in Node, with the same weights. */
  async function inNode(): Promise<Pick<PlayedTurn, "decision" | "text" | "heard" | "speech">[]> {
    const backend = await nodeBackend({ threads: 1 });
    const engine = localEngine({ model: mini, backend, weights: "float32" });
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", sampleRate: 16_000 });
    const turns: Pick<PlayedTurn, "decision" | "text" | "heard" | "speech">[] = [];
    session.on("turn-end", ({ turn: { output } }) => {
      const { decision, text, heard, speech } = output;
      turns.push({ decision, text, heard, speech: projections(speech) });
    });
    for (const name of names) {
      const { channels } = readWav(await readFile(here(`../../../fixtures/speech/${name}.wav`)));
      await session.writeAudio(mixToMono(channels));
    }
    await session.finish();
    await engine.close();
    await backend.close();
    return turns;
  }

  it("says and hears in 73 seconds what it says and hears in Node, and sounds the same", async () => {
    const { turns, choice } = await inPage();
    const expected = await inNode();
    expect(choice.device).toBe("wasm");
    expect(turns.length).toBe(expected.length);
    expect(turns.length).toBeGreaterThan(300);
    const words = ({ decision, text, heard }: (typeof expected)[number]) => [decision, text, heard].join("|");
    expect(turns.map(words)).toEqual(expected.map(words));
    expect(turns.map(({ text }) => text).join(" ")).toMatch(/fifteen.*once upon a time.*let me look/);
    // Sums are rounded otherwise; a single level that was chosen otherwise would differ by a hundred times this.
    for (const [index, { speech }] of turns.entries()) {
      for (const [i, value] of speech.entries()) {
        expect(Math.abs(value - expected[index].speech[i]), `micro-turn ${index}`).toBeLessThan(1e-3);
      }
    }
  });

  it("computes on WebGPU what it computes in WASM, and sounds the same", async () => {
    const [onGpu, inWasm] = await page.evaluate(async () => {
      const { page } = window as unknown as { page: MiniPage };
      const tell = (options: Parameters<MiniPage["tell"]>[3]) =>
        page.tell("one two three", "/speech/conversation.wav", 5, options);
      return [
        await tell({ devices: ["webgpu"], allowSoftware: true, acceptSlow: true }),
        await tell({ devices: ["wasm"], threads: 1 }),
      ];
    });
    expect([onGpu.choice.device, inWasm.choice.device]).toEqual(["webgpu", "wasm"]);
    const words = ({ decision, text, heard }: PlayedTurn) => [decision, text, heard].join("|");
    expect(onGpu.turns.map(words)).toEqual(inWasm.turns.map(words));
    expect(onGpu.turns.map(({ text }) => text).join(" ")).toContain("one");
    expect(onGpu.turns.some(({ speech }) => speech.some((value) => value !== 0))).toBe(true);
    let [most, mostExperts] = [0, 0];
    for (const [index, { speech, experts }] of onGpu.turns.entries()) {
      for (const [i, value] of speech.entries()) most = Math.max(most, Math.abs(value - inWasm.turns[index].speech[i]));
      for (const [i, share] of experts.entries()) {
        mostExperts = Math.max(mostExperts, Math.abs(share - inWasm.turns[index].experts[i]));
      }
    }
    console.info(`WebGPU and WASM: sound differs by ${most}, shares of experts by ${mostExperts}`);
    expect(onGpu.turns.every(({ experts }) => experts.length > 0)).toBe(true);
    expect(most).toBeLessThan(1e-3);
    expect(mostExperts).toBeLessThan(1e-3);
  });
});
