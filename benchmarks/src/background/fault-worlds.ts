// The places where runs are played within one process: a scripted engine on a clock that is moved, so that minutes take a moment,
// and mini in real time.

import { type Clock, type DuplexSession, type Engine, systemClock } from "@microturn/core";
import { FakeClock, type Script, scriptedEngine, settled } from "@microturn/core/testing";
import { delegationHandler, localJobs } from "@microturn/tools/worker";
import { faultModel } from "./fault-model.js";
import type { FaultPlan } from "./fault-plan.js";
import { callsOf, type FaultWorld } from "./fault-run.js";
import { faultTools, type Ledger } from "./fault-tools.js";

const turnSamples = 3200;

/** A world with what it holds. */
export interface OpenWorld extends FaultWorld {
  /** Ends it. @returns what is left that should not be, in words */
  close(): Promise<string | undefined>;
}

/** A scripted engine on a clock that stands still until it is moved. */
export function fakeWorld(plan: FaultPlan, ledger: Ledger): OpenWorld {
  const clock = new FakeClock();
  let speaks = false;
  const engine = scriptedEngine({ script: readingScript(plan.readsFor, () => speaks), clock, keepSteps: false });
  const jobs = localWork(plan, ledger, clock);
  const settledInTime = async <Result>(work: Promise<Result>): Promise<Result> => {
    let over = false;
    const end = work.finally(() => {
      over = true;
    });
    end.catch(() => {});
    while (!over) {
      for (let round = 0; !over && round < 10; round++) await settled();
      if (!over) await clock.advance(50);
    }
    return end;
  };
  return {
    ...{ clock, engine, jobs, ledger, maxTurns: 1500, pace: "realtime" },
    async turn(session, isSpoken) {
      speaks = isSpoken;
      await clock.advance(200);
      session.writeAudio(new Float32Array(turnSamples)).catch(() => {});
      await clock.advance(0);
      for (let round = 0; round < 3; round++) await settled();
    },
    away: (turns) => clock.advance(200 * turns),
    settled: settledInTime,
    async close() {
      await settledInTime(jobs.close());
      // A tool that was left behind holds its place for a second.
      await clock.advance(2000);
      return clock.pending === 0 ? undefined : `${clock.pending} timers are left`;
    },
  };
}

/** An engine that reads text, in real time, as fast as it goes but for `turnMs`. */
export function realWorld(
  options: Pick<FaultWorld, "engine" | "jobs" | "ledger" | "maxTurns"> & {
    readonly turnMs: number;
    /** The sound of a micro-turn in which the user speaks; default silence. */
    readonly voice?: (turn: number) => Float32Array;
    readonly onTurn?: (speaks: boolean) => void;
  },
): OpenWorld {
  const { turnMs, voice, onTurn, ...rest } = options;
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return {
    ...{ clock: systemClock, pace: "as-fast-as-input", ...rest },
    async turn(session, speaks) {
      const next = sleep(turnMs);
      onTurn?.(speaks);
      const sound = speaks ? voice?.(session.turnIndex) : undefined;
      await oneTurn(session, sound ?? new Float32Array(turnSamples));
      await next;
    },
    away: (turns) => sleep(turnMs * turns),
    settled: (work) => work,
    close: async () => undefined,
  };
}

/** Writes a micro-turn and waits for its record, for at most half a minute. */
function oneTurn(session: DuplexSession, sound: Float32Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const stop of stops) stop();
      resolve();
    };
    const timer = setTimeout(done, 30_000);
    const stops = [session.on("turn-end", done), session.on("session-end", done)];
    session.writeAudio(sound).catch(done);
  });
}

/** The work of a plan in this process. */
export function localWork(plan: FaultPlan, ledger: Ledger, clock: Clock) {
  const calls = callsOf(plan);
  const delegations = new Map([...plan.delegations, plan.last].map((one) => [one.id, one]));
  const handler = delegationHandler({
    clock,
    stallMs: plan.limits.stallMs,
    model: faultModel({ clock, find: (id) => ({ delegation: known(delegations, id), partMs: plan.partMs }) }),
    tools: faultTools({ clock, find: (subject) => ({ call: known(calls, subject), ledger }) }, plan.limits),
  });
  return localJobs(handler, { clock, retryDelayMs: plan.limits.retryMs });
}

/** What a map has under a name. @throws Error if there is nothing */
export function known<Value>(map: ReadonlyMap<string, Value>, name: string): Value {
  const found = map.get(name);
  if (found === undefined) throw new Error(`nothing is planned for ${name}`);
  return found;
}

/** Speaks for some micro-turns when something enters that is to be spoken about; stops when the user speaks. */
export function readingScript(readsFor: number, speaks: () => boolean): Script {
  return ({ text }, memory) => {
    if (speaks()) {
      const spoke = Number(memory.left ?? 0) > 0;
      memory.left = 0;
      return { heard: "word", yielded: spoke };
    }
    if (text.some(({ source, silent }) => source === "background" && silent !== true)) memory.left = readsFor;
    const left = Number(memory.left ?? 0);
    memory.left = Math.max(0, left - 1);
    return left > 0 ? { decision: "speak", speech: 0.1, text: "word" } : {};
  };
}

/** An engine for real worlds without a model. */
export function readingEngine(readsFor: number): { readonly engine: Engine; onTurn(speaks: boolean): void } {
  let speaking = false;
  return {
    engine: scriptedEngine({ script: readingScript(readsFor, () => speaking), keepSteps: false }),
    onTurn: (speaks) => {
      speaking = speaks;
    },
  };
}
