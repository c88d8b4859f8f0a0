// One micro-turn, split in stages, as an application gets it: through DuplexSession.

import { DuplexSession, type TurnTiming } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchSection, inWords, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

const warmUpTurns = 20;

/** Percentiles of each stage over a session; the goal is a whole micro-turn within a fifth of the tick. */
export async function turnStagesSection(context: BenchContext): Promise<BenchSection> {
  const turns = context.quick ? 100 : 1_500;
  const engine = benchEngine(context);
  const timings = await runTurns(engine, turns);
  await engine.close();
  const of = (stage: (timing: TurnTiming) => number) => percentiles(timings.map(stage));
  const figures = {
    step: of((timing) => timing.stepMs),
    encode: of((timing) => timing.encodeMs),
    wait: of((timing) => timing.waitMs),
    model: of((timing) => timing.runMs),
    decode: of((timing) => timing.decodeMs),
    session: of((timing) => timing.sessionMs),
    outsideModel: of((timing) => timing.stepMs - timing.runMs),
  };
  return {
    title: `One micro-turn (${turns} in one session)`,
    rows: [
      {
        name: "whole step",
        value: inWords(figures.step),
        note: `p99 is ${(figures.step.p99 / 2).toFixed(0)} % of the 200 ms tick`,
      },
      { name: "  encode", value: inWords(figures.encode, 2) },
      { name: "  wait", value: inWords(figures.wait, 2), note: "for the worker and other sessions" },
      { name: "  model run", value: inWords(figures.model, 2) },
      { name: "  decode", value: inWords(figures.decode, 2) },
      { name: "  session", value: inWords(figures.session, 2) },
      { name: "outside the model", value: inWords(figures.outsideModel, 2), note: "everything but the model run" },
    ],
    figures,
  };
}

async function runTurns(engine: ReturnType<typeof benchEngine>, turns: number): Promise<TurnTiming[]> {
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const sound = speechLike((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const timings: TurnTiming[] = [];
  const reading = (async () => {
    for await (const turn of session) if (turn.index >= warmUpTurns) timings.push(turn.timing);
  })();
  for (let turn = 0; turn < turns + warmUpTurns; turn++) await session.writeAudio(sound(turn));
  await session.finish();
  await reading;
  return timings;
}
