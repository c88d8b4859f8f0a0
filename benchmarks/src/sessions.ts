// Many sessions in one process: every tick, each has a micro-turn that is due, and the engine may run them as one batch.

import type { EngineSession } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchGoal, type BenchRow, type BenchSection, inWords, type Percentiles, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

const budgetMs = 200;

/** Time from the tick to the last session's output, for growing counts of sessions, and how many hold the tick. */
export async function sessionsSection(context: BenchContext): Promise<BenchSection> {
  const ticks = context.quick ? 30 : 200;
  const counts = [1, 4, 8, 16, 32, 64].filter((count) => count <= context.backend.capabilities.maxBatch);
  const rows: BenchRow[] = [];
  const figures: Record<string, Percentiles> = {};
  let held = 0;
  for (const count of counts) {
    context.say(`${count} sessions`);
    const times = await ticksOf(context, count, ticks);
    const result = percentiles(times);
    figures[count] = result;
    const holds = result.p99 <= budgetMs;
    if (holds) held = count;
    const perSession = (result.p50 / count).toFixed(1);
    rows.push({
      name: `${count} ${count === 1 ? "session" : "sessions"}`,
      value: inWords(result, 0),
      note: `${perSession} ms per session; ${holds ? "holds" : "does not hold"} the tick`,
    });
  }
  // Between the last that held and the first that did not, by halving.
  let fails = counts.find((count) => count > held) ?? held + 1;
  while (fails - held > 1 && held > 0) {
    const middle = Math.floor((held + fails) / 2);
    context.say(`${middle} sessions`);
    const result = percentiles(await ticksOf(context, middle, ticks));
    figures[middle] = result;
    if (result.p99 <= budgetMs) held = middle;
    else fails = middle;
  }
  rows.push({
    name: "held at p99",
    value: `${held} sessions`,
    note: held === counts.at(-1) ? "more were not tried" : "",
  });
  return {
    title: `Sessions in one process (${ticks} ticks each)`,
    rows,
    goals: figures[8] === undefined ? [] : [goalOf(figures[8])],
    figures: { ...figures, held },
  };
}

function goalOf({ p99 }: Percentiles): BenchGoal {
  return {
    name: "8 sessions in a batch, p99",
    value: `${p99.toFixed(0)} ms`,
    goal: `at most ${budgetMs} ms`,
    held: p99 <= budgetMs,
  };
}

async function ticksOf(context: BenchContext, count: number, ticks: number): Promise<number[]> {
  const engine = benchEngine(context, { maxSessions: count });
  const sessions: EngineSession[] = [];
  for (let i = 0; i < count; i++) sessions.push(await engine.open({ seed: i }));
  const { inputSampleRate, turnDurationMs } = sessions[0].capabilities;
  const sound = speechLike((inputSampleRate * turnDurationMs) / 1000);
  const times: number[] = [];
  for (let turn = 0; turn < ticks + 5; turn++) {
    const started = performance.now();
    await Promise.all(
      sessions.map((session, i) =>
        // Each session is at another place of its conversation.
        session.step({ index: turn, turns: 1, audio: sound(turn + 7 * i), images: [], text: [] }),
      ),
    );
    if (turn >= 5) times.push(performance.now() - started);
  }
  await engine.close();
  return times;
}
