// What every connection of a server shares.

import type { Engine } from "@microturn/core";
import type { Admission } from "../admission/admission.js";
import type { Logger } from "../log.js";
import type { Metrics } from "../metrics.js";

/** Bounds on what a client may do. */
export interface ServerLimits {
  /** Largest message, bytes; default 1 MiB. */
  readonly maxMessageBytes: number;
  /** Messages a second of one connection; default 200, and twice as many at once. */
  readonly maxMessagesPerSecond: number;
  /** Bytes that may wait for a client that reads too slowly; then its connection is cut; default 1 MiB. */
  readonly maxQueuedBytes: number;
  /** A connection from which nothing comes for so long is lost, ms; default 30,000. */
  readonly idleTimeoutMs: number;
  /** A session whose connection is lost is kept for so long, ms; default 30,000. */
  readonly graceMs: number;
  /** A session of the micro-turn wire from which no step comes for so long ends, ms; default 300,000. */
  readonly maxQuietMs: number;
  /** Longest session, ms; default one hour. */
  readonly maxSessionMs: number;
  /** How far ahead of real time a client may send what gathered while it had no connection, ms; then it waits; default 10,000. */
  readonly maxAheadMs: number;
  /** Share of the outputs of the last 5 s that may take more than four fifths of a micro-turn before new sessions are refused; default 0.01. */
  readonly maxSlowShare: number;
}

export const defaultLimits: ServerLimits = {
  maxMessageBytes: 1024 * 1024,
  maxMessagesPerSecond: 200,
  maxQueuedBytes: 1024 * 1024,
  idleTimeoutMs: 30_000,
  graceMs: 30_000,
  maxQuietMs: 300_000,
  maxSessionMs: 3_600_000,
  maxAheadMs: 10_000,
  maxSlowShare: 0.01,
};

/** Longest time of a timer, ms. */
const longestMs = 2 ** 31 - 1;

/**
 * The bounds that are asked for, and the defaults of the others.
 *
 * @throws RangeError if one is not a whole number of 1 … 2147483647 (`graceMs` and `maxAheadMs`: from 0), or `maxSlowShare` not 0 … 1
 */
export function checkedLimits(asked: Partial<ServerLimits> = {}): ServerLimits {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  const limits: ServerLimits = { ...defaultLimits, ...Object.fromEntries(given) };
  for (const [name, value] of Object.entries(limits)) {
    const least = name === "graceMs" || name === "maxAheadMs" || name === "maxSlowShare" ? 0 : 1;
    const most = name === "maxSlowShare" ? 1 : longestMs;
    if (value >= least && value <= most && (name === "maxSlowShare" || Number.isInteger(value))) continue;
    throw new RangeError(
      `createServer: limits.${name} must be ${most === 1 ? "a share" : "a whole number"} of ${least} … ${most}, got ${value}`,
    );
  }
  return limits;
}

/** What a connection is given. */
export interface ServerContext {
  readonly engine: Engine;
  readonly admission: Admission;
  readonly limits: ServerLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** A connection, as whatever holds a session sees it. */
export interface ServedConnection {
  /** Bytes that wait for the client. */
  readonly queuedBytes: number;
  /** Sends bytes as a binary message, a string as text. */
  send(message: Uint8Array | string): void;
  /** Sends text that is UTF-8 already; it must not change before `onSent` is called. */
  readonly sendText: (message: Uint8Array, onSent?: () => void) => void;
  close(code: number, reason: string): void;
  /** Ends it without a word. */
  destroy(): void;
}

/** WebSocket close codes that are used. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  violation: 1008,
  tooLarge: 1009,
  internal: 1011,
  tryAgainLater: 1013,
  /** Another connection has taken up the session. */
  replaced: 4001,
} as const;
