// Kyutai's own server and client, as published (package moshi 0.2.13 with sphn): the engine holds a session with the server, and
// the client holds one with each double. Only the model and the sound card are replaced: see moshi-vendor/vendor.py. What they
// sent is kept in fixtures/moshi and replayed where they are not installed.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { moshiEngine } from "@microturn/backend-remote";
import { describe, expect, test } from "vitest";
import { moshiDouble } from "./moshi-double.js";
import { until } from "./wire-session.js";

/** A Python that has sphn, aiohttp, numpy, and moshi (`pip install --no-deps moshi`). */
const python = process.env.MICROTURN_MOSHI_PYTHON;
const script = fileURLToPath(new URL("./moshi-vendor/vendor.py", import.meta.url));
const reason = python === undefined ? " (skipped: MICROTURN_MOSHI_PYTHON names no Python with moshi)" : "";

describe.skipIf(python === undefined)(`Kyutai's own programs${reason}`, () => {
  test("their server and the engine speak with each other", { timeout: 120_000 }, async () => {
    const port = await freePort();
    const server = spawn(python as string, [script, "server", "--port", String(port)]);
    let log = "";
    for (const stream of [server.stdout, server.stderr]) stream.on("data", (text) => (log += text));
    try {
      await until("the server listens", () => log.includes("Running on"), 60_000);
      const engine = moshiEngine({ url: `ws://127.0.0.1:${port}` });
      const session = await engine.open();
      const words: string[] = [];
      const sound: number[] = [];
      for (let index = 0; index < 20; index++) {
        const input = { index, turns: 1, audio: new Float32Array(4800), images: [], text: [] };
        const { text, speech, decision } = await session.step(input);
        if (text !== "") words.push(text);
        if (decision === "speak") sound.push(...speech);
      }
      expect(words.join(" ")).toBe("Hello from Moshi. €");
      // Two seconds of a tone.
      expect(sound.filter((value) => Math.abs(value) > 0.1).length).toBeGreaterThan(0.7 * 2 * 24_000);
      expect(log).not.toMatch(/Traceback|Warn|Err/);
      // A second client is connected, and hears nothing until the first has left.
      const waiting = moshiEngine({ url: `ws://127.0.0.1:${port}`, connectTimeoutMs: 1500 });
      await expect(waiting.open()).rejects.toMatchObject({ code: "SERVER_BUSY" });
      await engine.close();
      await until("the server ends the session", () => log.includes("done with connection"));
    } finally {
      server.kill();
    }
  });

  test.each(["python", "rust"] as const)("their client and the double speak with each other (%s)", async (profile) => {
    const double = await moshiDouble({ profile });
    const folder = await mkdtemp(join(tmpdir(), "microturn-moshi-"));
    try {
      const reply = double.beginReply();
      reply.text("▁Hel");
      reply.text("lo");
      reply.sound(Int16Array.from({ length: 24_000 }, (_, i) => 9830 * Math.sin((2 * Math.PI * 440 * i) / 24_000)));
      reply.end();
      const out = join(folder, "heard.f32");
      const args = [script, "client", "--url", double.url, "--steps", "50", "--out", out];
      const { stdout, stderr } = await promisify(execFile)(python as string, args);
      expect(stdout, stderr).toBe(" Hello");
      expect(stderr).not.toMatch(/Lost connection|Traceback/);
      expect(double.violations).toEqual([]);
      expect(double.receivedSamples).toBe(50 * 1920);
      const bytes = await readFile(out);
      const heard = new Float32Array(new Uint8Array(bytes).buffer);
      expect(heard.filter((value) => Math.abs(value) > 0.1).length).toBeGreaterThan(0.7 * 24_000);
    } finally {
      await double.close();
      await rm(folder, { recursive: true });
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
