// A server in a process of its own, as it would run: the bench plays the clients, and asks it what it has used.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { modelFolder, nodeBackend } from "@microturn/backend-node";
import type { Engine } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { scriptedEngine } from "@microturn/core/testing";
import { mini } from "@microturn/mini";
import { createServer } from "@microturn/server";
import { bareServer } from "./bare-server.js";

/** What is served. */
export interface ServedModel {
  /**
   * `model`: mini, or a folder; `idle`: no model at all, speech that costs nothing, every other second; `bare`: no sessions either,
   * but the reads and writes of a session of the JSON wire.
   */
  readonly kind: "model" | "idle" | "bare";
  readonly folder?: string | undefined;
  readonly threads?: number | undefined;
  readonly maxSessions: number | "auto";
}

/** What a server process has used so far. */
export interface ServerUse {
  /** Processor time, ms. */
  readonly cpuMs: number;
  /** Resident memory, MB. */
  readonly residentMb: number;
  /** Of the JavaScript heap, after a collection where that can be asked for, MB. */
  readonly heapMb: number;
  /** Of sound and other bytes beside that heap, MB. */
  readonly buffersMb: number;
  readonly openSessions: number;
  /** Micro-turns of all sessions. */
  readonly steps: number;
}

/** A server that runs. */
export interface ServerProcess {
  readonly port: number;
  readonly maxSessions: number;
  /** @param collect - collects garbage, after the processor time was taken; default true */
  use(collect?: boolean): Promise<ServerUse>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts one and waits until it is ready. */
export async function startServer(model: ServedModel): Promise<ServerProcess> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(model)], { execArgv: ["--expose-gc"] });
  const died = once(child, "exit").then(([code]) => {
    throw new Error(`the server process ended with code ${code}`);
  });
  died.catch(() => {});
  const told = async () => (await Promise.race([once(child, "message"), died]))[0] as unknown;
  const { port, maxSessions } = (await told()) as { port: number; maxSessions: number };
  return {
    port,
    maxSessions,
    async use(collect = true) {
      child.send(collect ? "use after collection" : "use");
      return (await told()) as ServerUse;
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    async stop() {
      if (child.exitCode !== null) return;
      child.send("stop");
      await once(child, "exit");
    },
  };
}

async function serve(served: ServedModel): Promise<void> {
  if (served.kind === "bare") return serveBare();
  const { kind, folder, threads, maxSessions } = served;
  const backend = kind === "idle" ? undefined : await nodeBackend({ ...(threads === undefined ? {} : { threads }) });
  const engine: Engine =
    backend === undefined
      ? idleEngine(maxSessions === "auto" ? 1000 : maxSessions)
      : localEngine({
          model: folder === undefined ? mini : modelFolder(folder),
          backend,
          maxSessions: maxSessions === "auto" ? backend.capabilities.maxBatch : maxSessions,
        });
  const server = createServer({ engine, maxSessions, auth: "none", limits: { maxSessionMs: 7_200_000 } });
  const { port } = await server.listen({ port: 0 });
  await server.ready;
  tellUse({
    steps: async () => Number(/^microturn_steps_total (\d+)$/m.exec(await server.metrics())?.[1] ?? 0),
    openSessions: () => server.openSessions,
    async close() {
      await server.close();
      await engine.close();
      await backend?.close();
    },
  });
  process.send?.({ port, maxSessions: server.maxSessions });
}

async function serveBare(): Promise<void> {
  const server = await bareServer();
  tellUse({
    steps: async () => server.reads(),
    openSessions: () => server.connections(),
    close: () => server.close(),
  });
  process.send?.({ port: server.port, maxSessions: Number.MAX_SAFE_INTEGER });
}

/** Answers the bench's questions. */
function tellUse(server: { steps(): Promise<number>; openSessions(): number; close(): Promise<void> }): void {
  const use = async (collect: boolean): Promise<ServerUse> => {
    const { user, system } = process.cpuUsage();
    const steps = await server.steps();
    // Memory of buffers is given back a while after the collection that found them unused.
    for (let i = 0; collect && i < 2; i++) {
      (globalThis as { gc?: () => void }).gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    const mb = 1024 * 1024;
    return {
      ...{ cpuMs: (user + system) / 1000, residentMb: rss / mb, heapMb: heapUsed / mb, buffersMb: arrayBuffers / mb },
      ...{ openSessions: server.openSessions(), steps },
    };
  };
  process.on("message", (what) => {
    if (what === "stop") void server.close().then(() => process.exit(0));
    else void use(what === "use after collection").then((told) => process.send?.(told));
  });
}

/** Says a tone every other second, and in words how many steps the session has made. */
function idleEngine(maxSessions: number): Engine {
  const speech = Float32Array.from({ length: 3200 }, (_, i) => 0.3 * Math.sin(i / 11));
  return scriptedEngine({
    keepSteps: false,
    capabilities: { maxSessions, dmel: "dmel-20" },
    script: (_input, memory) => {
      const steps = ((memory.steps as number | undefined) ?? 0) + 1;
      memory.steps = steps;
      const text = String(steps);
      return steps % 10 < 5 ? { decision: "speak", speech, text } : { text };
    },
  });
}

// As the child: the model is its argument.
if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  await serve(JSON.parse(process.argv[2]) as ServedModel);
}
