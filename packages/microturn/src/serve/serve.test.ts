import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { readCommandLine, type ServeOptions } from "../command/command-line.js";
import { UsageError } from "../command/usage-error.js";
import { accessFrom } from "./access-from.js";
import { runServe } from "./serve.js";

const secret = "0123456789abcdef0123456789abcdef";

function options(...args: string[]): ServeOptions {
  const command = readCommandLine(["serve", ...args]);
  if (command.name !== "serve") throw new Error(`expected serve, got ${command.name}`);
  return command.options;
}

describe("microturn serve", () => {
  it("reads its flags, and names mistakes", () => {
    expect(options()).toMatchObject({
      port: 8787,
      host: "127.0.0.1",
      maxSessions: "auto",
      origins: [],
      drainMs: 30_000,
    });
    expect(options("--max-sessions", "8", "--origins", "https://a.example, *", "--drain-s", "0.5")).toMatchObject({
      ...{ maxSessions: 8, origins: ["https://a.example", "*"], drainMs: 500 },
    });
    expect(options("--max-sessions=auto").maxSessions).toBe("auto");
    for (const args of [["--max-sessions", "0"], ["--origins", "a.example"], ["--port", "70000"], ["extra"]]) {
      expect(() => options(...args)).toThrow(UsageError);
    }
  });

  it("is open to a network only with keys", () => {
    expect(accessFrom({}, "127.0.0.1")).toBe("none");
    expect(() => accessFrom({}, "0.0.0.0")).toThrow(/MICROTURN_API_KEYS/);
    expect(accessFrom({ MICROTURN_API_KEYS: " a, b ,", MICROTURN_SECRET: secret }, "0.0.0.0")).toEqual({
      ...{ apiKeys: ["a", "b"], secret },
    });
    expect(() => accessFrom({ MICROTURN_SECRET: "short" }, "127.0.0.1")).toThrow(/32 bytes/);
  });

  it("serves mini until it is stopped, tells where, and logs lines of JSON", async () => {
    const stop = new AbortController();
    const written = { out: "", err: "" };
    const stream = (name: "out" | "err") => ({
      write(chunk: string | Uint8Array) {
        written[name] += String(chunk);
        return true;
      },
      on: () => undefined,
    });
    const io = { stdin: new PassThrough(), stdout: stream("out"), stderr: stream("err"), stop: stop.signal };
    const ended = runServe(options("--port", "0", "--max-sessions", "2", "--drain-s", "1"), io, {});
    while (!written.out.includes("Ctrl-C")) await new Promise((resolve) => setTimeout(resolve, 20));
    const [, address] = /(http:\S+)\/readyz/.exec(written.out) ?? [];
    expect((await fetch(`${address}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${address}/metrics`)).text()).toContain("microturn_capacity_sessions 2");
    expect(written.out).toMatch(/Serving mini \d\S+ on cpu .* to 2 sessions, for whoever is on this machine/);
    expect(written.out).toMatch(/ws:\S+\/v1\/realtime\S* .*the package openai needs TLS in front/);
    stop.abort();
    expect(await ended).toBe(0);
    const lines = written.err
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg)).toEqual(["listening", "ready", "draining"]);
    await expect(fetch(`${address}/readyz`)).rejects.toThrow();
  });

  it("ends by SIGTERM with code 0, also when its log is a disk that is full", { timeout: 120_000 }, async () => {
    const { spawn } = await import("node:child_process");
    const { openSync, closeSync } = await import("node:fs");
    const full = openSync("/dev/full", "w");
    const bin = new URL("../../dist/bin.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [bin, "serve", "--port", "0", "--max-sessions", "1"], {
      stdio: ["ignore", "pipe", full],
    });
    let out = "";
    const ready = new Promise<void>((resolve) => {
      child.stdout?.on("data", (chunk) => {
        out += String(chunk);
        if (out.includes("Ctrl-C")) resolve();
      });
    });
    const exited = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
    await Promise.race([ready, exited]);
    const [, address] = /(http:\S+)\/readyz/.exec(out) ?? [];
    expect((await fetch(`${address}/readyz`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    closeSync(full);
  });

  it("names a port that is in use, or a host that there is not, and does not blame the model", async () => {
    const stop = new AbortController();
    let log = "";
    const stream = {
      write(chunk: string | Uint8Array) {
        log += String(chunk);
        return true;
      },
      on: () => undefined,
    };
    const io = { stdin: new PassThrough(), stdout: stream, stderr: stream, stop: stop.signal };
    const { createServer } = await import("node:http");
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    await expect(runServe(options("--port", String(port), "--max-sessions", "1"), io, {})).rejects.toMatchObject({
      ...{ code: "NETWORK_FAILED", message: expect.stringMatching(`port ${port} is in use`) },
    });
    taken.close();
    const environment = { MICROTURN_API_KEYS: "right" };
    await expect(
      runServe(options("--host", "192.0.2.1", "--max-sessions", "1"), io, environment),
    ).rejects.toMatchObject({
      ...{ code: "NETWORK_FAILED", message: expect.stringMatching("check host and port") },
    });
    expect(log).toBe("");
  });
});
