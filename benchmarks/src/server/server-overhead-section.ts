// What a server costs besides its model: a thousand sessions of an engine that costs nothing, on one process.

import type { BenchContext } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import { rawClient } from "./raw-client.js";
import { startServer } from "./server-process.js";

const turnMs = 200;

/** Processor time of the server per micro-turn, and how it holds a thousand sessions. The engine is a stand-in, and said to be one. */
export async function serverOverheadSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const sessions = quick ? 200 : 1000;
  const seconds = quick ? 10 : 60;
  const turns = (1000 * seconds) / turnMs;
  const server = await startServer({ kind: "idle", maxSessions: sessions });
  try {
    say(`opening ${sessions} sessions`);
    const clients = await Promise.all(
      Array.from({ length: sessions }, (_, i) => rawClient(server.port, (turnMs * i) / sessions, turns)),
    );
    const refused = clients.filter((client) => client.failure() !== undefined).length;
    // Compilation and the first collections are over after a few seconds.
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(10, seconds / 4)));
    const before = { use: await server.use(), atMs: performance.now() };
    say(`${sessions} sessions, ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.6));
    const after = { use: await server.use(), atMs: performance.now() };
    const wallMs = after.atMs - before.atMs;
    const units = (sessions - refused) * (wallMs / turnMs);
    const perUnitMs = (after.use.cpuMs - before.use.cpuMs) / units;
    const share = (after.use.cpuMs - before.use.cpuMs) / wallMs;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.4 + 4 * turnMs));
    const all = clients.flatMap(({ times }) => [...times]);
    const missing = all.filter(Number.isNaN).length;
    const result = percentiles(all.filter((time) => !Number.isNaN(time)));
    const done = await server.use();
    return {
      title: `${sessions} sessions without a model, ${seconds} s (the engine is a stand-in that costs nothing)`,
      rows: [
        {
          name: "per micro-turn",
          value: `${perUnitMs.toFixed(3)} ms of a core`,
          note: "socket, decoder, session, encoder, metrics; user and system time of the whole process",
        },
        { name: "of one core", value: `${(100 * share).toFixed(0)} %`, note: `${refused} refused` },
        { name: "due to answer", value: inWords(result), note: `max ${result.max.toFixed(0)} ms, ${missing} missing` },
        {
          name: "memory",
          value: `${after.use.residentMb.toFixed(0)} MB resident, ${after.use.heapMb.toFixed(0)} MB heap`,
          note: `${((1024 * (after.use.heapMb - done.heapMb)) / sessions).toFixed(0)} KB of heap a session`,
        },
      ],
      goals: [
        {
          name: "server, per micro-turn and session",
          value: `${perUnitMs.toFixed(3)} ms`,
          goal: "at most 0.3 ms of one core",
          held: perUnitMs <= 0.3,
        },
        {
          name: "sessions without a model on one core",
          value: `${sessions - refused}, ${(100 * share).toFixed(0)} %`,
          goal: "1,000",
          held: sessions - refused >= 1000 && share <= 1 && result.p99 <= turnMs,
        },
      ],
      figures: { sessions, perUnitMs, share, ...result, missing },
    };
  } finally {
    await server.stop();
  }
}
