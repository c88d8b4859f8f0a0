// Many sessions in one process, each with a clock of its own, as on a server: at any moment a few have a micro-turn that is due.

import type { Backend, Engine, EngineSession } from "@microturn/core";
import { type BenchContext, benchEngine } from "./model.js";
import { type BenchRow, type BenchSection, inWords, type Percentiles, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

const budgetMs = 200;
const turnMs = 200;
/** Micro-turns that are not counted: the first runs of each batch allocate. */
const warmUpTurns = 5;
/** Rows are computed in blocks of this many: between two multiples nothing is to be found. */
const rowBlock = 4;

/** Whether a run computes the active rows only, or all. */
type Computes = "active" | "all";

/** Time from the moment a micro-turn is due to its output, in real time, with runs of active rows and runs of all, in turns. */
export async function unalignedSessionsSection(context: BenchContext): Promise<BenchSection> {
  const stretches = context.quick ? 1 : 3;
  const turns = context.quick ? 10 : 20;
  const { maxBatch } = context.backend.capabilities;
  const counts = (context.quick ? [4, 16] : [4, 8, 16, 32, 48, 64]).filter((count) => count <= maxBatch);
  const holds = { active: new Map<number, boolean>(), all: new Map<number, boolean>() };
  const rows: BenchRow[] = [];
  const figures: Record<string, Record<Computes, Percentiles>> = {};
  for (const count of counts) {
    context.say(`${count} sessions, unaligned`);
    const crowds = { active: await Crowd.open(context, "active", count), all: await Crowd.open(context, "all", count) };
    for (let stretch = 0; stretch < stretches; stretch++) {
      await crowds.active.play(turns);
      await crowds.all.play(turns);
    }
    const found = { active: percentiles(crowds.active.latenciesMs), all: percentiles(crowds.all.latenciesMs) };
    await crowds.active.close();
    await crowds.all.close();
    figures[count] = found;
    for (const computes of ["active", "all"] as const) holds[computes].set(count, found[computes].p99 <= budgetMs);
    const ratio = (of: "p50" | "p99") => (found.active[of] / found.all[of]).toFixed(2);
    rows.push(
      {
        name: `${count} sessions`,
        value: inWords(found.active, 0),
        note: `${ratio("p50")} of the p50 and ${ratio("p99")} of the p99 with all rows in every run`,
      },
      { name: "  all rows", value: inWords(found.all, 0) },
    );
    // More sessions than the device has time for are only ever further behind.
    if (!holds.active.get(count) && !holds.all.get(count)) break;
  }
  const held: Partial<Record<Computes, number>> = {};
  for (const computes of ["active", "all"] as const) {
    const known = holds[computes];
    held[computes] = context.quick ? lastOf(known) : await mostThatHold(context, computes, known, stretches * turns);
    rows.push({
      name: computes === "active" ? "held at p99" : "  all rows",
      value: `${held[computes]} sessions`,
      note: held[computes] === counts.at(-1) ? "more were not tried" : "",
    });
  }
  return {
    title: `Sessions with clocks of their own (${stretches * turns} micro-turns each, real time)`,
    rows,
    figures: { ...figures, held },
  };
}

/** The largest count whose p99 stays in a tick, between those that are known, by halving. */
async function mostThatHold(
  context: BenchContext,
  computes: Computes,
  holds: ReadonlyMap<number, boolean>,
  turns: number,
): Promise<number> {
  let most = lastOf(holds);
  let tooMany = [...holds.keys()].find((count) => count > most) ?? most;
  while (tooMany - most > rowBlock) {
    const middle = rowBlock * Math.floor((most + tooMany) / (2 * rowBlock));
    context.say(`${middle} sessions, unaligned`);
    const crowd = await Crowd.open(context, computes, middle);
    await crowd.play(turns);
    await crowd.close();
    if (percentiles(crowd.latenciesMs).p99 <= budgetMs) most = middle;
    else tooMany = middle;
  }
  return most;
}

/** The last count before the first that does not hold. */
function lastOf(holds: ReadonlyMap<number, boolean>): number {
  let most = 0;
  for (const [count, held] of holds) {
    if (!held) break;
    most = count;
  }
  return most;
}

/** Sessions of one engine, whose micro-turns are due at moments spread over the tick. */
class Crowd {
  readonly latenciesMs: number[] = [];
  readonly #sound: (turn: number) => Float32Array;
  #turn = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly sessions: readonly EngineSession[],
  ) {
    const { inputSampleRate, turnDurationMs } = sessions[0].capabilities;
    this.#sound = speechLike((inputSampleRate * turnDurationMs) / 1000);
  }

  static async open(context: BenchContext, computes: Computes, count: number): Promise<Crowd> {
    const backend = computes === "active" ? context.backend : computingAll(context.backend);
    const engine = benchEngine({ ...context, backend }, { maxSessions: count });
    const sessions: EngineSession[] = [];
    for (let i = 0; i < count; i++) sessions.push(await engine.open({ seed: i }));
    const crowd = new Crowd(engine, sessions);
    await crowd.play(warmUpTurns);
    crowd.latenciesMs.length = 0;
    return crowd;
  }

  /** Goes on for some micro-turns in real time. A session that is behind its clock is late for the next one too. */
  async play(turns: number): Promise<void> {
    const first = this.#turn;
    this.#turn += turns;
    const startMs = performance.now();
    await Promise.all(
      this.sessions.map(async (session, i) => {
        const phaseMs = (i * 7919) % turnMs;
        for (let turn = 0; turn < turns; turn++) {
          const dueMs = startMs + phaseMs + turn * turnMs;
          const waitMs = dueMs - performance.now();
          if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
          const index = first + turn;
          // Each session is at another place of its conversation.
          await session.step({ index, turns: 1, audio: this.#sound(index + 7 * i), images: [], text: [] });
          this.latenciesMs.push(performance.now() - dueMs);
        }
      }),
    );
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

/** The same backend, but every run computes all rows. Sessions without work go on as well, which no time depends on. */
function computingAll(backend: Backend): Backend {
  return {
    capabilities: backend.capabilities,
    async load(graph, options) {
      const executable = await backend.load(graph, options);
      return {
        graph,
        createState: (batch) => executable.createState(batch),
        run: (feeds, state) => executable.run(feeds, state),
        dispose: () => executable.dispose(),
      };
    },
    close: () => backend.close(),
  };
}
