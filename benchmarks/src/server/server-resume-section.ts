// Connections that are cut: three hundred times over a hundred sessions. What each session gets is compared with what it gets unbroken.

import { createConnection, createServer as createTcpServer, type Socket } from "node:net";
import { microturnEngine, type WireNote } from "@microturn/backend-remote";
import type { BenchContext } from "../model.js";
import { type BenchSection, inWords, percentiles } from "../report.js";
import { startServer } from "./server-process.js";

const turnMs = 200;

/** Micro-turns lost and doubled, and how long a session is without its server. */
export async function serverResumeSection({ quick, say }: BenchContext): Promise<BenchSection> {
  const sessions = quick ? 20 : 100;
  const kills = quick ? 40 : 300;
  const turns = quick ? 40 : 150;
  const server = await startServer({ kind: "idle", maxSessions: sessions });
  const proxy = await cuttingProxy(server.port);
  try {
    const gaps: number[] = [];
    const onNote = (note: WireNote) => {
      if (note.type === "reconnected") gaps.push(note.gapMs);
    };
    const engine = microturnEngine({ url: `ws://127.0.0.1:${proxy.port}`, maxSessions: sessions, onNote });
    const opened = await Promise.all(Array.from({ length: sessions }, () => engine.open()));
    let lost = 0;
    let doubled = 0;
    let done = 0;
    const running = opened.map(async (session, s) => {
      const startMs = performance.now() + (turnMs * s) / sessions;
      let before = 0;
      for (let index = 0; index < turns; index++) {
        const waitMs = startMs + index * turnMs - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        const audio = new Float32Array(3200).fill(0.01);
        const { text } = await session.step({ index, turns: 1, audio, images: [], text: [] });
        // The engine there counts the steps that it makes.
        const made = Number(text) - before;
        if (made < 1) lost += 1 - made;
        if (made > 1) doubled += made - 1;
        before = Number(text);
      }
      lost += Math.max(0, turns - before);
      done++;
      await session.close();
    });
    let killed = 0;
    const everyMs = (turns * turnMs * 0.8) / kills;
    while (killed < kills && done < sessions) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      if (proxy.cutOne()) killed++;
      say(`${killed} of ${kills} connections cut`);
    }
    await Promise.all(running);
    const steps = Number(/microturn_steps_total (\d+)/.exec(await server.metrics())?.[1]);
    doubled += Math.max(0, steps - sessions * turns);
    await engine.close();
    const result = percentiles(gaps);
    return {
      title: `Connections cut ${killed} times over ${sessions} sessions (no model)`,
      rows: [
        {
          name: "micro-turns",
          value: `${sessions * turns}`,
          note: `${lost} lost, ${doubled} doubled; steps that the server computed: ${steps}`,
        },
        { name: "without a connection", value: inWords(result), note: `${gaps.length} times, to the welcome` },
      ],
      goals: [
        {
          name: "micro-turns lost and doubled",
          value: `${lost} and ${doubled}`,
          goal: "0 and 0",
          held: lost === 0 && doubled === 0,
        },
      ],
      figures: { killed, sessions, turns, lost, doubled, ...result },
    };
  } finally {
    proxy.close();
    await server.stop();
  }
}

/** A proxy that cuts one of its connections, another each time, without a word. */
async function cuttingProxy(target: number) {
  const open: { client: Socket; upstream: Socket }[] = [];
  const proxy = createTcpServer((client) => {
    const upstream = createConnection(target, "127.0.0.1");
    const pair = { client, upstream };
    open.push(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
        const at = open.indexOf(pair);
        if (at !== -1) open.splice(at, 1);
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  let next = 0;
  return {
    port: (proxy.address() as { port: number }).port,
    cutOne() {
      if (open.length === 0) return false;
      const { client, upstream } = open[next++ % open.length];
      client.resetAndDestroy();
      upstream.resetAndDestroy();
      return true;
    },
    close() {
      for (const { client } of open) client.destroy();
      proxy.close();
    },
  };
}
