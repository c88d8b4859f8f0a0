// What a session can be opened with, and the checks on it.

import { checkResamplerQuality, defaultResamplerQuality, type ResamplerQuality } from "../audio/resampler-filter.js";
import type { Background } from "../background.js";
import type { Engine, EngineSnapshot, LoadProgress } from "../engine.js";
import { type Clock, systemClock } from "./clock.js";
import type { ConversationEntry } from "./events.js";
import type { DeadlinePolicy, Pace } from "./session-state.js";
import { checkTraceOptions, type TraceOptions } from "./trace-recorder.js";

/** Options of `DuplexSession.open`. */
export interface DuplexSessionOptions {
  /** What advances the conversation; loaded if it is not yet. It stays open when the session closes. */
  readonly engine: Engine;
  /**
   * Does the work that the model hands over and delivers what it finds (rule 6), such as `backgroundModel` of `@microturn/tools`; loaded with the
   * engine. Default none: listen to `delegation`, and deliver.
   */
  readonly background?: Background;
  /** Source of time; default {@link systemClock}. */
  readonly clock?: Clock;
  /** What to do when the engine cannot keep up (rule 3); default `catch-up`. */
  readonly deadline?: DeadlinePolicy;
  /** A live conversation, or as fast as it goes (files, tests); default `realtime`. */
  readonly pace?: Pace;
  /** Time from the last input sample of a micro-turn to its deadline, ms; default one micro-turn. */
  readonly budgetMs?: number;
  /** Seeds every random choice, 0 … 2^32 - 1; default 0. */
  readonly seed?: number;
  /** 0 is greedy (default); up to 2. */
  readonly temperature?: number;
  /** Aborts the opening, and later the session: it ends with `ABORTED`. */
  readonly signal?: AbortSignal;
  /** `open` settles within this time, ms, loading included; 1 … 2 147 483 647 (what a timer can hold), default 60 000. */
  readonly openTimeoutMs?: number;
  /** Called while the engine loads. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Rate of what is written to `session.audio`, and of `writeAudio` where none is given, Hz; default the engine's. */
  readonly sampleRate?: number;
  /** How sharp input of another rate than the engine's is converted; default `defaultResamplerQuality`. Half the zero crossings take half the time. */
  readonly resampler?: Partial<ResamplerQuality>;
  /** Audio that is held at most, ms; default 10 000. What comes on top is refused with `INPUT_OVERFLOW`. */
  readonly maxQueuedMs?: number;
  /**
   * Micro-turns that are held for a reader (`for await`) that is behind; default 64. With pace `as-fast-as-input` the
   * session then waits for the reader; a live session does not wait, and the reader gets `INPUT_OVERFLOW` after those.
   */
  readonly maxBufferedTurns?: number;
  /** Silence that the model hears after the end of the input before the session ends, ms; default 3000. See `finish`. */
  readonly tailMs?: number;
  /** How far `rewind` can go back, ms; default 0: not at all. Costs a snapshot of the engine per second. */
  readonly rewindMs?: number;
  /** Records a trace from the start; read it with `session.trace()`. Default false. */
  readonly trace?: boolean | TraceOptions;
  /**
   * Goes on from a snapshot of a session on the same engine. Its random numbers and temperature go on too; `seed` and
   * `temperature` have no effect then.
   */
  readonly from?: SessionSnapshot;
}

/** A session at the border before a micro-turn; holds for as long as its engine is open. */
export interface SessionSnapshot {
  /** The micro-turn that comes next. */
  readonly turn: number;
  /** The engine's part. */
  readonly engine: EngineSnapshot;
  /** Sound of the time before has this fence or a lower one. */
  readonly fence: number;
  /** What had been said, for delegations. */
  readonly conversation: readonly ConversationEntry[];
}

/** Options of a session with every default filled in. */
export interface SessionSettings {
  readonly clock: Clock;
  readonly deadline: DeadlinePolicy;
  readonly pace: Pace;
  readonly budgetMs: number | undefined;
  readonly seed: number;
  readonly temperature: number;
  readonly openTimeoutMs: number;
  readonly sampleRate: number | undefined;
  readonly resampler: ResamplerQuality;
  readonly maxQueuedMs: number;
  readonly maxBufferedTurns: number;
  readonly tailMs: number;
  readonly rewindMs: number;
}

/** Longest time that `setTimeout` holds, ms; from there on it fires at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Longest tail, ms: silence is computed like anything else. */
const maxTailMs = 600_000;

/** Fills in the defaults and checks the ranges. @throws TypeError or RangeError */
export function settle(options: DuplexSessionOptions): SessionSettings {
  const { clock = systemClock, deadline = "catch-up", pace = "realtime", seed = 0, temperature = 0 } = options;
  const { openTimeoutMs = 60_000, maxQueuedMs = 10_000, maxBufferedTurns = 64, tailMs = 3000, rewindMs = 0 } = options;
  const { budgetMs, sampleRate, trace } = options;
  const resampler = { ...defaultResamplerQuality, ...options.resampler };
  checkResamplerQuality(resampler);
  if (typeof options.engine?.open !== "function") {
    throw new TypeError("DuplexSession.open: engine must be an Engine, for example localEngine({ model, backend })");
  }
  if (options.background !== undefined && typeof options.background.attach !== "function") {
    throw new TypeError(
      "DuplexSession.open: background must be a Background, for example backgroundModel({ model, tools })",
    );
  }
  oneOf("deadline", deadline, ["catch-up", "shed-video", "strict"]);
  oneOf("pace", pace, ["realtime", "as-fast-as-input"]);
  inRange("seed", seed, 0, 0xffffffff);
  if (!Number.isInteger(seed)) throw new RangeError(`DuplexSession.open: seed must be a whole number, got ${seed}`);
  inRange("temperature", temperature, 0, 2);
  inRange("openTimeoutMs", openTimeoutMs, 1, maxTimerMs);
  inRange("maxQueuedMs", maxQueuedMs, 1000, 3_600_000);
  inRange("maxBufferedTurns", maxBufferedTurns, 1, 1_000_000);
  checkTailMs("DuplexSession.open", tailMs);
  inRange("rewindMs", rewindMs, 0, 3_600_000);
  if (budgetMs !== undefined) inRange("budgetMs", budgetMs, 1, 60_000);
  if (sampleRate !== undefined) checkSampleRate("DuplexSession.open", sampleRate);
  if (typeof trace === "object") checkTraceOptions("DuplexSession.open", trace);
  return {
    ...{ clock, deadline, pace, budgetMs, seed, temperature, openTimeoutMs },
    ...{ sampleRate, resampler, maxQueuedMs, maxBufferedTurns, tailMs, rewindMs },
  };
}

/** @throws RangeError unless it is a whole number of Hz from 8000 to 192000 */
export function checkSampleRate(operation: string, sampleRate: number): void {
  if (!Number.isInteger(sampleRate) || sampleRate < 8000 || sampleRate > 192_000) {
    throw new RangeError(
      `${operation}: sampleRate must be a whole number of Hz from 8000 to 192000, got ${sampleRate}`,
    );
  }
}

/** @throws RangeError unless it is 0 … 600 000 */
export function checkTailMs(operation: string, tailMs: number): void {
  if (!(tailMs >= 0 && tailMs <= maxTailMs)) {
    throw new RangeError(`${operation}: tailMs must be 0 … ${maxTailMs}, got ${tailMs}`);
  }
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) {
    throw new TypeError(
      `DuplexSession.open: ${name} must be one of ${allowed.join(", ")}, got ${JSON.stringify(value)}`,
    );
  }
}

function inRange(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw new RangeError(`DuplexSession.open: ${name} must be ${low} … ${high}, got ${value}`);
  }
}
