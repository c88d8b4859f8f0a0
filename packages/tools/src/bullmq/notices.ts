// Tells that something was added to a log or to the messages of a job, by one subscription for all of them. A notice says only
// "look": what is true stands in the streams, so that a notice which is lost costs time and nothing else.

import type { Redis } from "ioredis";
import { Bell } from "../jobs/bell.js";
import { openRedis, type RedisAddress } from "./redis-link.js";

/** Listens to channels, each with its own bell. */
export class Notices {
  readonly #redis: Redis;
  readonly #channels = new Map<string, { readonly bell: Bell; listeners: number }>();

  constructor(address: RedisAddress) {
    this.#redis = openRedis(address, {
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
      autoResubscribe: false,
    });
    this.#redis.on("error", () => {}); // Whoever waits looks by itself from time to time, and is told then.
    this.#redis.on("ready", () => this.#subscribe([...this.#channels.keys()]));
    this.#redis.on("message", (channel) => this.#channels.get(channel)?.bell.ring());
  }

  /** Listens to a channel, once it can: its bell rings then as well. Call `close` of what it gives once. */
  open(channel: string): { readonly bell: Bell; close(): void } {
    let entry = this.#channels.get(channel);
    if (entry === undefined) {
      entry = { bell: new Bell(), listeners: 0 };
      this.#channels.set(channel, entry);
      if (this.#redis.status === "ready") this.#subscribe([channel]);
    }
    const { bell } = entry;
    entry.listeners++;
    return { bell, close: () => this.#leave(channel) };
  }

  /** Lets go of the connection, and rings every bell a last time. */
  close(): void {
    this.#redis.disconnect();
    for (const { bell } of this.#channels.values()) bell.ring();
  }

  #subscribe(channels: readonly string[]): void {
    if (channels.length === 0) return;
    this.#redis.subscribe(...channels).then(
      () => {
        // What was added before the subscription stood was told to nobody.
        for (const channel of channels) this.#channels.get(channel)?.bell.ring();
      },
      () => {}, // The connection broke: the next one subscribes anew.
    );
  }

  #leave(channel: string): void {
    const entry = this.#channels.get(channel);
    if (entry === undefined || --entry.listeners > 0) return;
    this.#channels.delete(channel);
    if (this.#redis.status === "ready") this.#redis.unsubscribe(channel).catch(() => {});
  }
}
