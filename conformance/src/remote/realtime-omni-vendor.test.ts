// vLLM-Omni's own client, as published, unmodified, at our server: it opens, hears replies, tells what was played, cancels one.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { scriptedEngine } from "@microturn/core/testing";
import { createServer } from "@microturn/server";
import { expect, test } from "vitest";

const python = process.env.MICROTURN_VLLM_OMNI_PYTHON;
const script = fileURLToPath(new URL("./vllm-omni-vendor/vendor.py", import.meta.url));
const without = python === undefined ? " (skipped: MICROTURN_VLLM_OMNI_PYTHON names no Python that has vllm-omni)" : "";

interface Line {
  readonly what: string;
  readonly decision?: string;
  readonly samples?: number;
  readonly status?: string;
  readonly text?: string;
}

test.skipIf(python === undefined)(
  `the client of vLLM-Omni talks with our server${without}`,
  { timeout: 60_000 },
  async () => {
    // Speaks for a second of every two, whatever it hears.
    const engine = scriptedEngine({
      keepSteps: false,
      capabilities: { maxSessions: 4 },
      script: ({ index }) => (index % 10 < 5 ? { decision: "speak", speech: 0.25, text: `word${index}` } : {}),
    });
    const server = createServer({
      engine,
      auth: "none",
      maxSessions: 4,
      limits: { maxAheadMs: 60_000, maxSlowShare: 1 },
    });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const client = spawn(python as string, [script, "--url", `ws://127.0.0.1:${port}`]);
    let told = "";
    let complaints = "";
    client.stdout.on("data", (chunk) => {
      told += String(chunk);
    });
    client.stderr.on("data", (chunk) => {
      complaints += String(chunk);
    });
    await new Promise((resolve) => client.on("exit", resolve));
    await server.close();
    const lines = told
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
    // Decisions to listen may come between the responses.
    const heard = lines.filter(({ what }) => what !== "listen");
    expect(
      heard.map(({ what }) => what),
      complaints,
    ).toEqual(["open", "response", "response", "response", "closed"]);
    const [, first, second, third] = heard;
    for (const response of [first, second]) {
      expect(response).toMatchObject({ decision: "speak", status: "completed" });
      expect(response.text).toMatch(/^word\d+( word\d+)*$/);
      expect(response.samples).toBeGreaterThan(20_000);
    }
    // It was cancelled at its first sound.
    expect(third.status).not.toBe("completed");
    expect(third.samples).toBeLessThan(20_000);
  },
);
