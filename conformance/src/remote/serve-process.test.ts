// `microturn serve` as a process of its own, as it is built: what SIGTERM does to those who are in the middle of a session, what
// health, readiness and metrics say meanwhile, and what its log tells.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { jsonClient } from "./json-client.js";
import { until } from "./wire-session.js";

const bin = fileURLToPath(new URL("../../../packages/microturn/dist/bin.js", import.meta.url));
const key = "sk-key-of-the-process";
const longMs = 120_000;

test("SIGTERM lets sessions come to their end, and nobody in", { timeout: 2 * longMs }, async () => {
  const child = spawn(process.execPath, [bin, "serve", "--port", "0", "--max-sessions", "2", "--drain-s", "100"], {
    env: { ...process.env, MICROTURN_API_KEYS: key },
  });
  const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  let [out, log] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    log += String(chunk);
  });
  try {
    // It listens before the model is loaded, and says so.
    await until("it listens", () => log.includes("listening"), longMs);
    const url = /http:\/\/[\d.:]+/.exec(log)?.[0] as string;
    const status = async (path: string) => (await fetch(`${url}${path}`)).status;
    expect(await status("/healthz")).toBe(200);
    await until("the model is loaded", () => out.includes("Ctrl-C"), longMs);
    expect(await status("/readyz")).toBe(200);
    const client = jsonClient(url, key);
    await until("a session", () => client.of("session.created").length === 1, longMs);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('microturn_sessions{state="connected"} 1');
    child.kill("SIGTERM");
    await until("the client is told", () => client.of("session.draining").length === 1, longMs);
    expect(client.of("session.draining")[0].left_ms).toBeGreaterThan(50_000);
    expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
    const late = jsonClient(url, key);
    await until("another is refused", () => late.end.code === 1013, longMs);
    expect(late.of("error")[0].error).toMatchObject({
      ...{ code: "duplex_session_busy", retry_after_ms: expect.any(Number) },
    });
    // Its session goes on until it has said goodbye; then the process ends, long before its time.
    client.say({ type: "session.heartbeat" });
    await until("a sign of life", () => client.of("session.heartbeat_ack").length === 1, longMs);
    client.say({ type: "session.close" });
    await until("its last event", () => client.told.at(-1).type === "session.closed", longMs);
    expect(await exited).toBe(0);
    const lines = log
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg)).toEqual([
      ...["listening", "ready", "session opened", "draining", "session refused", "session ended"],
    ]);
    expect(log).not.toContain(key);
    expect(log).not.toContain("    at ");
  } finally {
    child.kill("SIGKILL");
  }
});
