// A connection that is half open: nothing comes through any more, and nobody says so. Every engine whose socket is Node's asks for a
// sign of life, goes on over another connection, and leaves one alone whose other end only has nothing to say.

import { openaiRealtimeEngine, vllmOmniEngine } from "@microturn/backend-remote";
import type { Engine } from "@microturn/core";
import { scriptedEngine } from "@microturn/core/testing";
import { createServer, type MicroturnServer } from "@microturn/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KillingProxy } from "./killing-proxy.js";
import { until } from "./wire-session.js";

const pingMs = 5000;

let server: MicroturnServer;
let proxy: KillingProxy;
let notes: { readonly type: string; readonly cause?: unknown }[];

beforeEach(async () => {
  notes = [];
  const engine = scriptedEngine({ keepSteps: false });
  server = createServer({ engine, auth: "none", limits: { maxSlowShare: 1 } });
  const { port } = await server.listen({ port: 0 });
  await server.ready;
  proxy = await KillingProxy.start(port);
  // The clock of the pings stands still; sockets and sessions have the real one.
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await proxy.close();
  await server.close();
});

const engines: readonly (readonly [string, () => Engine])[] = [
  [
    "OpenAI Realtime",
    () =>
      openaiRealtimeEngine({
        ...{ apiKey: "sk-1", baseUrl: `ws://127.0.0.1:${proxy.port}/v1`, model: "mini" },
        onNote: (note) => notes.push(note),
      }),
  ],
  [
    "vLLM-Omni",
    () => vllmOmniEngine({ url: `ws://127.0.0.1:${proxy.port}`, apiKey: "sk-1", onNote: (note) => notes.push(note) }),
  ],
];

test.each(engines)("%s: a connection without a sign of life is left for another", async (_, make) => {
  const engine = make();
  const session = await engine.open();
  proxy.freeze();
  vi.advanceTimersByTime(4 * pingMs);
  await until("it is back", () => notes.some(({ type }) => type === "reconnected"));
  expect(notes[0]).toMatchObject({
    ...{ type: "reconnecting", cause: { code: "NETWORK_FAILED" } },
  });
  expect(String((notes[0].cause as Error).cause)).toMatch(/no sign of life for 15 s/);
  await session.close();
  await engine.close();
});

test.each(engines)("%s: a connection whose other end answers stays, though nothing is said on it", async (_, make) => {
  const engine = make();
  const session = await engine.open();
  for (let ping = 0; ping < 6; ping++) {
    vi.advanceTimersByTime(pingMs);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(notes).toEqual([]);
  await session.close();
  await engine.close();
});
