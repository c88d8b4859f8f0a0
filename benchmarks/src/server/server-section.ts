// Sessions on a server: how many it measures for itself, how they are served for ten minutes while twice as many ask, and
// what the wire adds and weighs.

import { microturnEngine } from "@microturn/backend-remote";
import type { EngineSession } from "@microturn/core";
import { type BenchContext, benchEngine } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import { speechLike } from "../speech-like.js";
import { type RawClient, rawClient } from "./raw-client.js";
import { rawRealtimeClient } from "./raw-realtime-client.js";
import { startServer } from "./server-process.js";

const turnMs = 200;

/** Capacity by the server's own measurement, and ten minutes at it, while twice as many clients ask. */
export async function serverSection({ quick, say, modelFolder, threads }: BenchContext): Promise<BenchSection> {
  say("starting, and measuring capacity");
  const server = await startServer({ kind: "model", folder: modelFolder, threads, maxSessions: "auto" });
  try {
    const seconds = quick ? 15 : 600;
    const turns = (1000 * seconds) / turnMs;
    const clients: RawClient[] = [];
    // Twice as many as it takes, spread over the micro-turn: half of them are refused.
    for (let i = 0; i < 2 * server.maxSessions; i++) {
      clients.push(await rawClient(server.port, (turnMs * i) / (2 * server.maxSessions), turns));
    }
    const admitted = clients.filter((client) => client.failure() === undefined);
    const refused = clients.filter((client) => client.failure()?.startsWith("SERVER_BUSY"));
    for (let second = 0; second < seconds; second += 5) {
      say(`${admitted.length} sessions, ${second} of ${seconds} s`);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      // Who was refused asks again, all the time.
      for (let i = 0; i < 4; i++) (await rawClient(server.port, 0, 1)).close();
    }
    await new Promise((resolve) => setTimeout(resolve, 3 * turnMs));
    const use = await server.use();
    const all = admitted.flatMap(({ times }) => [...times]);
    const missing = all.filter(Number.isNaN).length;
    const result = percentiles(all.filter((time) => !Number.isNaN(time)));
    const late = all.filter((time) => time > turnMs).length;
    return {
      title: `A server of the model, ${seconds} s, with twice the clients that it takes`,
      rows: [
        {
          name: "capacity",
          value: `${server.maxSessions} sessions`,
          note: "measured by the server at its start: p99 within 70 % of a micro-turn",
        },
        {
          name: "clients",
          value: `${clients.length}`,
          note: `${admitted.length} admitted, ${refused.length} refused with a time to ask again`,
        },
        {
          name: "due to answer",
          value: inWords(result, 0),
          note: `max ${result.max.toFixed(0)} ms; clocks of the sessions spread over the micro-turn`,
        },
        {
          name: "answers",
          value: `${all.length - missing}`,
          note: `${missing} missing, ${late} later than a micro-turn`,
        },
        { name: "memory", value: `${use.residentMb.toFixed(0)} MB`, note: "resident, at the end" },
      ],
      goals: [
        {
          name: "sessions at p99 within 200 ms",
          value: `${result.p99 <= turnMs ? admitted.length : 0}`,
          goal: "at least 16",
          held: admitted.length >= 16 && result.p99 <= turnMs,
        },
      ],
      figures: {
        capacity: server.maxSessions,
        admitted: admitted.length,
        refused: refused.length,
        ...result,
        missing,
        late,
      },
    };
  } finally {
    await server.stop();
  }
}

/** What the way to a server on the same machine adds to a micro-turn, and what it weighs. */
export async function serverLatencySection(context: BenchContext): Promise<BenchSection> {
  const { quick, say, modelFolder, threads } = context;
  const turns = quick ? 50 : 600;
  say("starting");
  const server = await startServer({ kind: "model", folder: modelFolder, threads, maxSessions: 4 });
  const here = benchEngine(context, { maxSessions: 4 });
  const there = microturnEngine({ url: `ws://127.0.0.1:${server.port}` });
  try {
    const sessions = [await here.open(), await there.open()] as const;
    const times: [number[], number[]] = [[], []];
    const outside: [number[], number[]] = [[], []];
    const startMs = performance.now();
    // In real time, as a server allows no more; one after the other, so that what the machine does meanwhile is the same for both.
    for (let turn = 0; turn < turns; turn++) {
      if (turn % 50 === 0) say(`${turn} of ${turns} micro-turns`);
      const waitMs = startMs + turn * turnMs - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      for (const which of [0, 1] as const) {
        const { totalMs, outsideMs } = await timedStep(sessions[which], turn);
        if (turn < 10) continue;
        times[which].push(totalMs);
        outside[which].push(outsideMs);
      }
    }
    const [local, remote] = times.map((values) => percentiles(values));
    const [localOutside, remoteOutside] = outside.map((values) => percentiles(values));
    const addedP99 = remoteOutside.p99 - localOutside.p99;
    const sizes = await bytesOf(server.port, quick ? 25 : 100);
    return {
      title: `The way to a server on this machine (${turns} micro-turns)`,
      rows: [
        { name: "in process", value: inWords(local), note: `outside the model ${inWords(localOutside, 2)}` },
        {
          name: "by the micro-turn wire",
          value: inWords(remote),
          note: `outside the model ${inWords(remoteOutside, 2)}`,
        },
        {
          name: "added",
          value: `p50 ${(remoteOutside.p50 - localOutside.p50).toFixed(2)}, p99 ${addedP99.toFixed(2)} ms`,
        },
        {
          name: "bytes, talking",
          value: `${sizes.up.toFixed(0)} up, ${sizes.down.toFixed(0)} down a second`,
          note: "16-bit PCM at 16 kHz: 32,000 each way",
        },
        {
          name: "bytes, talking, JSON wire",
          value: `${sizes.jsonUp.toFixed(0)} up, ${sizes.jsonDown.toFixed(0)} down a second`,
          note: "16-bit PCM at 24 kHz: 48,000 each way",
        },
        { name: "bytes, silent input", value: `${sizes.quietUp.toFixed(0)} up a second` },
      ],
      goals: [
        { name: "added latency, p99", value: `${addedP99.toFixed(2)} ms`, goal: "at most 5 ms", held: addedP99 <= 5 },
      ],
      figures: { local, remote, localOutside, remoteOutside, ...sizes },
    };
  } finally {
    await there.close();
    await here.close();
    await server.stop();
  }
}

async function timedStep(session: EngineSession, index: number): Promise<{ totalMs: number; outsideMs: number }> {
  const sound = speechLike(3200);
  const startMs = performance.now();
  const { timing } = await session.step({ index, turns: 1, audio: sound(index), images: [], text: [] });
  const totalMs = performance.now() - startMs;
  return { totalMs, outsideMs: totalMs - timing.runMs };
}

interface Sizes {
  readonly up: number;
  readonly down: number;
  readonly quietUp: number;
  readonly jsonUp: number;
  readonly jsonDown: number;
}

async function bytesOf(port: number, turns: number): Promise<Sizes> {
  const seconds = (turns * turnMs) / 1000;
  const loud = await rawClient(port, 0, turns);
  const quiet = await rawClient(port, 70, turns, false);
  const json = await rawRealtimeClient(port, 140, turns);
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds + 4 * turnMs));
  return {
    up: loud.bytesUp() / seconds,
    down: loud.bytesDown() / seconds,
    quietUp: quiet.bytesUp() / seconds,
    jsonUp: json.bytesUp() / seconds,
    jsonDown: json.bytesDown() / seconds,
  };
}
