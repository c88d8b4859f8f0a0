// One micro-turn, split in stages, as an application gets it: through DuplexSession.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DuplexSession, type TurnTiming } from "@microturn/core";
import { type BenchContext, benchEngine, runThreads } from "./model.js";
import { type BenchSection, inWords, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

/** Not measured at all: the first run allocates. */
const firstTurns = 20;

/** Percentiles of each stage over a session; the goal is a whole micro-turn within a fifth of the tick. */
export async function turnStagesSection(context: BenchContext): Promise<BenchSection> {
  const turns = context.quick ? 100 : 1_500;
  // V8 still compiles, on threads that take the cores from the session: shown on a line of its own.
  const warmUpTurns = context.quick ? 100 : 600;
  // What runs once a micro-turn is compiled later still, the last of it after some 1,900 turns.
  const compiledTurns = context.quick ? 200 : 2_000;
  const parts: Omit<BenchSection, "title">[] = [];
  for (const { thread, title, note } of runThreads) {
    const backend = await context.backendOn(thread);
    const engine = benchEngine({ ...context, backend });
    const all = await runTurns(engine, firstTurns + compiledTurns + turns);
    await engine.close();
    await backend.close();
    const after = (first: number) => all.slice(firstTurns + first, firstTurns + first + turns);
    const warmUp = all.slice(firstTurns, firstTurns + warmUpTurns);
    parts.push(stages({ thread, title, note, timings: after(warmUpTurns), compiled: after(compiledTurns), warmUp }));
  }
  const message = percentiles(await threadMessages(Math.min(turns, 500)));
  const jitter = percentiles(machineJitter(turns));
  return {
    title: `One micro-turn (${turns} in one session, after ${firstTurns + warmUpTurns})`,
    rows: [
      ...parts.flatMap((part) => part.rows),
      {
        name: "a message to a thread and back",
        value: inWords(message, 2),
        note: "with nothing in it: what waiting for a worker costs on this machine at least",
      },
      {
        name: "machine jitter (a fixed sum)",
        value: inWords(jitter, 2),
        note: "what this machine adds to any p99 by itself",
      },
    ],
    goals: parts.flatMap((part) => part.goals ?? []),
    figures: { ...Object.assign({}, ...parts.map((part) => part.figures)), message, jitter },
  };
}

/** Rows, goals and figures of one place for runs. */
function stages(run: {
  readonly thread: string;
  readonly title: string;
  readonly note: string;
  readonly timings: readonly TurnTiming[];
  /** The micro-turns before `timings`. */
  readonly warmUp: readonly TurnTiming[];
  /** Micro-turns after the last that V8 compiled something in. */
  readonly compiled: readonly TurnTiming[];
}): Omit<BenchSection, "title"> {
  const { thread, title, note, timings, warmUp, compiled } = run;
  const outsideModel = (timing: TurnTiming) => timing.stepMs - timing.runMs;
  const ownCode = (timing: TurnTiming) => timing.encodeMs + timing.decodeMs + timing.sessionMs;
  const of = (stage: (timing: TurnTiming) => number) => percentiles(timings.map(stage));
  // A model run is nearly the same work each time: where it takes much longer, something else had the cores.
  const runLimitMs = 1.5 * percentiles(timings.map((timing) => timing.runMs)).p50;
  const undisturbed = timings.filter((timing) => timing.runMs <= runLimitMs);
  const figures = {
    step: of((timing) => timing.stepMs),
    encode: of((timing) => timing.encodeMs),
    wait: of((timing) => timing.waitMs),
    model: of((timing) => timing.runMs),
    decode: of((timing) => timing.decodeMs),
    session: of((timing) => timing.sessionMs),
    outsideModel: of(outsideModel),
    outsideModelUndisturbed: percentiles(undisturbed.map(outsideModel)),
    ownCode: of(ownCode),
    outsideModelCompiled: percentiles(compiled.map(outsideModel)),
    outsideModelWarmUp: percentiles(warmUp.map(outsideModel)),
  };
  return {
    rows: [
      { name: title, value: "", note },
      {
        name: "  whole step",
        value: inWords(figures.step),
        note: `p99 is ${(figures.step.p99 / 2).toFixed(0)} % of the 200 ms tick`,
      },
      { name: "    encode", value: inWords(figures.encode, 2) },
      {
        name: "    wait",
        value: inWords(figures.wait, 2),
        note: "for the runtime's thread, and what is done around a run",
      },
      { name: "    model run", value: inWords(figures.model, 2) },
      { name: "    decode", value: inWords(figures.decode, 2) },
      { name: "    session", value: inWords(figures.session, 2) },
      { name: "  outside the model", value: inWords(figures.outsideModel, 2), note: "everything but the model run" },
      {
        name: "    our own code",
        value: inWords(figures.ownCode, 2),
        note: "encode, decode and session; the rest is wait",
      },
      {
        name: "    beside usual runs",
        value: inWords(figures.outsideModelUndisturbed, 2),
        note: `the ${((100 * undisturbed.length) / timings.length).toFixed(1)} % of the turns whose model run took at most 1.5 times its median`,
      },
      {
        name: "    the first two minutes",
        value: inWords(figures.outsideModelWarmUp, 2),
        note: `the ${warmUp.length} turns before those, V8 compiling`,
      },
      {
        name: "    once V8 has compiled",
        value: inWords(figures.outsideModelCompiled, 2),
        note: `${compiled.length} turns, later`,
      },
    ],
    goals: [
      {
        name: `whole step, ${title}, p99`,
        value: `${figures.step.p99.toFixed(1)} ms`,
        goal: "at most 40 ms, a fifth of the tick",
        held: figures.step.p99 <= 40,
      },
      {
        name: `outside the model, ${title}, p99`,
        value: `${figures.outsideModel.p99.toFixed(2)} ms`,
        goal: "at most 2 ms",
        held: figures.outsideModel.p99 <= 2,
      },
    ],
    figures: { [thread]: figures },
  };
}

async function runTurns(engine: ReturnType<typeof benchEngine>, turns: number): Promise<TurnTiming[]> {
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const sound = speechLike((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const timings: TurnTiming[] = [];
  const reading = (async () => {
    for await (const turn of session) timings.push(turn.timing);
  })();
  for (let turn = 0; turn < turns; turn++) await session.writeAudio(sound(turn));
  await session.finish();
  await reading;
  return timings;
}

/** Milliseconds of one computation, again and again: with nothing else running, all that varies is the machine. */
function machineJitter(times: number): number[] {
  const compiling = 50;
  let sum = 0;
  const milliseconds = Array.from({ length: compiling + times }, () => {
    const startedMs = performance.now();
    for (let i = 1; i < 80_000; i++) sum += 1 / i;
    return performance.now() - startedMs;
  });
  if (!(sum > 0)) throw new Error("the sum was left out");
  return milliseconds.slice(compiling);
}

/** Milliseconds that a message to a thread and its answer are on the way, the thread being busy for 15 ms between them. */
async function threadMessages(times: number): Promise<number[]> {
  const busyMs = 15;
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
    parentPort.on("message", () => {
      const startedMs = performance.now();
      while (performance.now() - startedMs < ${busyMs});
      parentPort.postMessage(performance.now() - startedMs);
    });`,
    { eval: true },
  );
  const milliseconds: number[] = [];
  for (let i = 0; i < times; i++) {
    const startedMs = performance.now();
    worker.postMessage(null);
    const [busy] = (await once(worker, "message")) as [number];
    milliseconds.push(performance.now() - startedMs - busy);
  }
  await worker.terminate();
  return milliseconds;
}
