// `microturn serve`: the model behind a socket, for other programs and pages.

import { modelFolder, nodeBackend } from "@microturn/backend-node";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { createServer, serverPaths } from "@microturn/server";
import { pino } from "pino";
import type { ServeOptions } from "../command/command-line.js";
import { UsageError } from "../command/usage-error.js";
import { exitCodes } from "../failure.js";
import { type Io, inkFor } from "../io.js";
import { accessFrom } from "./access-from.js";

/** Rows of the model's state; how many are used is measured, or asked for. */
const mostSessions = 64;

/**
 * Serves until it is stopped; then lets sessions end.
 *
 * @returns 0 when it was stopped: that is how it ends
 * @throws UsageError if it would be open to a network without keys
 * @throws DuplexError `BACKEND_UNAVAILABLE`, `MODEL_INVALID`, `NETWORK_FAILED` if the port cannot be used
 */
export async function runServe(options: ServeOptions, io: Io, environment = process.env): Promise<number> {
  const { model, providers, weights, threads, port, host, maxSessions, origins, drainMs } = options;
  const auth = accessFrom(environment, host);
  const backend = await nodeBackend({ providers, runOn: "worker", ...(threads === undefined ? {} : { threads }) });
  const most = Math.min(mostSessions, backend.capabilities.maxBatch);
  if (maxSessions !== "auto" && maxSessions > most) {
    await backend.close();
    throw new UsageError(`--max-sessions: at most ${most} on this backend`);
  }
  const engine = localEngine({
    model: model === undefined ? mini : modelFolder(model),
    backend,
    ...(weights === undefined ? {} : { weights }),
    maxSessions: maxSessions === "auto" ? most : maxSessions,
  });
  const log = pino({ base: null }, io.stderr as { write(line: string): void });
  const server = createServer({ engine, maxSessions, auth, origins, log });
  try {
    const { url } = await server.listen({ port, host });
    const ink = inkFor(io.stdout);
    const socket = url.replace(/^http/, "ws");
    io.stdout.write(
      `Loading the model${maxSessions === "auto" ? ", and measuring how many sessions this machine holds" : ""} ...\n`,
    );
    const stopped = new Promise<"stopped">((resolve) => {
      if (io.stop.aborted) resolve("stopped");
      else io.stop.addEventListener("abort", () => resolve("stopped"), { once: true });
    });
    const ready = await Promise.race([server.ready, stopped]);
    if (ready !== "stopped") {
      const access = auth === "none" ? "whoever is on this machine" : "whoever has a key or a token";
      io.stdout.write(
        `Serving ${ready.identity?.model ?? "the model"} on ${ready.identity?.backend ?? "this machine"} to ${server.maxSessions} sessions, for ${access}\n` +
          `  ${ink.bold(`${socket}${serverPaths.realtime}`)}    clients of the OpenAI Realtime API; the package openai needs TLS in front\n` +
          `  ${ink.bold(`${socket}${serverPaths.microTurn}`)}  microturnEngine of @microturn/backend-remote\n` +
          `  ${url}/readyz, ${url}/metrics\nCtrl-C ends it.\n`,
      );
      await stopped;
      if (server.openSessions > 0)
        io.stdout.write(`Letting ${server.openSessions} sessions end, for at most ${drainMs / 1000} s ...\n`);
      await server.drain({ withinMs: drainMs });
    }
  } finally {
    await server.close();
    await engine.close();
    await backend.close();
  }
  return exitCodes.done;
}
