// `microturn doctor`: what works on this machine, how to get what does not, whether the model is whole, and how fast it is.

import { type ProviderReport, probeProviders } from "@microturn/backend-node";
import { DuplexError, type Engine } from "@microturn/core";
import type { DoctorOptions } from "../command/command-line.js";
import { type EngineChoice, type OpenedEngine, openEngine } from "../engine.js";
import { exitCodes, failureText } from "../failure.js";
import { type Ink, type Io, inkFor } from "../io.js";
import { ProgressLine } from "../progress.js";
import { printable } from "../run/turn-lines.js";
import { percentile } from "../summary/summary.js";
import { version } from "../version.js";

/** What the doctor examines with; tests pass their own. */
export interface Instruments {
  readonly probe: (signal: AbortSignal) => Promise<readonly ProviderReport[]>;
  readonly open: (choice: EngineChoice) => Promise<OpenedEngine>;
  readonly nodeVersion: string;
  /** A monotonic clock, ms. */
  readonly now: () => number;
}

const ownInstruments: Instruments = {
  probe: (signal) => probeProviders({ signal }),
  open: openEngine,
  nodeVersion: process.versions.node,
  now: () => performance.now(),
};

/** Oldest Node that the packages say they run on. */
const oldestNode = [20, 11] as const;
const speedTurns = 40;

/**
 * Examines the machine and prints what it finds.
 *
 * @returns 0 if a conversation in real time is possible here, else 1
 * @throws DuplexError `ABORTED` when it is stopped
 */
export async function runDoctor(options: DoctorOptions, io: Io, instruments = ownInstruments): Promise<number> {
  const ink = inkFor(io.stdout);
  const print = (line: string) => io.stdout.write(`${line}\n`);
  const { nodeVersion } = instruments;

  print(ink.bold("System"));
  print(
    mark(
      ink,
      isNewEnough(nodeVersion),
      `Node ${nodeVersion}${isNewEnough(nodeVersion) ? "" : `; at least ${oldestNode.join(".")} is needed`}`,
    ),
  );
  print(`    microturn ${version()}, ${process.platform}-${process.arch}`);

  print(ink.bold("\nExecution providers"));
  const reports = await instruments.probe(io.stop);
  for (const { provider, works, device, reason, fix } of reports) {
    print(mark(ink, works, `${provider.padEnd(7)} ${works ? device : reason}`));
    if (fix !== "") print(ink.dim(`            to get it, ${fix}`));
  }
  const working = reports.filter((report) => report.works).map((report) => report.provider);

  print(ink.bold("\nModel and speed"));
  const keepTime: string[] = [];
  if (working.length === 0) print(mark(ink, false, "not tried: no execution provider works"));
  for (const provider of working) {
    const { lines, good } = await examine({ ...options, providers: [provider] }, io, ink, instruments);
    lines.forEach(print);
    if (good) keepTime.push(provider);
  }
  // One provider that keeps time is enough; the command line takes the CPU unless told otherwise.
  const usable = isNewEnough(nodeVersion) && keepTime.length > 0;
  const choice = keepTime.includes("cpu") ? "" : ` --providers ${keepTime[0]}`;
  print(
    `\n${usable ? `Ready: microturn run input.wav --out reply.wav --trace session.html${choice}` : ink.bad("Not ready: see above.")}`,
  );
  return usable ? exitCodes.done : exitCodes.failed;
}

async function examine(
  choice: EngineChoice & DoctorOptions,
  io: Io,
  ink: Ink,
  { open, now }: Instruments,
): Promise<{ lines: string[]; good: boolean }> {
  const provider = choice.providers[0];
  const progress = new ProgressLine(io.stderr);
  let opened: OpenedEngine | undefined;
  try {
    opened = await open(choice);
    const { identity, turnDurationMs } = await opened.engine.load({
      signal: io.stop,
      onProgress: (step) => progress.update(step),
    });
    progress.clear();
    const files = Object.keys(identity?.files ?? {}).length;
    const model = `${printable(identity?.model ?? "the model")}${files > 0 ? `, ${files} files with the right hashes` : ""}`;
    const times = await timeSteps(opened.engine, now, io.stop);
    const p99 = percentile(times, 0.99);
    const keepsTime = p99 <= turnDurationMs;
    const headroom = turnDurationMs / percentile(times, 0.5);
    const speed =
      `${provider.padEnd(7)} one micro-turn p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms of ${turnDurationMs} ms: ` +
      (keepsTime ? `keeps time, ${headroom.toFixed(1)} x as fast as real time` : "too slow for a live conversation");
    return { lines: [mark(ink, true, `${provider.padEnd(7)} ${model}`), mark(ink, keepsTime, speed)], good: keepsTime };
  } catch (error) {
    progress.clear();
    if (io.stop.aborted) throw error;
    const text = failureText(error, choice.verbose).replace(/^microturn: /, "");
    return { lines: [mark(ink, false, `${provider.padEnd(7)} ${text}`)], good: false };
  } finally {
    await opened?.close();
  }
}

/** Wall time of steps over quiet noise, ms, without the first few. */
async function timeSteps(engine: Engine, now: () => number, stop: AbortSignal): Promise<number[]> {
  const session = await engine.open();
  const samples = Math.round((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
  const times: number[] = [];
  for (let index = 0; index < speedTurns + 5; index++) {
    const audio = Float32Array.from(
      { length: samples },
      (_, i) => (((i * 7919 + index * 104729) % 2003) / 2003 - 0.5) * 0.02,
    );
    if (stop.aborted) throw new DuplexError("ABORTED", "doctor: stopped", { cause: stop.reason });
    const started = now();
    await session.step({ index, turns: 1, audio, images: [], text: [] });
    if (index >= 5) times.push(now() - started);
  }
  await session.close();
  return times;
}

function mark(ink: Ink, good: boolean, text: string): string {
  return `  ${good ? "✓" : ink.bad("✗")} ${text}`;
}

function isNewEnough(nodeVersion: string): boolean {
  const [major, minor] = nodeVersion.split(".").map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}
