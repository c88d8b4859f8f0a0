// The fuzz runner: broken messages by the thousand into one decoder, in sessions. It stops at the first message that crashes or
// hangs the decoder, and measures whether memory grows. A session depends on seed and number only, so that it can be repeated.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seededRandom } from "../../../packages/backend-remote/src/testing/mutate-json.js";
import type { FuzzMessage, FuzzSubject, FuzzTarget } from "./fuzz-target.js";

/** A message that takes longer hangs, ms. */
const hangMs = 1000;
/** Heap that may be added, bytes: in one session after its first third, and by all sessions together after the first. */
const growthBytes = 8 * 1024 * 1024;
/** Session 0 is the long one: this share of the messages go into one instance. */
const longShare = 0.25;
const longestSession = 2000;
/** Messages that are looked at again for having taken too long. */
const maxSuspects = 8;
/** Messages between two pauses at most. */
const longestBurst = 32;

export interface FuzzOptions {
  /** Broken messages. */
  readonly messages: number;
  readonly seed: number;
  /** Runs this session only. */
  readonly session?: number;
  /** Told before each message, for a watch from outside. */
  readonly progress?: (session: number, message: number) => void;
}

export interface FuzzFailure {
  readonly what: "crash" | "hang" | "growing memory";
  /** Undefined for what comes of all of them. */
  readonly session?: number;
  /** Number in its session. */
  readonly message?: number;
  readonly data?: string | Uint8Array;
  readonly error?: unknown;
}

/** Bytes of heap before and after, each after a garbage collection. */
export interface HeapChange {
  readonly before: number;
  readonly after: number;
}

export interface FuzzReport {
  readonly name: string;
  readonly broken: number;
  readonly right: number;
  readonly sessions: number;
  /** Of the processor, which other work on the machine does not change much. */
  readonly cpuSeconds: number;
  /** Messages by what came of them. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of one message; where it took over a second, when it was repeated. */
  readonly slowestMs: number;
  /** Of the long session, from its first third to its end. */
  readonly heapOfOne: HeapChange | undefined;
  /** Of all sessions, from the end of the first to the end of the last. */
  readonly heapOfAll: HeapChange | undefined;
  readonly failure: FuzzFailure | undefined;
}

/** Feeds a decoder. Failures are told, not thrown. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const run = new Run(target, options);
  return run.finish();
}

interface Slow {
  readonly session: number;
  readonly message: number;
  readonly ms: number;
  readonly data: string | Uint8Array;
}

class Run {
  readonly #target: FuzzTarget;
  readonly #options: FuzzOptions;
  readonly #outcomes = new Map<string, number>();
  #broken = 0;
  #right = 0;
  #sessions = 0;
  #slowestMs = 0;
  /** Messages that took too long, once. */
  readonly #suspects: Slow[] = [];
  #heapOfOne: HeapChange | undefined;

  constructor(target: FuzzTarget, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
  }

  async finish(): Promise<FuzzReport> {
    const { messages, session } = this.#options;
    const start = process.cpuUsage();
    let failure: FuzzFailure | undefined;
    let heapOfAll: HeapChange | undefined;
    if (session !== undefined) failure = await this.#session(session);
    else {
      failure = await this.#session(0);
      const before = heapBytes();
      for (let k = 1; failure === undefined && this.#broken < messages; k++) failure = await this.#session(k);
      heapOfAll = { before, after: heapBytes() };
    }
    const { user, system } = process.cpuUsage(start);
    const cpuSeconds = (user + system) / 1e6;
    failure ??= (await this.#hang()) ?? this.#growth(heapOfAll);
    return {
      ...{ name: this.#target.name, broken: this.#broken, right: this.#right, sessions: this.#sessions, cpuSeconds },
      outcomes: Object.fromEntries([...this.#outcomes].sort(([, a], [, b]) => b - a)),
      ...{ slowestMs: this.#slowestMs, heapOfOne: this.#heapOfOne, heapOfAll, failure },
    };
  }

  /** @param until - stops after this message, and counts nothing */
  async #session(number: number, until?: number): Promise<FuzzFailure | undefined> {
    const random = seededRandom(Math.imul(this.#options.seed, 0x9e3779b1) + Math.imul(number, 0x85ebca6b));
    const length =
      number === 0 ? Math.ceil(this.#options.messages * longShare) : 1 + Math.floor(random() ** 3 * longestSession);
    this.#sessions++;
    let at = -1;
    let message: FuzzMessage | undefined;
    let before: number | undefined;
    const watch = new StrayErrors();
    try {
      const subject = await this.#target.open(random);
      let pause = 0;
      for (let broken = 0; broken < length; ) {
        at++;
        message = this.#target.message(random);
        if (message.broken) broken++;
        this.#options.progress?.(number, at);
        const { ms, outcome } = this.#feed(subject, message, random, until === undefined);
        if (at === until) return { what: "hang", session: number, message: at, data: message.data, error: ms };
        if (ms <= hangMs) this.#slowestMs = Math.max(ms, this.#slowestMs);
        else if (this.#suspects.length < maxSuspects) {
          this.#suspects.push({ session: number, message: at, ms, data: message.data });
        }
        if (outcome !== "accepted") await subject.recover?.(random);
        if (--pause <= 0) {
          pause = 1 + Math.floor(random() * longestBurst);
          await subject.between?.(random);
          watch.check();
        }
        if (number === 0 && before === undefined && broken > length / 3) before = heapBytes();
      }
      if (number === 0 && before !== undefined) this.#heapOfOne = { before, after: heapBytes() };
      message = undefined;
      await subject.close?.();
      watch.check();
      return undefined;
    } catch (error) {
      return {
        what: "crash",
        session: number,
        message: at,
        error,
        ...(message === undefined ? {} : { data: message.data }),
      };
    } finally {
      watch.end();
    }
  }

  #feed(subject: FuzzSubject, message: FuzzMessage, random: () => number, counts: boolean) {
    const startMs = performance.now();
    const outcome = subject.receive(message, random);
    const ms = performance.now() - startMs;
    if (!counts) return { ms, outcome };
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    if (message.broken) this.#broken++;
    else this.#right++;
    return { ms, outcome };
  }

  /** What took too long, once more: what another process on the machine held up is fast then. */
  async #hang(): Promise<FuzzFailure | undefined> {
    for (const { session, message, ms, data } of this.#suspects.splice(0)) {
      const again = await this.#session(session, message);
      this.#sessions--;
      const againMs = again?.what === "hang" ? Number(again.error) : hangMs;
      if (againMs >= hangMs) return { what: "hang", session, message, data, error: `${ms} ms, then ${againMs} ms` };
      this.#slowestMs = Math.max(againMs, this.#slowestMs);
    }
    return undefined;
  }

  #growth(heapOfAll: HeapChange | undefined): FuzzFailure | undefined {
    if (grows(this.#heapOfOne)) return { what: "growing memory", session: 0, error: this.#heapOfOne };
    return grows(heapOfAll) ? { what: "growing memory", error: heapOfAll } : undefined;
  }
}

function grows(heap: HeapChange | undefined): boolean {
  return heap !== undefined && heap.after - heap.before > growthBytes;
}

/** Rejections that nobody handles. */
class StrayErrors {
  #error: { readonly error: unknown } | undefined;
  readonly #listener = (error: unknown) => {
    this.#error ??= { error };
  };

  constructor() {
    process.on("unhandledRejection", this.#listener);
  }

  check(): void {
    if (this.#error !== undefined) throw this.#error.error;
  }

  end(): void {
    process.off("unhandledRejection", this.#listener);
  }
}

let collect: (() => void) | undefined;

/** Heap in use after a garbage collection, with the bytes of buffers. */
function heapBytes(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
