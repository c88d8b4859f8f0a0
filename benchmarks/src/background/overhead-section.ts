// What the background costs the conversation: micro-turns while it has much to do against micro-turns while it has nothing to do, in
// one session, in turns. The user speaks all the time, so that in both the model does the same: it listens, and no result enters.

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { DuplexSession, type TurnTiming } from "@microturn/core";
import { type BenchContext, benchEngine } from "../model.js";
import { type BenchSection, inWords, type Percentiles, percentiles } from "../report.js";
import { StolenTime } from "../stolen-time.js";
import { type BackgroundLoad, BusyBackground } from "./busy-background.js";
import { delegatingEngine } from "./delegating-engine.js";
import { utterances } from "./simulated-talk.js";

const turnMs = 200;
const turnSamples = 3200;
/** After a change of blocks, until what was under way is over, or is under way. */
const settlingTurns = 15;
/** How finely the delays of the event loop are measured, ms. */
const resolutionMs = 2;

/**
 * What happens in a block: the background has nothing to do, or much, while the user speaks; or he is silent and hears what the
 * application delivers by itself, or what the background answers.
 */
type BlockKind = "idle" | "busy" | "reading" | "answering";

/** What was seen in the blocks of one kind. */
interface Blocks {
  readonly timings: TurnTiming[][];
  /** One for each block: a single one would count the time between two blocks as a delay. */
  readonly loops: IntervalHistogram[];
  readonly load: BackgroundLoad[];
  /** Processor time of all threads, ms. */
  cpuMs: number;
  turns: number;
  late: number;
  /** Of micro-turns from which the host of a virtual machine took processor time away: they are in no other list. */
  readonly disturbed: TurnTiming[];
  entered: number;
}

/** A busy background beside an idle one. */
export async function overheadSection(context: BenchContext): Promise<BenchSection> {
  const bench = await OverheadBench.open(context);
  try {
    return await bench.section();
  } finally {
    await bench.close();
  }
}

class OverheadBench {
  readonly #context: BenchContext;
  readonly #engine: ReturnType<typeof benchEngine>;
  readonly #session: DuplexSession;
  readonly #busy: BusyBackground;
  readonly #voice: (turn: number) => Float32Array;
  readonly #blocks: Readonly<Record<BlockKind, Blocks>> = {
    ...{ idle: noBlocks(), busy: noBlocks(), reading: noBlocks(), answering: noBlocks() },
  };
  #measured: BlockKind | undefined;
  #turns = 0;
  readonly #stolen = new StolenTime();

  private constructor(
    context: BenchContext,
    parts: {
      readonly engine: ReturnType<typeof benchEngine>;
      readonly session: DuplexSession;
      readonly busy: BusyBackground;
      readonly voice: (turn: number) => Float32Array;
    },
  ) {
    this.#context = context;
    this.#engine = parts.engine;
    this.#session = parts.session;
    this.#busy = parts.busy;
    this.#voice = parts.voice;
  }

  static async open(context: BenchContext): Promise<OverheadBench> {
    const voice = await ceaselessVoice();
    const engine = benchEngine(context);
    const busy = new BusyBackground();
    const session = await DuplexSession.open({
      ...{ engine: delegatingEngine(engine, busy.next), background: busy.background },
    });
    const bench = new OverheadBench(context, { engine, session, busy, voice });
    busy.watch(session);
    session.on("turn-end", ({ turn }) => {
      const kind = bench.#measured;
      if (kind === undefined) return;
      const blocks = bench.#blocks[kind];
      blocks.turns++;
      blocks.entered += turn.input.deliveries.length;
      if (turn.timing.late) blocks.late++;
      blocks.load.push({ ...busy.load });
      const isDisturbed = bench.#stolen.tookSome();
      // What is skipped was no step of its own. Reading out costs by itself: it is compared with reading out.
      const isCompared = kind === "idle" || kind === "busy" || turn.output.decision === "speak";
      if (turn.output.skipped || !isCompared) return;
      if (isDisturbed) blocks.disturbed.push(turn.timing);
      else blocks.timings.at(-1)?.push(turn.timing);
    });
    return bench;
  }

  async close(): Promise<void> {
    await this.#session.close();
    await this.#busy.background.close();
    await this.#engine.close();
  }

  async section(): Promise<BenchSection> {
    const { quick, say } = this.#context;
    // Short: what else the machine does changes within minutes, and is to fall on both alike.
    const blockTurns = quick ? 25 : 50;
    const silent = quick ? 1 : 4;
    const order: BlockKind[] = [
      ...Array.from({ length: quick ? 1 : 10 }, () => ["idle", "busy", "busy", "idle"] as const).flat(),
      ...Array.from({ length: silent }, () => ["reading", "answering", "answering", "reading"] as const).flat(),
    ];
    // V8 compiles both ways first.
    for (const kind of ["busy", "answering", "busy", "idle"] as const) await this.#block(kind, quick ? 10 : 75, false);
    for (const [index, kind] of order.entries()) {
      say(`block ${index + 1} of ${order.length}: ${kind}`);
      await this.#block(kind, blockTurns, true);
    }
    return this.#report(blockTurns);
  }

  async #block(kind: BlockKind, turns: number, isMeasured: boolean): Promise<void> {
    const speaks = kind === "idle" || kind === "busy";
    const works = kind === "busy" || kind === "answering";
    if (works) this.#busy.start();
    await this.#pass(settlingTurns, speaks, kind === "reading");
    const delays = monitorEventLoopDelay({ resolution: resolutionMs });
    if (isMeasured) {
      this.#measured = kind;
      this.#blocks[kind].timings.push([]);
      this.#stolen.tookSome();
      delays.enable();
    }
    const before = process.cpuUsage();
    await this.#pass(turns, speaks, kind === "reading");
    const { user, system } = process.cpuUsage(before);
    if (isMeasured) this.#blocks[kind].cpuMs += (user + system) / 1000;
    this.#measured = undefined;
    delays.disable();
    if (isMeasured) this.#blocks[kind].loops.push(delays);
    if (!works) return;
    await this.#busy.stop();
    await this.#pass(settlingTurns, speaks, false);
  }

  async #pass(turns: number, speaks: boolean, delivers: boolean): Promise<void> {
    const silence = new Float32Array(turnSamples);
    let waits = false;
    for (let i = 0; i < turns; i++) {
      if (delivers && !waits) {
        waits = true;
        void this.#session.deliver("Looking at what is known, one place after the next for you.").then(() => {
          waits = false;
        });
      }
      await this.#session.writeAudio(speaks ? this.#voice(this.#turns) : silence);
      this.#turns++;
    }
  }

  #report(blockTurns: number): BenchSection {
    const { idle, busy, reading, answering } = this.#blocks;
    const step = (blocks: Blocks) => times(blocks.timings.flat(), ({ stepMs }) => stepMs);
    const outside = (blocks: Blocks) => times(blocks.timings.flat(), ({ sessionMs }) => sessionMs);
    const all = (blocks: Blocks) => times([...blocks.timings.flat(), ...blocks.disturbed], ({ stepMs }) => stepMs);
    const difference = step(busy).p99 - step(idle).p99;
    const alike = halves(idle.timings).map((timings) => times(timings, ({ stepMs }) => stepMs));
    const noise = Math.abs((alike[0]?.p99 ?? Number.NaN) - (alike[1]?.p99 ?? Number.NaN));
    const underWay = meanLoad(busy.load);
    const said = step(answering).p99 - step(reading).p99;
    const secondsBusy = (busy.turns * turnMs) / 1000;
    const cpu = (blocks: Blocks) => blocks.cpuMs / Math.max(1, blocks.turns);
    const count = (of: (load: BackgroundLoad) => number) => countIn(busy.load, blockTurns, of) / secondsBusy;
    const figures = {
      idle: {
        step: step(idle),
        all: all(idle),
        disturbed: idle.disturbed.length,
        outside: outside(idle),
        loop: loopOf(idle.loops),
        late: idle.late,
        cpuMs: cpu(idle),
      },
      busy: {
        step: step(busy),
        all: all(busy),
        disturbed: busy.disturbed.length,
        outside: outside(busy),
        loop: loopOf(busy.loops),
        late: busy.late,
        cpuMs: cpu(busy),
      },
      differenceP99Ms: difference,
      idleAgainstIdleP99Ms: noise,
      reading: step(reading),
      answering: step(answering),
      underWay,
      callsPerSecond: count(({ callsDone }) => callsDone),
      wordsPerSecond: count(({ words }) => words),
      enteredWhileBusy: busy.entered,
    };
    const loop = (blocks: Blocks) => {
      const { p50, p99, max } = loopOf(blocks.loops);
      return `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, longest ${max.toFixed(1)} ms`;
    };
    return {
      title: `Micro-turns beside a busy background (${busy.turns} busy, ${idle.turns} idle, blocks of ${blockTurns} in turns, ${this.#context.modelName})`,
      rows: [
        {
          name: "under way while busy",
          value: `${underWay.calls.toFixed(1)} calls, ${underWay.streams.toFixed(1)} streams`,
          note: `in the mean; ${figures.callsPerSecond.toFixed(1)} calls finished and ${figures.wordsPerSecond.toFixed(0)} words told a second; ${busy.entered} results entered`,
        },
        { name: "whole step, idle", value: inWords(step(idle), 2), note: `${idle.late} late` },
        { name: "whole step, busy", value: inWords(step(busy), 2), note: `${busy.late} late` },
        {
          name: "with those left out, p99",
          value: `${all(idle).p99.toFixed(2)} ms idle, ${all(busy).p99.toFixed(2)} ms busy`,
          note: `in this table ${idle.disturbed.length} idle and ${busy.disturbed.length} busy are left out, in whose ${turnMs} ms the host took processor time from this virtual machine`,
        },
        { name: "outside the engine, idle", value: inWords(outside(idle), 2) },
        { name: "outside the engine, busy", value: inWords(outside(busy), 2) },
        { name: "event loop late, idle", value: loop(idle), note: `timers of ${resolutionMs} ms` },
        { name: "event loop late, busy", value: loop(busy) },
        {
          name: "processor time of a micro-turn",
          value: `${cpu(idle).toFixed(1)} ms idle, ${cpu(busy).toFixed(1)} ms busy`,
          note: "of all threads of the process, the model's among them",
        },
        {
          name: "idle against idle, p99",
          value: `${noise.toFixed(2)} ms`,
          note: "what two halves of the idle micro-turns differ by, by chance",
        },
        {
          name: "while results are read out",
          value: `p99 ${signed(said)} ms`,
          note: `answers of the background (${inWords(step(answering))}) against texts of the application (${inWords(step(reading))})`,
        },
      ],
      goals: [
        {
          name: "a micro-turn with 8 calls of the background under way, p99",
          value: `${signed(difference)} ms against idle`,
          goal: `at most 2 ms more (here idle differs from idle by ${noise.toFixed(2)})`,
          held: difference <= 2,
        },
      ],
      figures,
    };
  }
}

function noBlocks(): Blocks {
  return { timings: [], loops: [], load: [], cpuMs: 0, turns: 0, disturbed: [], late: 0, entered: 0 };
}

function times(timings: readonly TurnTiming[], of: (timing: TurnTiming) => number): Percentiles {
  return percentiles(timings.length === 0 ? [Number.NaN] : timings.map(of));
}

/** Every other block, and the rest. */
function halves(blocks: readonly TurnTiming[][]): readonly TurnTiming[][] {
  return [0, 1].map((parity) => blocks.filter((_, index) => index % 2 === parity).flat());
}

function meanLoad(samples: readonly BackgroundLoad[]) {
  const mean = (of: (load: BackgroundLoad) => number) =>
    samples.reduce((sum, load) => sum + of(load), 0) / Math.max(1, samples.length);
  return { calls: mean(({ calls }) => calls), streams: mean(({ streams }) => streams) };
}

/** How much a counter has risen within the blocks. */
function countIn(samples: readonly BackgroundLoad[], blockTurns: number, of: (load: BackgroundLoad) => number): number {
  let sum = 0;
  for (let first = 0; first < samples.length; first += blockTurns) {
    const last = Math.min(samples.length, first + blockTurns) - 1;
    sum += of(samples[last] as BackgroundLoad) - of(samples[first] as BackgroundLoad);
  }
  return sum;
}

/** The median of what the blocks had, and the longest of all, ms. */
function loopOf(loops: readonly IntervalHistogram[]) {
  const median = (of: (loop: IntervalHistogram) => number) => percentiles(loops.map((loop) => of(loop) / 1e6)).p50;
  return {
    p50: median((loop) => loop.percentile(50)),
    p95: median((loop) => loop.percentile(95)),
    p99: median((loop) => loop.percentile(99)),
    max: Math.max(...loops.map(({ max }) => max / 1e6)),
  };
}

function signed(ms: number): string {
  return `${ms < 0 ? "" : "+"}${ms.toFixed(2)}`;
}

/** Somebody who says one thing after the other without a pause. */
async function ceaselessVoice(): Promise<(turn: number) => Float32Array> {
  const words = await utterances();
  const sound = new Float32Array(words.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of words) {
    sound.set(one, at);
    at += one.length;
  }
  const turns = Math.floor(sound.length / turnSamples);
  return (turn) => sound.subarray((turn % turns) * turnSamples, ((turn % turns) + 1) * turnSamples);
}
