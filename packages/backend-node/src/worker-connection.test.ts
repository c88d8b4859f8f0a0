import { Worker } from "node:worker_threads";
import { codeOf } from "@microturn/core/testing";
import { describe, expect, test } from "vitest";
import { WorkerConnection } from "./worker-connection.js";

/** A connection to a worker that runs `onMessage` for every envelope, with `port` at hand. */
function connect(onMessage: string, closeGraceMs?: number): WorkerConnection {
  const code = `const { parentPort: port } = require("node:worker_threads"); port.on("message", (envelope) => { ${onMessage} });`;
  return new WorkerConnection(new Worker(code, { eval: true }), closeGraceMs);
}

const dispose = { kind: "dispose-executable", executable: 0 } as const;
const obeyClose = `if (envelope.request.kind === "close") port.close();`;

/** Whether something keeps this process alive that did not before. */
function holdsProcess(): boolean {
  return process.getActiveResourcesInfo().includes("MessagePort");
}

describe("WorkerConnection", () => {
  test("gives each answer to its own request and turns faults into DuplexErrors", async () => {
    const connection = connect(`
      ${obeyClose}
      const { id, request } = envelope;
      if (request.executable === 1) port.postMessage({ id, fault: { code: "MODEL_INVALID", message: "no" } });
      else setTimeout(() => port.postMessage({ id, value: request.executable }), 20 - request.executable);
    `);
    const answers = [2, 1, 0].map((executable) => connection.request({ kind: "dispose-executable", executable }));
    const settled = await Promise.allSettled(answers);
    expect(settled.map((result) => (result.status === "fulfilled" ? result.value : result.reason.code))).toEqual([
      2,
      "MODEL_INVALID",
      0,
    ]);
    await connection.close();
  });

  test.each([
    ["throws", `throw new Error("boom");`, "boom"],
    ["exits", `process.exit(7);`, "exit code 7"],
  ])(
    "rejects open and later requests with BACKEND_FAILED when the worker %s, and still closes",
    async (_, code, words) => {
      const connection = connect(code);
      const open = [connection.request(dispose), connection.request(dispose)];
      for (const outcome of await Promise.allSettled(open)) {
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BACKEND_FAILED" } });
        if (outcome.status === "rejected") expect(outcome.reason.message).toContain(words);
      }
      expect(await codeOf(connection.request(dispose))).toBe("BACKEND_FAILED");
      await connection.close();
    },
  );

  test("rejects open and later requests with SESSION_CLOSED on close", async () => {
    const connection = connect(obeyClose);
    const open = codeOf(connection.request(dispose));
    await Promise.all([connection.close(), connection.close()]);
    expect(await open).toBe("SESSION_CLOSED");
    expect(await codeOf(connection.request(dispose))).toBe("SESSION_CLOSED");
  });

  test("closes a worker that does not listen and one that is stuck", async () => {
    for (const code of ["", "for (;;);"]) {
      const connection = connect(code, 100);
      const open = codeOf(connection.request(dispose));
      await connection.close();
      expect(await open).toBe("SESSION_CLOSED");
    }
  });

  test("keeps the process alive while a request is open, and only then", async () => {
    const before = holdsProcess();
    const connection = connect(`${obeyClose} setTimeout(() => port.postMessage({ id: envelope.id }), 50);`);
    expect(holdsProcess()).toBe(before);
    const open = connection.request(dispose);
    expect(holdsProcess()).toBe(true);
    await open;
    expect(holdsProcess()).toBe(before);
    await connection.close();
  });
});
