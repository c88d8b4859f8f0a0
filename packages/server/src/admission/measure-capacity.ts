// How many sessions this machine can hold: found by holding them. Sessions whose clocks do not agree are stepped in real time,
// more of them each time, until their outputs come too late.

import { DuplexError, type Engine, type EngineSession } from "@microturn/core";

/** How capacity is measured. */
export interface CapacityOptions {
  /** Share of the micro-turn within which 99 of 100 outputs must come; default 0.7: the rest is for the network and for bad moments. */
  readonly share?: number;
  /** Each count of sessions is held for so long, ms; default 2000. */
  readonly holdMs?: number;
  /** Gives up. */
  readonly signal?: AbortSignal;
  /** Called after each count. */
  readonly onCount?: (sessions: number, p99Ms: number) => void;
}

/**
 * Finds the most sessions that an engine can advance in real time.
 *
 * @param engine - loaded, and without sessions
 * @returns at least 1; at most the engine's `maxSessions`
 * @throws DuplexError `ABORTED`
 */
export async function measureCapacity(engine: Engine, options: CapacityOptions = {}): Promise<number> {
  const { share = 0.7, holdMs = 2000, signal, onCount } = options;
  const { maxSessions, turnDurationMs } = await engine.load();
  const holds = async (count: number) => {
    const p99Ms = await hold(engine, count, holdMs, signal);
    onCount?.(count, p99Ms);
    return p99Ms <= share * turnDurationMs;
  };
  let good = 1;
  let bad = maxSessions + 1;
  for (let count = 4; count <= maxSessions; count *= 2) {
    if (await holds(count)) good = count;
    else {
      bad = count;
      break;
    }
  }
  // Steps of an eighth are fine enough: the load of a machine changes by more.
  while (bad - good > Math.max(1, good >> 3)) {
    const middle = (good + bad) >> 1;
    if (await holds(middle)) good = middle;
    else bad = middle;
  }
  return Math.min(good, maxSessions);
}

/** Holds so many sessions for a while. @returns the time that 99 of 100 outputs took, ms */
async function hold(engine: Engine, count: number, holdMs: number, signal: AbortSignal | undefined): Promise<number> {
  const sessions: EngineSession[] = [];
  try {
    for (let i = 0; i < count; i++) sessions.push(await engine.open({ seed: i }));
    const { turnDurationMs } = sessions[0].capabilities;
    const turns = Math.ceil(holdMs / turnDurationMs);
    const startMs = performance.now();
    const times = await Promise.all(
      sessions.map((session, i) => talk(session, startMs + (i / count) * turnDurationMs, turns, signal)),
    );
    const sorted = times.flat().sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(0.99 * sorted.length))];
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/** One session in real time. @returns how long after it was due each output came, ms */
async function talk(
  session: EngineSession,
  startMs: number,
  turns: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const { turnDurationMs, inputSampleRate } = session.capabilities;
  const audio = hum(Math.round((inputSampleRate * turnDurationMs) / 1000), inputSampleRate);
  const times: number[] = [];
  for (let index = 0; index < turns; index++) {
    const dueMs = startMs + index * turnDurationMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (signal?.aborted)
      throw new DuplexError("ABORTED", "measureCapacity: its signal was aborted", { cause: signal.reason });
    await session.step({ index, turns: 1, audio, images: [], text: [] });
    times.push(performance.now() - dueMs);
  }
  return times;
}

/** Something to hear, so that nothing is cheaper than in a conversation. */
function hum(samples: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => {
    const t = i / sampleRate;
    return 0.1 * Math.sin(2 * Math.PI * 180 * t) + 0.05 * Math.sin(2 * Math.PI * 920 * t);
  });
}
