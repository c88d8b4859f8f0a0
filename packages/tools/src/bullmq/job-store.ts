// What Redis holds of the jobs: one call for each script, with its keys and what its answer means.

import { DuplexError } from "@microturn/core";
import type { Job, JobEvent, JobMessage, LoggedEvent } from "../jobs/job.js";
import { textOf } from "../jobs/job-try.js";
import { inRange, type LogLimits, maxMessages, tooManyMessages, unknownJob } from "../jobs/log-limits.js";
import type { RedisLink } from "./redis-link.js";
import {
  abandonScript,
  appendScript,
  beginScript,
  giveBackScript,
  hearScript,
  type RedisScript,
  readScript,
  sendScript,
  submitScript,
} from "./scripts.js";

/** How long a call may take. */
export interface CallLimit {
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A try that has begun: how many there were with it, how many of them count, and what the log holds. */
export interface BegunTry {
  readonly attempt: number;
  readonly spent: number;
  readonly count: number;
  readonly job: Job;
}

/** An event on its way into the log. */
export interface NewEvent {
  readonly fence: string;
  readonly place: number;
  readonly text: string;
  readonly isEnd: boolean;
  readonly limits: LogLimits;
}

/** What became of an append: see `appendScript`. */
export type AppendAnswer = "kept" | "fenced" | "over" | "forgotten" | "hole" | "full";

const scripts = {
  microturnSubmit: submitScript,
  microturnBegin: beginScript,
  microturnGiveBack: giveBackScript,
  microturnAppend: appendScript,
  microturnRead: readScript,
  microturnSend: sendScript,
  microturnHear: hearScript,
  microturnAbandon: abandonScript,
} satisfies Record<string, RedisScript>;

/** Events that are read at once. */
const pageEvents = 256;

/** How long a job may be on its way into the queue of BullMQ before it counts as lost, s. */
const underwaySeconds = 30;

/** The jobs of one queue in Redis. */
export class JobStore {
  readonly #link: RedisLink;
  readonly #bull: string;
  readonly #own: string;

  /** @throws TypeError if the queue or the prefix cannot name keys */
  constructor(link: RedisLink, prefix: string, queue: string) {
    if (queue === "" || queue.includes(":")) {
      throw new TypeError(`jobs: expected queue to be a name without ":", got ${JSON.stringify(queue)}`);
    }
    this.#link = link;
    this.#bull = `${prefix}:${queue}`;
    // Beside the keys of BullMQ, under a name that no queue of it can have.
    this.#own = `${prefix}:${queue}:microturn-jobs`;
    for (const [name, { keys, lua }] of Object.entries(scripts)) {
      link.redis.defineCommand(name, { numberOfKeys: keys, lua });
    }
  }

  /** The channel on which additions to the log of a job are told. */
  logChannel(id: string): string {
    return this.#key(id, "log");
  }

  /** The channel on which messages to a job are told. */
  messageChannel(id: string): string {
    return this.#key(id, "told");
  }

  submit(job: Job, keepMs: number, maxIdleMs: number, limit: CallLimit): Promise<"new" | "known" | "over"> {
    return this.#run(
      "submit",
      "microturnSubmit",
      [this.#key(job.id, "state")],
      [textOf(job), keepMs, maxIdleMs],
      limit,
    );
  }

  /** Begins a try for the holder of BullMQ's lock; from then on earlier tries can append nothing. */
  async begin(
    id: string,
    token: string,
    fence: string,
    limit: CallLimit,
  ): Promise<BegunTry | "forgotten" | "over" | "fenced"> {
    const keys = [...this.#keys(id), `${this.#bull}:${bullmqId(id)}:lock`];
    const answer = await this.#run<string[]>("begin", "microturnBegin", keys, [token, fence], limit);
    const [state, attempt, spent, count, , job] = answer;
    if (state !== "begun") return state as "forgotten" | "over" | "fenced";
    return {
      attempt: Number(attempt),
      spent: Number(spent),
      count: Number(count),
      job: JSON.parse(job as string) as Job,
    };
  }

  async giveBack(id: string, fence: string, limit: CallLimit): Promise<void> {
    await this.#run("give back", "microturnGiveBack", [this.#key(id, "state")], [fence], limit);
  }

  append(id: string, { fence, place, text, isEnd, limits }: NewEvent, limit: CallLimit): Promise<AppendAnswer> {
    const keys = [...this.#keys(id), this.logChannel(id)];
    const args = [fence, place, text, text.length, isEnd ? 1 : 0, limits.maxEvents, limits.maxLogChars];
    return this.#run("append", "microturnAppend", keys, args, limit);
  }

  /**
   * The events from a place on, as many as are read at once.
   *
   * @returns whether the log is complete with them
   * @throws DuplexError `BACKGROUND_FAILED` if the job is not known
   */
  async read(
    id: string,
    from: number,
    limit: CallLimit,
  ): Promise<{ readonly events: LoggedEvent[]; readonly over: boolean }> {
    const keys = [this.#key(id, "state"), this.#key(id, "log")];
    const answer = await this.#run<[string, string, [string, string[]][]] | []>(
      "follow",
      "microturnRead",
      keys,
      [`${from + 1}-0`, pageEvents],
      limit,
    );
    if (answer.length === 0) {
      throw unknownJob(
        id,
        "it was never submitted to this queue, ended longer ago than jobs are kept, or Redis lost its data",
      );
    }
    const [over, count, entries] = answer;
    const events = entries.map(([place, fields], offset) => {
      const index = Number.parseInt(place, 10) - 1;
      if (index !== from + offset) throw holeInLog(id, from + offset);
      return { index, event: JSON.parse(fields[1] as string) as JobEvent };
    });
    if (events.length === 0 && from < Number(count)) throw holeInLog(id, from);
    return { events, over: over === "1" && from + events.length >= Number(count) };
  }

  async send(id: string, message: JobMessage, limit: CallLimit): Promise<void> {
    const keys = [this.#key(id, "state"), this.#key(id, "told"), this.messageChannel(id)];
    const answer = await this.#run("send", "microturnSend", keys, [textOf(message), maxMessages], limit);
    if (answer === "full") throw tooManyMessages(id);
  }

  /** Messages after one that was heard; keeps the job alive. Anything but `going` means that the try must stop. */
  async hear(
    id: string,
    fence: string,
    after: string,
    limit: CallLimit,
  ): Promise<{
    readonly state: "going" | "fenced" | "over" | "forgotten";
    readonly messages: readonly [string, JobMessage][];
  }> {
    const [state, entries = []] = await this.#run<["going", [string, string[]][]?]>(
      "hear",
      "microturnHear",
      this.#keys(id),
      [fence, after],
      limit,
    );
    return { state, messages: entries.map(([at, fields]) => [at, JSON.parse(fields[1] as string) as JobMessage]) };
  }

  /** Ends a job that BullMQ does not have any more. */
  async endIfAbandoned(id: string, limit: CallLimit): Promise<void> {
    const end: JobEvent = {
      ...{ type: "end", outcome: "failed" },
      error: "the job was taken out of its queue, or ended there, without an end in its log",
    };
    const keys = [...this.#keys(id), this.logChannel(id), `${this.#bull}:${bullmqId(id)}`];
    await this.#run("follow", "microturnAbandon", keys, [textOf(end), textOf(end).length, underwaySeconds], limit);
  }

  #run<Answer>(
    what: string,
    name: keyof typeof scripts,
    keys: readonly string[],
    args: readonly (string | number)[],
    limit: CallLimit,
  ): Promise<Answer> {
    return this.#link.call(
      what,
      (redis) => (redis as unknown as ScriptedRedis)[name](...keys, ...args) as Promise<Answer>,
      limit,
    );
  }

  #keys(id: string): string[] {
    return [this.#key(id, "state"), this.#key(id, "log"), this.#key(id, "told")];
  }

  #key(id: string, kind: "state" | "log" | "told"): string {
    return `${this.#own}:${bullmqId(id)}:${kind}`;
  }
}

type ScriptedRedis = Record<keyof typeof scripts, (...args: (string | number)[]) => Promise<unknown>>;

/** The id of a job as BullMQ takes it, which wants no colon and no number. @throws TypeError if it is no text of Unicode */
export function bullmqId(id: string): string {
  try {
    return `job-${encodeURIComponent(id)}`;
  } catch (cause) {
    throw new TypeError(
      "jobs: expected the id of a job to be well-formed Unicode, got one with half a surrogate pair",
      { cause },
    );
  }
}

/** The id of a job from that of BullMQ. */
export function jobIdOf(bullmqId: string): string {
  return decodeURIComponent(bullmqId.slice("job-".length));
}

function holeInLog(id: string, place: number): DuplexError {
  return new DuplexError(
    "BACKGROUND_FAILED",
    `follow: the log of the job ${JSON.stringify(id)} lacks its event ${place}: Redis dropped data; ` +
      "give it room and the policy `noeviction`",
    { details: { job: id, place } },
  );
}

/** @throws RangeError if a time is no whole number of ms from 1 on; Redis takes no other */
export function checkTimes(times: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(times)) inRange(name, value, 1);
}
