// A Redis of a test's own: on a free port of this machine, in memory only, gone with the test.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { Redis } from "ioredis";

/** Why there can be no Redis here; undefined if there can. */
export function redisMissing(): string | undefined {
  const { error, status } = spawnSync("redis-server", ["--version"]);
  return error === undefined && status === 0 ? undefined : "redis-server is not installed";
}

/** A running server. */
export interface PrivateRedis {
  readonly url: string;
  readonly port: number;
  /** A connection to look into it. */
  readonly admin: Redis;
  /** Stands still, with its connections open, until `resume`. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Starts one. @param options.port - default a free one */
export async function startRedis(
  options: { readonly port?: number; readonly password?: string } = {},
): Promise<PrivateRedis> {
  const port = options.port ?? (await freePort());
  const server = spawn(
    "redis-server",
    [
      ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()],
      ...(options.password === undefined ? [] : ["--requirepass", options.password]),
    ],
    { stdio: "ignore" },
  );
  const exited = once(server, "exit");
  const admin = new Redis({
    host: "127.0.0.1",
    port,
    retryStrategy: () => 20,
    ...(options.password === undefined ? {} : { password: options.password }),
  });
  admin.on("error", () => {});
  await admin.ping();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    admin,
    pause: () => server.kill("SIGSTOP"),
    resume: () => server.kill("SIGCONT"),
    async stop() {
      admin.disconnect();
      server.kill("SIGKILL");
      await exited;
    },
  };
}

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
