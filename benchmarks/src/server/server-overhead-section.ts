// What a server costs besides its model: a thousand sessions of an engine that costs nothing, on one process.

import type { BenchContext } from "../model.js";
import { type BenchGoal, type BenchRow, type BenchSection, inWords, percentiles } from "../report.js";
import { rawClient } from "./raw-client.js";
import { rawRealtimeClient } from "./raw-realtime-client.js";
import { startServer } from "./server-process.js";

const turnMs = 200;

/** Processor time of the server per micro-turn, on both wires, and how it holds a thousand sessions. The engine is a stand-in, and said to be one. */
export async function serverOverheadSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const seconds = quick ? 10 : 60;
  const binary = await held("micro-turn", quick ? 200 : 1000, seconds, say);
  const json = await held("JSON", quick ? 50 : 300, seconds, say);
  return {
    title: `Sessions without a model, ${seconds} s (the engine is a stand-in that costs nothing)`,
    rows: [...binary.rows, ...json.rows],
    goals: [...binary.goals, ...json.goals],
    figures: { binary: binary.figures, json: json.figures },
  };
}

interface Held {
  readonly rows: readonly BenchRow[];
  readonly goals: readonly BenchGoal[];
  readonly figures: Readonly<Record<string, number>>;
}

async function held(
  wire: "micro-turn" | "JSON",
  sessions: number,
  seconds: number,
  say: (text: string) => void,
): Promise<Held> {
  const turns = (1000 * seconds) / turnMs;
  const open = wire === "micro-turn" ? rawClient : rawRealtimeClient;
  const server = await startServer({ kind: "idle", maxSessions: sessions });
  try {
    say(`${wire} wire: opening ${sessions} sessions`);
    const clients = await Promise.all(
      Array.from({ length: sessions }, (_, i) => open(server.port, (turnMs * i) / sessions, turns)),
    );
    const refused = clients.filter((client) => client.failure() !== undefined).length;
    // Compilation and the first collections are over after a few seconds.
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(10, seconds / 4)));
    const before = { use: await server.use(), atMs: performance.now() };
    say(`${wire} wire: ${sessions} sessions, ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.6));
    const after = { use: await server.use(), atMs: performance.now() };
    const wallMs = after.atMs - before.atMs;
    const perUnitMs = (after.use.cpuMs - before.use.cpuMs) / ((sessions - refused) * (wallMs / turnMs));
    const share = (after.use.cpuMs - before.use.cpuMs) / wallMs;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.4 + 4 * turnMs));
    const all = clients.flatMap(({ times }) => [...times]);
    const missing = all.filter(Number.isNaN).length;
    const result = percentiles(all.filter((time) => !Number.isNaN(time)));
    return {
      rows: [
        {
          name: `${wire} wire`,
          value: `${perUnitMs.toFixed(3)} ms of a core a micro-turn`,
          note: "everything but the model: user and system time of the whole process",
        },
        {
          name: `  ${sessions} sessions`,
          value: `${(100 * share).toFixed(0)} % of one core`,
          note: `${refused} refused`,
        },
        {
          name: "  due to answer",
          value: inWords(result),
          note:
            wire === "JSON"
              ? `max ${result.max.toFixed(0)} ms; of micro-turns with sound`
              : `max ${result.max.toFixed(0)} ms, ${missing} missing`,
        },
        {
          name: "  memory",
          value: `${after.use.residentMb.toFixed(0)} MB resident, ${after.use.heapMb.toFixed(0)} MB heap`,
        },
      ],
      goals: [
        {
          name: `server, ${wire} wire, per micro-turn and session`,
          value: `${perUnitMs.toFixed(3)} ms`,
          goal: "at most 0.3 ms of one core",
          held: perUnitMs <= 0.3,
        },
        ...(wire === "JSON"
          ? []
          : [
              {
                ...{ name: "sessions without a model on one core", goal: "1,000" },
                value: `${sessions - refused}, ${(100 * share).toFixed(0)} %`,
                held: sessions - refused >= 1000 && share <= 1 && result.p99 <= turnMs && missing === 0,
              },
            ]),
      ],
      figures: { sessions, perUnitMs, share, ...result, missing },
    };
  } finally {
    await server.stop();
  }
}
