// What a queue refuses to keep: a job that runs away must not eat the memory of its queue, here or in Redis.

import { DuplexError } from "@microturn/core";

/** How long the log of one job may become. The job fails when it is longer; its `end` is always kept. */
export interface LogLimits {
  /** Events in its log; default 100 000. */
  readonly maxEvents: number;
  /** Length of its events as JSON, in characters; default 33 554 432. */
  readonly maxLogChars: number;
}

/** Messages that a job may be sent. */
export const maxMessages = 10_000;

/** The limits with their defaults. @throws RangeError if one is outside its range */
export function logLimits({ maxEvents = 100_000, maxLogChars = 33_554_432 }: Partial<LogLimits>): LogLimits {
  inRange("maxEvents", maxEvents, 1);
  inRange("maxLogChars", maxLogChars, 1);
  return { maxEvents, maxLogChars };
}

/** @throws RangeError if it is no whole number from `least` on */
export function inRange(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`jobs: expected ${name} to be a whole number of at least ${least}, got ${value}`);
}

/** An event does not fit any more. `details.logFull` tells a try that no other try can do better. */
export function logFull(id: string, { maxEvents, maxLogChars }: LogLimits): DuplexError {
  return new DuplexError(
    "BACKGROUND_FAILED",
    `append: the log of the job ${JSON.stringify(id)} would be longer than ${maxEvents} events or ${maxLogChars} characters; ` +
      "append less, or raise maxEvents or maxLogChars",
    { details: { job: id, logFull: true, maxEvents, maxLogChars } },
  );
}

/** Nothing is known of a job. */
export function unknownJob(id: string, why: string): DuplexError {
  return new DuplexError("BACKGROUND_FAILED", `follow: the job ${JSON.stringify(id)} is not known: ${why}`, {
    details: { job: id },
  });
}

/** A job was told more than anybody would say. */
export function tooManyMessages(id: string): DuplexError {
  return new DuplexError(
    "BACKGROUND_FAILED",
    `send: the job ${JSON.stringify(id)} has been sent ${maxMessages} messages, and no more are kept`,
    { details: { job: id, maxMessages } },
  );
}

/** The queue was closed before the call, or in the middle of it. */
export function queueClosed(operation: string): DuplexError {
  return new DuplexError("SESSION_CLOSED", `${operation}: the queue of jobs was closed`);
}
