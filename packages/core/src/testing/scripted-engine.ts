// An engine without a model: a script decides what each micro-turn gives. It keeps the contract of engine.ts.

import type {
  Delegation,
  Engine,
  EngineCapabilities,
  EngineLoadOptions,
  EngineOpenOptions,
  EngineSession,
  EngineSnapshot,
  TurnInput,
  TurnOutput,
  UnsaidText,
} from "../engine.js";
import { DuplexError } from "../errors.js";
import { checkTurnInput } from "../session/check-turn-input.js";
import type { Clock } from "../session/clock.js";

/** What a script says in one micro-turn; what it leaves out is silence. */
export interface ScriptedTurn {
  readonly decision?: "listen" | "speak";
  readonly yielded?: boolean;
  /** PCM of one micro-turn, or the amplitude of a tone. */
  readonly speech?: Float32Array | number;
  readonly text?: string;
  readonly heard?: string;
  readonly unsaid?: readonly UnsaidText[];
  readonly delegation?: Delegation;
  readonly cancelled?: readonly string[];
}

/** Decides one micro-turn. `memory` belongs to the session, starts as `{}`, and is what a snapshot copies. */
export type Script = (input: TurnInput, memory: Record<string, unknown>) => ScriptedTurn;

/** Options of {@link scriptedEngine}. */
export interface ScriptedEngineOptions {
  /** Default {@link politeScript}. */
  readonly script?: Script;
  /** What differs from the capabilities of our own models. */
  readonly capabilities?: Partial<EngineCapabilities>;
  /** How long a step takes by `clock`, ms; default no time at all. */
  readonly stepMs?: number | ((input: TurnInput) => number);
  /** How long a load takes by `clock`, ms; default no time at all. */
  readonly loadMs?: number;
  /** How long a snapshot takes by `clock`, ms; default no time at all. */
  readonly snapshotMs?: number;
  /** How long a restore takes by `clock`, ms; default no time at all. */
  readonly restoreMs?: number;
  /** Keeps every step in `steps`; default true. A test of hours turns it off. */
  readonly keepSteps?: boolean;
  readonly clock?: Clock;
}

/** An engine whose sessions follow a script; with a number of what happened to it. */
export interface ScriptedEngine extends Engine {
  /** Every step so far, of all sessions, in order. */
  readonly steps: readonly TurnInput[];
  /** Sessions open now. */
  readonly openSessions: number;
}

/** Makes a test double of an engine. */
export function scriptedEngine(options: ScriptedEngineOptions = {}): ScriptedEngine {
  const {
    script = politeScript(),
    stepMs = 0,
    loadMs = 0,
    snapshotMs = 0,
    restoreMs = 0,
    keepSteps = true,
    clock,
  } = options;
  const capabilities: EngineCapabilities = {
    turnDurationMs: 200,
    inputSampleRate: 16_000,
    outputSampleRate: 16_000,
    inputs: ["audio", "video", "text"],
    outputs: ["audio", "text", "heard"],
    saysText: false,
    hearsText: false,
    decisions: true,
    delegation: true,
    snapshots: true,
    deterministic: true,
    truncates: false,
    maxSessions: 8,
    identity: { model: "scripted", backend: "none" },
    ...options.capabilities,
  };
  const steps: TurnInput[] = [];
  const open = new Set<ScriptedSession>();
  let closed = false;

  const wait = (ms: number) =>
    ms > 0 && clock !== undefined
      ? new Promise<void>((resolve) => clock.setTimer(resolve, clock.now() + ms))
      : Promise.resolve();

  return {
    steps,
    get openSessions() {
      return open.size;
    },
    async load({ signal }: EngineLoadOptions = {}) {
      if (closed) throw new DuplexError("SESSION_CLOSED", "load: the engine is closed");
      if (signal?.aborted) throw new DuplexError("ABORTED", "load: its signal was aborted", { cause: signal.reason });
      await wait(loadMs);
      return capabilities;
    },
    async open(openOptions: EngineOpenOptions = {}) {
      await this.load(openOptions);
      if (open.size >= capabilities.maxSessions) {
        throw new DuplexError(
          "UNSUPPORTED",
          `open: expected at most ${capabilities.maxSessions} sessions; close one, or raise maxSessions`,
        );
      }
      const session = new ScriptedSession(capabilities, script, openOptions.seed ?? 0, {
        step: (input) => {
          if (keepSteps) steps.push(input);
          return wait(typeof stepMs === "function" ? stepMs(input) : stepMs);
        },
        snapshot: () => wait(snapshotMs),
        restore: () => wait(restoreMs),
        closed: () => open.delete(session),
      });
      open.add(session);
      return session;
    },
    async close() {
      closed = true;
      for (const session of open) await session.close();
    },
  };
}

interface Hooks {
  /** What comes before each of these is done. */
  readonly step: (input: TurnInput) => Promise<void>;
  readonly snapshot: () => Promise<void>;
  readonly restore: () => Promise<void>;
  readonly closed: () => void;
}

class ScriptedSession implements EngineSession {
  readonly capabilities: EngineCapabilities;
  readonly #script: Script;
  #seed: number;
  readonly #hooks: Hooks;
  #memory: Record<string, unknown> = {};
  #sample = 0;
  #busy = "";
  #closed = false;

  constructor(capabilities: EngineCapabilities, script: Script, seed: number, hooks: Hooks) {
    this.capabilities = capabilities;
    this.#script = script;
    this.#seed = seed;
    this.#hooks = hooks;
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    this.#requireOpen("step");
    checkTurnInput(input, this.capabilities);
    await this.#alone("step", this.#hooks.step(input));
    this.#requireOpen("step");
    const { turnDurationMs, outputSampleRate } = this.capabilities;
    const samples = Math.round((outputSampleRate * turnDurationMs) / 1000);
    const turn = this.#script(input, this.#memory);
    this.#sample += (input.turns - 1) * samples;
    const speech = typeof turn.speech === "object" ? turn.speech.slice() : this.#tone(turn.speech ?? 0, samples);
    this.#sample += samples;
    return {
      decision: turn.decision ?? (turn.speech === undefined ? "listen" : "speak"),
      yielded: turn.yielded ?? false,
      speech,
      text: turn.text ?? "",
      heard: turn.heard ?? "",
      ...(turn.unsaid === undefined ? {} : { unsaid: turn.unsaid }),
      ...(turn.delegation === undefined ? {} : { delegation: turn.delegation }),
      ...(turn.cancelled === undefined ? {} : { cancelled: turn.cancelled }),
      timing: { encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0 },
    };
  }

  async snapshot(): Promise<EngineSnapshot> {
    this.#requireOpen("snapshot");
    const data = structuredClone({ memory: this.#memory, sample: this.#sample, seed: this.#seed });
    await this.#alone("snapshot", this.#hooks.snapshot());
    return { engine: "scripted", data };
  }

  async restore(snapshot: EngineSnapshot): Promise<void> {
    this.#requireOpen("restore");
    if (snapshot.engine !== "scripted") {
      throw new DuplexError(
        "UNSUPPORTED",
        `restore: expected a snapshot of this engine, got one of "${snapshot.engine}"`,
      );
    }
    await this.#alone("restore", this.#hooks.restore());
    const { memory, sample, seed } = structuredClone(snapshot.data) as {
      memory: Record<string, unknown>;
      sample: number;
      seed: number;
    };
    this.#memory = memory;
    this.#sample = sample;
    this.#seed = seed;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#hooks.closed();
  }

  /** A tone whose pitch tells the seed and whose phase runs on. */
  #tone(amplitude: number, samples: number): Float32Array {
    if (amplitude === 0) return new Float32Array(samples);
    const pitch = 200 + (this.#seed % 100);
    const cycle = (2 * Math.PI * pitch) / this.capabilities.outputSampleRate;
    return Float32Array.from({ length: samples }, (_, i) => amplitude * Math.sin(cycle * (this.#sample + i + 1)));
  }

  /** Two calls at once would break the contract: the caller is told. */
  async #alone(operation: string, work: Promise<void>): Promise<void> {
    if (this.#busy !== "") throw new TypeError(`${operation}: a ${this.#busy} is under way; await it first`);
    this.#busy = operation;
    await work;
    this.#busy = "";
  }

  #requireOpen(operation: string): void {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", `${operation}: the session is closed; open another`);
  }
}

/**
 * A script that behaves: it waits until the user has been quiet for `afterTurns`, then answers in `words`, one per
 * micro-turn, and gives up the floor as soon as the user speaks into it.
 */
export function politeScript({
  words = ["i", "heard", "you"],
  afterTurns = 2,
  threshold = 0.02,
}: {
  readonly words?: readonly string[];
  readonly afterTurns?: number;
  /** Root mean square from which a micro-turn counts as speech. */
  readonly threshold?: number;
} = {}): Script {
  return (input, memory) => {
    const voice = rms(input.audio.subarray((input.audio.length / input.turns) * (input.turns - 1))) > threshold;
    const said = Number(memory.said ?? 0);
    const speaking = memory.speaking === true;
    if (voice) {
      memory.quiet = 0;
      memory.asked = true;
      memory.speaking = false;
      memory.said = 0;
      return speaking ? { yielded: true, heard: "word" } : { heard: "word" };
    }
    const quiet = Number(memory.quiet ?? 0) + input.turns;
    memory.quiet = quiet;
    if (input.forceListen === true) {
      memory.speaking = false;
      memory.asked = false;
      return speaking ? { yielded: true } : {};
    }
    if (!speaking && !(memory.asked === true && quiet >= afterTurns)) return {};
    memory.speaking = said + 1 < words.length;
    memory.said = said + 1 < words.length ? said + 1 : 0;
    memory.asked = false;
    return { decision: "speak", speech: 0.1, text: words[said] };
  };
}

function rms(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return Math.sqrt(sum / samples.length);
}
