// A session over a double, stepped by a check: time stands still between steps, and every step waits until both sides have
// seen what was sent, so that nothing depends on how fast the machine is.

import type { ConnectionOptions } from "@microturn/backend-remote";
import type { Engine, EngineSession, TurnInput, TurnOutput } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import type { ServiceDouble, WireUnderTest } from "./service-double.js";

/** A note of a wire, whatever it says. */
export interface Note {
  readonly type: string;
  readonly [key: string]: unknown;
}

let waitLimitMs = 30_000;

/** Bounds the waits of {@link until}, for tests that wait in vain. */
export function limitWaits(ms: number): void {
  waitLimitMs = ms;
}

/** Waits for something that other processes of this machine bring about. @throws Error when it does not */
export async function until(what: string, condition: () => boolean, limitMs = waitLimitMs): Promise<void> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > limitMs) throw new Error(`${what}: waited ${limitMs} ms in vain`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** An engine over a double, and what it told. */
export class WireBench {
  readonly clock = new FakeClock();
  readonly notes: Note[] = [];
  readonly wire: WireUnderTest;
  readonly double: ServiceDouble;
  readonly engine: Engine;

  constructor(wire: WireUnderTest, double: ServiceDouble, options: ConnectionOptions = {}) {
    this.wire = wire;
    this.double = double;
    const onNote = (note: object) => void this.notes.push(note as Note);
    this.engine = wire.engine(double, { clock: this.clock, onNote, ...options });
  }

  async open(signal?: AbortSignal): Promise<WireSession> {
    return new WireSession(this, await this.engine.open(signal === undefined ? {} : { signal }));
  }

  count(type: string): number {
    return this.notes.filter((note) => note.type === type).length;
  }

  /** Until what the service has sent so far has been taken in by the session. */
  async taken(): Promise<void> {
    const before = this.count("raw");
    this.double.send(this.wire.unknown[0]);
    await until("a message that means nothing is told as raw", () => this.count("raw") > before);
  }
}

/** One session, stepped. */
export class WireSession {
  readonly bench: WireBench;
  readonly session: EngineSession;
  readonly turnSamples: number;
  readonly outputs: TurnOutput[] = [];
  #index = 0;
  #sent = 0;

  constructor(bench: WireBench, session: EngineSession) {
    this.bench = bench;
    this.session = session;
    const { inputSampleRate, turnDurationMs } = session.capabilities;
    this.turnSamples = (inputSampleRate * turnDurationMs) / 1000;
  }

  /** One micro-turn, without waiting for the service. */
  async turn(input: Partial<TurnInput> = {}): Promise<TurnOutput> {
    const audio = input.audio ?? new Float32Array(this.turnSamples);
    const stepping = this.session.step({ index: this.#index++, turns: 1, audio, images: [], text: [], ...input });
    stepping.catch(() => {});
    await this.bench.clock.advance(this.session.capabilities.turnDurationMs);
    const output = await stepping;
    this.outputs.push(output);
    return output;
  }

  /** One micro-turn that has arrived at the service, and whose answers have arrived here. */
  async step(input: Partial<TurnInput> = {}): Promise<TurnOutput> {
    await this.bench.taken();
    const output = await this.turn(input);
    this.#sent += this.turnSamples;
    await until("the service gets the micro-turn", () => this.bench.double.receivedSamples >= this.#sent);
    return output;
  }

  async steps(count: number): Promise<TurnOutput[]> {
    const outputs: TurnOutput[] = [];
    for (let i = 0; i < count; i++) outputs.push(await this.step());
    return outputs;
  }

  /** Micro-turns until a condition holds. @throws Error after `most` */
  async stepUntil(what: string, condition: () => boolean, most = 100): Promise<void> {
    for (let i = 0; i < most; i++) {
      if (condition()) return;
      await this.step();
    }
    if (!condition()) throw new Error(`${what}: not within ${most} micro-turns`);
  }

  /** What was said since output number `from`, without its silence. */
  sound(from = 0): Int16Array {
    return soundOf(this.outputs.slice(from));
  }

  text(from = 0): string {
    return joined(this.outputs.slice(from).map((output) => output.text));
  }

  heard(from = 0): string {
    return joined(this.outputs.slice(from).map((output) => output.heard));
  }
}

/** The samples that are not zero, as 16-bit integers. */
export function soundOf(outputs: readonly TurnOutput[]): Int16Array {
  const samples: number[] = [];
  for (const { speech } of outputs)
    for (const value of speech) if (value !== 0) samples.push(Math.round(value * 32768));
  return Int16Array.from(samples);
}

/**
 * Sound without a zero in it, which tells where a sample was lost or doubled.
 *
 * @param seed - two sounds with different seeds differ everywhere
 */
export function sawtooth(samples: number, seed = 0): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) => 1000 + ((i + 7001 * seed) % 30_011));
}

/** The same, as a micro-turn of the user. */
export function sawtoothTurns(turns: number, turnSamples: number): { audio: Float32Array; pcm: Int16Array }[] {
  const all = sawtooth(turns * turnSamples, 1);
  return Array.from({ length: turns }, (_, turn) => {
    const pcm = all.slice(turn * turnSamples, (turn + 1) * turnSamples);
    return { pcm, audio: Float32Array.from(pcm, (value) => value / 32768) };
  });
}

/** Names the first difference: two lists of a hundred thousand numbers are no message. */
export function difference(got: Int16Array, expected: Int16Array): string {
  const length = Math.min(got.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (got[i] !== expected[i]) return `sample ${i}: got ${got[i]}, expected ${expected[i]}`;
  }
  return got.length === expected.length ? "" : `got ${got.length} samples, expected ${expected.length}`;
}

function joined(words: readonly string[]): string {
  return words.filter((word) => word !== "").join(" ");
}
