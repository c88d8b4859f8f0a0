// The whole path once, with a real graph on a real backend: WAV in, WAV and page out. Weights are random, so what is said
// means nothing; that it comes out, in time and the same again, does.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { nodeBackend } from "@microturn/backend-node";
import { readTrace, readWav, replayTrace, writeWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { tinyModel } from "@microturn/core/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readCommandLine } from "../command/command-line.js";
import { runConversation } from "./run.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "vertical-"));
});
afterAll(() => rm(folder, { recursive: true }));

const engine = () => localEngine({ model: tinyModel({ seed: 3 }), backend: () => nodeBackend({ threads: 1 }) });

it("turns a recording into a reply and a page, and the page replays to the same bits", async () => {
  const input = join(folder, "in.wav");
  const sound = Float32Array.from({ length: 44_100 * 4 }, (_, i) => 0.3 * Math.sin(i / 15) * Math.sin(i / 9_000));
  await writeFile(input, writeWav([sound, sound], { sampleRate: 44_100 }));
  const [out, trace] = [join(folder, "reply.wav"), join(folder, "session.html")];
  const command = readCommandLine([
    "run",
    input,
    "--out",
    out,
    "--trace",
    trace,
    "--tail-ms",
    "1000",
    "--temperature",
    "0.8",
  ]);
  if (command.name !== "run") throw new Error("not a run");

  const printed: string[] = [];
  const stdout = { write: (text: string | Uint8Array) => printed.push(String(text)) > 0, on: () => undefined };
  const io = { stdin: new PassThrough(), stdout, stderr: stdout, stop: new AbortController().signal };
  const made = engine();
  const open = async () => ({ engine: made, notes: [], close: () => made.close() });
  expect(await runConversation(command.options, io, open)).toBe(0);

  const session = await readTrace(await readFile(trace, "utf8"));
  expect(session.turns.length).toBeGreaterThanOrEqual(25);
  expect(session.header.engine?.model).toContain("tiny");
  // Random weights speak now and then; the reply holds exactly what the records hold, one micro-turn later.
  const spoken = session.turns.filter((turn) => turn.output.decision === "speak");
  expect(spoken.length).toBeGreaterThan(0);
  const reply = readWav(await readFile(out)).channels[0];
  expect(reply.length).toBe((session.turns.length + 1) * 3_200);
  for (const turn of session.turns) {
    const written = reply.subarray((turn.index + 1) * 3_200, (turn.index + 2) * 3_200);
    const recorded = turn.output.speech ?? new Int16Array(3_200);
    expect(Int16Array.from(written, (x) => x * 32_768)).toEqual(recorded);
  }
  expect(printed.join("")).toContain("micro-turns");

  const again = engine();
  expect(await replayTrace(session, again)).toMatchObject({ same: true, turns: session.turns.length });
  await again.close();
});
