import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JobEvent } from "../jobs/job.js";
import { delegationHandler } from "../model/delegation-handler.js";
import { beginTry, jobOf } from "../model/suite/scripted-model.js";
import { connectMcp, type McpConnection } from "./connect-mcp.js";

const program = fileURLToPath(new URL("testing/train-server.mjs", import.meta.url));

/** The tools of a real server, in the hands of the background: a delegation that names one is a call of it. */
describe("the tools of an MCP server in the background", () => {
  let trains: McpConnection;
  beforeEach(async () => {
    trains = await connectMcp({ command: process.execPath, args: [program] }, { allow: "*" });
  });
  afterEach(() => trains.close());

  async function delegate(name: string, given: unknown, decide?: (call: string, send: Send) => void) {
    const handler = delegationHandler({ tools: { ...trains.tools } });
    let send: Send = () => {};
    const attempt = beginTry(handler, {
      job: jobOf({ delegation: { name, arguments: given } }),
      async kept(event) {
        if (event.type === "call" && event.state === "awaiting-approval") decide?.(event.call, send);
      },
    });
    send = attempt.send;
    await attempt.done;
    return attempt.log;
  }
  type Send = ReturnType<typeof beginTry>["send"];
  const result = (log: readonly JobEvent[]) => log.find((event) => event.type === "result");

  it("are called, tell their progress, and give what they found", async () => {
    expect(result(await delegate("departures", { from: "Ulm" }))).toMatchObject({
      outcome: "done",
      result: { departures: [{ to: "Paris", at: "14:05" }] },
    });
    const approve = (call: string, send: Send) => send({ type: "approve", call });
    const log = await delegate("steps", { count: 2 }, approve);
    expect(log).toContainEqual(expect.objectContaining({ type: "progress", text: "asking station by station (50 %)" }));
    expect(result(log)).toMatchObject({ outcome: "done", result: "done" });
  });

  it("get no arguments that do not fit", async () => {
    const log = await delegate("departures", { from: 5 });
    expect(result(log)).toMatchObject({ outcome: "failed" });
    expect(JSON.stringify(result(log))).toContain("from: expected string, got number");
    expect(log.some((event) => event.type === "call" && event.state === "running")).toBe(false);
  });

  it("wait for somebody to approve what the server does not call harmless", async () => {
    const approved = await delegate("book", { train: "ICE 9" }, (call, send) => send({ type: "approve", call }));
    expect(result(approved)).toMatchObject({ outcome: "done", result: expect.stringMatching(/^booked ICE 9 job\//) });
    const refused = await delegate("book", { train: "ICE 9" }, (call, send) =>
      send({ type: "reject", call, reason: "too dear" }),
    );
    expect(result(refused)).toMatchObject({ outcome: "rejected", error: expect.stringContaining("too dear") });
    expect(refused.some((event) => event.type === "call" && event.state === "running")).toBe(false);
  });

  it("fail when their server dies, and the work goes on to its end", async () => {
    const log = await delegate("die", {}, (call, send) => send({ type: "approve", call }));
    expect(result(log)).toMatchObject({ outcome: "unknown", error: expect.stringContaining("whether it happened") });
    expect(log.at(-1)).toMatchObject({ type: "end" });
  });
});
