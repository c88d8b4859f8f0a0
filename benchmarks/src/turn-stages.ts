// One micro-turn, split in stages, as an application gets it: through DuplexSession.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { DuplexSession, type TurnTiming } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchSection, inWords, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";
import { StolenTime } from "./stolen-time.js";

/** Not measured at all: the first run allocates. */
const firstTurns = 20;

/** Percentiles of each stage over a session, the model's runs on the caller's thread, as `microturn run` has them for a recording. */
export async function turnStagesSection(context: BenchContext): Promise<BenchSection> {
  const backend = await context.backendOn("caller");
  try {
    return await stages({ ...context, backend }, "on the caller's thread");
  } finally {
    await backend.close();
  }
}

/** The same with them in a worker, the library's default. */
export function workerTurnStagesSection(context: BenchContext): Promise<BenchSection> {
  return stages(context, "in a worker thread");
}

async function stages(context: BenchContext, where: string): Promise<BenchSection> {
  const turns = context.quick ? 100 : 1_500;
  // V8 still compiles, on threads that take the cores from the session: shown on a line of its own.
  const warmUpTurns = context.quick ? 100 : 600;
  // What runs once a micro-turn is compiled later still, the last of it after some 1,900 turns.
  const compiledTurns = context.quick ? 200 : 2_000;
  const engine = benchEngine(context);
  const ran = await runTurns(engine, firstTurns + compiledTurns + turns);
  await engine.close();
  const between = (from: number, to?: number) => ran.slice(from, to).map(({ timing }) => timing);
  const warmUp = between(firstTurns, firstTurns + warmUpTurns);
  const timings = between(firstTurns + warmUpTurns, firstTurns + warmUpTurns + turns);
  const compiled = between(firstTurns + compiledTurns);
  const own = ran.slice(firstTurns + warmUpTurns, firstTurns + warmUpTurns + turns).filter(({ stolen }) => !stolen);
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
    outsideModelOwn: percentiles(own.length === 0 ? [Number.NaN] : own.map(({ timing }) => outsideModel(timing))),
    outsideModelUndisturbed: percentiles(undisturbed.map(outsideModel)),
    ownCode: of(ownCode),
    outsideModelCompiled: percentiles(compiled.map(outsideModel)),
    outsideModelWarmUp: percentiles(warmUp.map(outsideModel)),
    message: percentiles(await threadMessages(Math.min(turns, 500))),
    jitter: percentiles(machineJitter(turns)),
  };
  return {
    title: `One micro-turn, the model's runs ${where} (${turns} in one session, after ${firstTurns + warmUpTurns})`,
    rows: [
      {
        name: "whole step",
        value: inWords(figures.step),
        note: `p99 is ${(figures.step.p99 / 2).toFixed(0)} % of the 200 ms tick`,
      },
      { name: "  encode", value: inWords(figures.encode, 2) },
      {
        name: "  wait",
        value: inWords(figures.wait, 2),
        note: "for the runtime's thread, and what is done around a run",
      },
      { name: "  model run", value: inWords(figures.model, 2) },
      { name: "  decode", value: inWords(figures.decode, 2) },
      { name: "  session", value: inWords(figures.session, 2) },
      { name: "outside the model", value: inWords(figures.outsideModel, 2), note: "everything but the model run" },
      {
        name: "  our own code",
        value: inWords(figures.ownCode, 2),
        note: "encode, decode and session; the rest is wait",
      },
      {
        name: "  with the machine to itself",
        value: inWords(figures.outsideModelOwn, 2),
        note: `without the ${timings.length - own.length} turns in which the host took processor time from this virtual machine`,
      },
      {
        name: "  beside usual runs",
        value: inWords(figures.outsideModelUndisturbed, 2),
        note: `the ${((100 * undisturbed.length) / turns).toFixed(1)} % of the turns whose model run took at most 1.5 times its median`,
      },
      {
        name: "  the first two minutes",
        value: inWords(figures.outsideModelWarmUp, 2),
        note: `the ${warmUpTurns} turns before those, V8 compiling`,
      },
      {
        name: "  once V8 has compiled",
        value: inWords(figures.outsideModelCompiled, 2),
        note: `${compiled.length} turns after ${firstTurns + compiledTurns}`,
      },
      {
        name: "a message to a thread and back",
        value: inWords(figures.message, 2),
        note: "with nothing in it: what waiting for a worker costs on this machine at least",
      },
      {
        name: "machine jitter (a fixed sum)",
        value: inWords(figures.jitter, 2),
        note: "what this machine adds to any p99 by itself",
      },
    ],
    goals: [
      {
        name: `whole step, ${where}, p99`,
        value: `${figures.step.p99.toFixed(1)} ms`,
        goal: "at most 40 ms, a fifth of the tick",
        held: figures.step.p99 <= 40,
      },
      {
        name: `outside the model, ${where}, p99`,
        value: `${figures.outsideModel.p99.toFixed(2)} ms`,
        goal: `at most 2 ms (here an empty message to a thread has ${figures.message.p99.toFixed(2)}, a fixed sum varies by ${(figures.jitter.p99 - figures.jitter.p50).toFixed(2)})`,
        held: figures.outsideModel.p99 <= 2,
      },
    ],
    figures,
  };
}

/** A micro-turn, and whether the host of this machine took processor time from it. */
interface RanTurn {
  readonly timing: TurnTiming;
  readonly stolen: boolean;
}

async function runTurns(engine: ReturnType<typeof benchEngine>, turns: number): Promise<RanTurn[]> {
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const sound = speechLike((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const ran: RanTurn[] = [];
  const host = new StolenTime();
  session.on("turn-end", ({ turn: { timing } }) => ran.push({ timing, stolen: host.tookSome() }));
  for (let turn = 0; turn < turns; turn++) await session.writeAudio(sound(turn));
  await session.finish();
  return ran;
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
