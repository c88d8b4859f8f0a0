// What a server costs besides its model: a thousand sessions of an engine that costs nothing, on one process.

import type { BenchContext } from "../model.js";
import { type BenchGoal, type BenchRow, type BenchSection, inWords, percentiles } from "../report.js";
import { type RawClient, rawClient } from "./raw-client.js";
import { rawRealtimeClient } from "./raw-realtime-client.js";
import { startServer } from "./server-process.js";

const turnMs = 200;

/** Processor time of the server per micro-turn, on both wires, and how it holds a thousand sessions. The engine is a stand-in, and said to be one. */
export async function serverOverheadSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const seconds = quick ? 10 : 60;
  const binary = await held({ name: "micro-turn wire", sessions: quick ? 200 : 1000, open: rawClient }, seconds, say);
  const json = [];
  const bare = [];
  for (const sampleRate of [24_000, 16_000]) {
    const open: Open = (port, phaseMs, turns) => rawRealtimeClient(port, phaseMs, turns, { sampleRate });
    const name = `JSON wire, ${sampleRate / 1000} kHz`;
    const sessions = quick ? 50 : 300;
    const wire = await held({ name, sessions, open }, seconds, say);
    const floor = await bareCost({ name: `${name}, bare`, sessions, open }, seconds, say);
    json.push({ ...wire, rows: [...wire.rows, floorRow(wire.figures.perUnitMs, floor)] });
    bare.push(floor);
  }
  const [json24, json16] = json;
  return {
    title: `Sessions without a model, ${seconds} s (the engine is a stand-in that costs nothing)`,
    rows: [binary, ...json].flatMap(({ rows }) => rows),
    goals: [binary, ...json].flatMap(({ goals }) => goals),
    figures: {
      binary: binary.figures,
      json: { ...json24.figures, bareMs: bare[0] },
      json16: { ...json16.figures, bareMs: bare[1] },
    },
  };
}

type Open = (port: number, phaseMs: number, turns: number) => Promise<RawClient>;

/** Sessions of one kind. */
interface Sessions {
  readonly name: string;
  readonly sessions: number;
  readonly open: Open;
}

interface Held {
  readonly rows: readonly BenchRow[];
  readonly goals: readonly BenchGoal[];
  readonly figures: Readonly<Record<string, number>>;
}

/** What sockets and system take of it, and how many times as long all of it takes: the same on a fast machine and a slow one. */
function floorRow(perUnitMs: number, floorMs: number): BenchRow {
  return {
    name: "  sockets and system",
    value: `${floorMs.toFixed(3)} ms, all of it ${(perUnitMs / floorMs).toFixed(1)} times that`,
    note: "a bare server of the same WebSocket library that reads and writes as many messages of these lengths, and does nothing",
  };
}

/** Processor time of a server that only reads and writes, per micro-turn. */
async function bareCost({ name, sessions, open }: Sessions, seconds: number, say: (text: string) => void) {
  const server = await startServer({ kind: "bare", maxSessions: sessions });
  const warmMs = 1000 * Math.min(5, seconds / 4);
  const measuredMs = 1000 * Math.min(15, seconds * 0.6);
  try {
    say(`${name}: ${sessions} connections`);
    const turns = Math.ceil((warmMs + measuredMs) / turnMs) + 10;
    const clients = await Promise.all(
      Array.from({ length: sessions }, (_, i) => open(server.port, (turnMs * i) / sessions, turns)),
    );
    await new Promise((resolve) => setTimeout(resolve, warmMs));
    const before = await server.use(false);
    await new Promise((resolve) => setTimeout(resolve, measuredMs));
    const after = await server.use(false);
    for (const client of clients) client.close();
    return (after.cpuMs - before.cpuMs) / (after.steps - before.steps);
  } finally {
    await server.stop();
  }
}

/** Of a server without sessions. Another one: a heap that was collected while it was small is collected far more often from then on. */
async function emptyUse(maxSessions: number) {
  const server = await startServer({ kind: "idle", maxSessions });
  try {
    return await server.use();
  } finally {
    await server.stop();
  }
}

async function held({ name, sessions, open }: Sessions, seconds: number, say: (text: string) => void): Promise<Held> {
  const turns = (1000 * seconds) / turnMs;
  const onlySound = open !== rawClient;
  const empty = await emptyUse(sessions);
  const server = await startServer({ kind: "idle", maxSessions: sessions });
  try {
    say(`${name}: opening ${sessions} sessions`);
    const clients = await Promise.all(
      Array.from({ length: sessions }, (_, i) => open(server.port, (turnMs * i) / sessions, turns)),
    );
    const refused = clients.filter((client) => client.failure() !== undefined).length;
    // Compilation and the first collections are over after a few seconds.
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(10, seconds / 4)));
    const before = { use: await server.use(false), atMs: performance.now() };
    say(`${name}: ${sessions} sessions, ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.6));
    const after = { use: await server.use(), atMs: performance.now() };
    const wallMs = after.atMs - before.atMs;
    const steps = after.use.steps - before.use.steps;
    const perUnitMs = (after.use.cpuMs - before.use.cpuMs) / steps;
    const onTime = steps / ((sessions - refused) * (wallMs / turnMs));
    const sessionMb = (after.use.heapMb + after.use.buffersMb - empty.heapMb - empty.buffersMb) / (sessions - refused);
    const share = (after.use.cpuMs - before.use.cpuMs) / wallMs;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * 0.4 + 4 * turnMs));
    const all = clients.flatMap(({ times }) => [...times]);
    const missing = all.filter(Number.isNaN).length;
    const result = percentiles(all.filter((time) => !Number.isNaN(time)));
    return {
      rows: [
        {
          name,
          value: `${perUnitMs.toFixed(3)} ms of a core a micro-turn`,
          note: "everything but the model: user and system time of the whole process",
        },
        {
          name: `  ${sessions} sessions`,
          value: `${(100 * share).toFixed(0)} % of one core`,
          note: `${refused} refused, ${(100 * onTime).toFixed(0)} % of the micro-turns that were due`,
        },
        {
          name: "  due to answer",
          value: inWords(result),
          note: `max ${result.max.toFixed(0)} ms${onlySound ? "; of micro-turns with sound" : `, ${missing} missing`}`,
        },
        {
          name: "  memory",
          value: `${after.use.residentMb.toFixed(0)} MB resident, ${after.use.heapMb.toFixed(0)} MB heap, ${after.use.buffersMb.toFixed(0)} MB buffers`,
          note: `${(1024 * sessionMb).toFixed(0)} KB of heap and buffers a session, after ${(seconds * 0.6 + Math.min(10, seconds / 4)).toFixed(0)} s`,
        },
      ],
      goals: [
        {
          name: `server, ${name}, per micro-turn and session`,
          value: `${perUnitMs.toFixed(3)} ms`,
          goal: "at most 0.3 ms of one core",
          held: perUnitMs <= 0.3,
        },
        ...(onlySound
          ? []
          : [
              {
                ...{ name: "sessions without a model on one core", goal: "1,000" },
                value: `${sessions - refused}, ${(100 * share).toFixed(0)} %`,
                held: sessions - refused >= 1000 && share <= 1 && result.p99 <= turnMs && missing === 0,
              },
            ]),
      ],
      figures: { sessions, perUnitMs, onTime, share, ...result, missing, sessionMb },
    };
  } finally {
    await server.stop();
  }
}
