// Entry of a page whose test makes engines and sessions by itself: it only hands over what it needs for that.

import { DuplexError, DuplexSession, type TurnRecord } from "@microturn/core";
import { probeDevices } from "../devices.js";
import { type WebEngine, type WebEngineOptions, webEngine } from "../web-engine.js";

/** What a page offers to its tests. */
export interface EnginePage {
  readonly probeDevices: typeof probeDevices;
  /** Options of tests, with the worker and the runtime of their server. */
  makeEngine(options?: Partial<WebEngineOptions>): WebEngine;
  /** Code of a DuplexError, a space, and the message of whatever a promise rejects with; "" if it resolves. */
  failure(promise: Promise<unknown>): Promise<string>;
  /**
   * Talks to an engine for a number of micro-turns, and breaks something after some of them.
   *
   * @returns what each micro-turn gave: decision, words, and a digest of its sound; and the error that ended the session, if one did
   */
  talk(
    engine: WebEngine,
    turns: number,
    breaks?: Readonly<Record<number, "gpu" | "worker" | "memory">>,
  ): Promise<string[]>;
  /**
   * Talks to an engine on a GPU, one worker of which is there.
   *
   * @returns GPU buffers that the worker holds after each of the `parts` of the talk, and their bytes
   */
  gpuMemory(engine: WebEngine, turns: number, parts: number): Promise<{ buffers: number; bytes: number }[]>;
  /** Talks in real time until it has had a number of micro-turns. @returns micro-turns, and the longest time between two */
  talkLive(engine: WebEngine, turns: number): Promise<{ turns: number; longestGapMs: number }>;
  /** Talks in real time until it is stopped: a timer writes as much as time has passed, but for what is more than a second. */
  keepTalking(engine: WebEngine): Promise<LiveTalk>;
}

/** A conversation that goes on. */
export interface LiveTalk {
  /** How it is so far, and what has happened since it was asked the last time. */
  look(): LiveReport;
  close(): Promise<void>;
}

/** See {@link LiveTalk}. */
export interface LiveReport {
  /** On the session clock, ms. */
  readonly timeMs: number;
  /** All that was written so far, ms. */
  readonly writtenMs: number;
  /** Index of every micro-turn. */
  readonly turns: readonly number[];
  /** How many of them were skipped by merging, and how many the events of lateness name. */
  readonly skipped: number;
  readonly skippedByEvents: number;
  /** Most that waited when a late step was done. */
  readonly mostQueued: number;
  /** Events of refused input and errors. */
  readonly problems: readonly string[];
  /** Longest time between two micro-turns, ms. */
  readonly longestGapMs: number;
}

const page: EnginePage = {
  probeDevices,
  makeEngine: (options = {}) =>
    webEngine({
      model: "/tiny/",
      runtimeFolder: "/ort/",
      worker: () => new Worker("/fragile-worker.js", { type: "module" }),
      ...options,
    }),
  failure: (promise) =>
    promise.then(
      () => "",
      (error) => `${DuplexError.is(error) ? error.code : error.name} ${error.message}`,
    ),
  async talk(engine, turns, breaks = {}) {
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", seed: 5, temperature: 1 });
    const records: TurnRecord[] = [];
    const channel = new BroadcastChannel("break");
    let heard: () => void = () => {};
    session.on("turn-end", ({ turn }) => {
      records.push(turn);
      heard();
    });
    let ended: string | undefined;
    session.on("error", ({ error }) => {
      ended = `${error.code} ${error.message}`;
    });
    for (let turn = 0; turn < turns && ended === undefined; turn++) {
      const next = new Promise<void>((resolve) => {
        heard = resolve;
      });
      if (breaks[turn] !== undefined) {
        const heard = new Promise((resolve) => channel.addEventListener("message", resolve, { once: true }));
        channel.postMessage(breaks[turn]);
        await heard;
      }
      await session.writeAudio(Float32Array.from({ length: 3200 }, (_, i) => 0.3 * Math.sin((i * (turn + 3)) / 40)));
      await Promise.race([next, session.ended]);
    }
    channel.close();
    await session.close();
    const said = records.map(({ output: { decision, text, heard, speech } }) =>
      [decision, text, heard, speech.reduce((sum, sample, i) => sum + sample * ((i % 7) + 1), 0)].join(" "),
    );
    return ended === undefined ? said : [...said, ended];
  },
  async gpuMemory(engine, turns, parts) {
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", openTimeoutMs: 120_000 });
    const channel = new BroadcastChannel("break");
    const readings: { buffers: number; bytes: number }[] = [];
    let had = 0;
    let all: () => void = () => {};
    session.on("turn-end", () => ++had % turns === 0 && all());
    for (let part = 0; part < parts; part++) {
      const done = new Promise<void>((resolve) => {
        all = resolve;
      });
      for (let turn = 0; turn < turns; turn++) {
        await session.writeAudio(Float32Array.from({ length: 3200 }, (_, i) => 0.3 * Math.sin((i * (turn + 3)) / 40)));
      }
      await Promise.race([done, session.ended]);
      const told = new Promise<MessageEvent>((resolve) => channel.addEventListener("message", resolve, { once: true }));
      channel.postMessage("held");
      readings.push((await told).data);
    }
    channel.close();
    await session.close();
    return readings;
  },
  async talkLive(engine, turns) {
    const session = await DuplexSession.open({ engine });
    let longestGapMs = 0;
    let lastMs = performance.now();
    const source = setInterval(() => void session.writeAudio(new Float32Array(320)), 20);
    let had = 0;
    for await (const _ of session) {
      longestGapMs = Math.max(longestGapMs, performance.now() - lastMs);
      lastMs = performance.now();
      if (++had === turns) break;
    }
    clearInterval(source);
    await session.close();
    return { turns: had, longestGapMs };
  },
  async keepTalking(engine) {
    const session = await DuplexSession.open({ engine });
    const nothing = () => ({
      ...{ turns: [] as number[], skipped: 0, skippedByEvents: 0, mostQueued: 0, longestGapMs: 0 },
      problems: [] as string[],
    });
    let since = nothing();
    let lastTurnMs = performance.now();
    session.on("turn-end", ({ turn }) => {
      since.turns.push(turn.index);
      if (turn.output.skipped) since.skipped++;
      since.longestGapMs = Math.max(since.longestGapMs, performance.now() - lastTurnMs);
      lastTurnMs = performance.now();
    });
    session.on("turn-late", ({ skippedTurns, queuedTurns }) => {
      since.skippedByEvents += skippedTurns;
      since.mostQueued = Math.max(since.mostQueued, queuedTurns);
    });
    session.on("input-refused", ({ error }) => since.problems.push(error.message));
    session.on("error", ({ error }) => since.problems.push(error.message));
    let written = 0;
    let lastMs = performance.now();
    const source = setInterval(() => {
      const nowMs = performance.now();
      const samples = Math.floor(16 * Math.min(1000, nowMs - lastMs));
      lastMs = nowMs;
      written += samples;
      void session.writeAudio(new Float32Array(samples));
    }, 20);
    return {
      look() {
        const report = { ...since, timeMs: session.timeMs, writtenMs: written / 16 };
        since = nothing();
        return report;
      },
      async close() {
        clearInterval(source);
        await session.close();
      },
    };
  },
};

Object.assign(window, { page });
