// A connection to Redis whose commands settle. ioredis keeps what it cannot send and sends it later, when the caller has long
// been told that it failed; here a command is sent while the connection stands, or tried again within a limit, or has failed.

import { DuplexError } from "@microturn/core";
import { Redis, type RedisOptions } from "ioredis";
import { Bell } from "../jobs/bell.js";
import { queueClosed } from "../jobs/log-limits.js";

/** Where Redis is: an address such as `redis://localhost:6379` or `rediss://…`, or the options of ioredis. */
export type RedisAddress = string | RedisOptions;

/** Opens a connection of ioredis that comes back by itself, unless the options say otherwise. */
export function openRedis(address: RedisAddress, forced: RedisOptions): Redis {
  const standing: RedisOptions = { retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), 2000) };
  if (typeof address === "string") return new Redis(address, { ...standing, ...forced });
  return new Redis({ ...standing, ...address, ...forced });
}

/** A connection for commands that may be repeated: each of ours changes nothing the second time. */
export class RedisLink {
  readonly redis: Redis;
  readonly #bell = new Bell();
  readonly #secrets: readonly string[];
  #lastError: unknown;
  #closed = false;

  /** @param onError - told when Redis cannot be reached, once until it can */
  constructor(address: RedisAddress, onError: (error: DuplexError) => void = () => {}) {
    this.redis = openRedis(address, {
      // A command that is under way when the connection breaks fails at once.
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
    });
    const { password, sentinelPassword } = this.redis.options;
    this.#secrets = [password, sentinelPassword].filter((secret): secret is string => Boolean(secret));
    let told = false;
    this.redis.on("ready", () => {
      told = false;
      this.#bell.ring();
    });
    this.redis.on("error", (error) => {
      this.#lastError = error;
      if (told) return;
      told = true;
      onError(this.#failure("jobs", `Redis at ${this.#where()} cannot be reached; it is tried again`, error));
    });
  }

  /**
   * Runs a command, again if the connection breaks meanwhile.
   *
   * @param what - the operation, for errors
   * @param options.limitMs - longest time in all
   * @param options.signal - gives up, with its reason
   * @throws DuplexError `BACKGROUND_FAILED` if it has not been done within the limit, or Redis refuses it
   */
  async call<Result>(
    what: string,
    command: (redis: Redis) => Promise<Result>,
    { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Result> {
    const untilMs = performance.now() + limitMs;
    for (;;) {
      await this.#ready(what, untilMs, limitMs, signal);
      try {
        return await this.#within(command(this.redis), untilMs, signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#closed) throw queueClosed(what);
        if (performance.now() >= untilMs) throw this.#late(what, limitMs, error);
        if (!isPassing(error)) throw this.#failure(what, `Redis at ${this.#where()} refused it`, error);
        this.#lastError = error;
        await this.#bell.wait(this.#bell.rings, { signal, timeoutMs: Math.min(100, untilMs - performance.now()) });
      }
    }
  }

  /** Lets go of the connection; what is under way fails. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.redis.disconnect();
    this.#bell.ring();
  }

  async #ready(what: string, untilMs: number, limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed) throw queueClosed(what);
      if (this.redis.status === "ready") return;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) throw this.#late(what, limitMs, this.#lastError);
      await this.#bell.wait(this.#bell.rings, { signal, timeoutMs: leftMs });
    }
  }

  #within<Result>(work: Promise<Result>, untilMs: number, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error("no answer in time"));
      const timer = setTimeout(late, Math.max(0, untilMs - performance.now()));
      const stop = () => reject(signal?.reason);
      signal?.addEventListener("abort", stop);
      work.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
      });
    });
  }

  #late(what: string, limitMs: number, cause: unknown): DuplexError {
    const advice = "check that it runs and that the address, the password and TLS are right";
    return this.#failure(what, `Redis at ${this.#where()} did not do it within ${limitMs} ms; ${advice}`, cause);
  }

  #failure(what: string, why: string, cause: unknown): DuplexError {
    return new DuplexError("BACKGROUND_FAILED", `${what}: ${why}`, { cause: cleansed(cause, this.#secrets) });
  }

  #where(): string {
    const { sentinels, path, host, port } = this.redis.options;
    if (sentinels) return "the sentinels' master";
    return path ?? `${host}:${port}`;
  }
}

/** Whether an error passes by itself: a broken connection, or a server that starts or hands over. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== "ReplyError") return true;
  return /^(LOADING|READONLY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|BUSY)\b/.test(error.message);
}

/** The error without the command that it came from, which holds the work, and without passwords. */
function cleansed(error: unknown, secrets: readonly string[]): Error | undefined {
  if (error === undefined) return undefined;
  const { message = String(error), code } = error as { readonly message?: string; readonly code?: unknown };
  let text = message === "" ? String(code ?? "no answer") : message;
  for (const secret of secrets) text = text.replaceAll(secret, "***");
  return Object.assign(new Error(text), typeof code === "string" ? { code } : {});
}
