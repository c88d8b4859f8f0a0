// For tests: sessions over a scripted engine on a fake clock, and jobs that do what a test says.

import {
  type Background,
  type BackgroundActivity,
  type Delegation,
  DuplexSession,
  type DuplexSessionOptions,
  type EngineCapabilities,
  type SessionEvent,
  type TextInput,
} from "@microturn/core";
import { FakeClock, type Script, scriptedEngine } from "@microturn/core/testing";
import { onTestFinished } from "vitest";
import { type BackgroundModel, type BackgroundModelOptions, backgroundModel } from "../background-model.js";
import type { Job, JobHandler, JobQueue, JobRun } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import { othersTurn } from "../waiting.js";
import type { Undelivered } from "./conversation.js";

/** A text that entered, and the micro-turn in which it did. */
export interface EnteredText extends TextInput {
  readonly turn: number;
  /** By the clock of the test. */
  readonly wallMs: number;
}

/** What a test does with a session. */
export interface ScriptedSession {
  readonly session: DuplexSession;
  /** What entered, in order; a rewind takes back what entered after its border. */
  readonly entered: readonly EnteredText[];
  readonly told: readonly BackgroundActivity[];
  /** Lets micro-turns pass in which the user says `heard`, if anything. */
  turns(count: number, heard?: string): Promise<void>;
  /** Lets micro-turns and a moment of real time each pass, which long work takes, until a condition holds, but not more than `most`. */
  until(condition: () => boolean, most: number, heard?: string): Promise<void>;
  /** Lets one micro-turn pass in which the model delegates. */
  delegate(delegation: Delegation): Promise<void>;
  /** Lets one micro-turn pass in which the model takes a delegation back. */
  callOff(delegation: string): Promise<void>;
}

/** Opens a session. Its model says nothing by itself; it reads what enters, and speaks for `speaks` micro-turns then. */
export async function openScripted(
  background: Background,
  clock: FakeClock,
  options: Partial<Omit<DuplexSessionOptions, "engine" | "clock">> & {
    readonly capabilities?: Partial<EngineCapabilities>;
    readonly speaks?: number;
    /** The sound of the next micro-turn; default silence. */
    readonly sound?: () => Float32Array;
  } = {},
): Promise<ScriptedSession> {
  const { capabilities = {}, speaks = 0, sound = () => new Float32Array(3200), ...rest } = options;
  let next: { readonly heard?: string; readonly delegation?: Delegation; readonly cancelled?: readonly string[] } = {};
  const entered: EnteredText[] = [];
  const told: BackgroundActivity[] = [];
  const script: Script = ({ text }, memory) => {
    const heard = next.heard ?? "";
    const told = text.findLast(({ source, silent }) => source === "background" && silent !== true);
    // Who is broken in on does not say the rest, and says what that is.
    const rest = heard === "" ? 0 : Number(memory.left ?? 0);
    if (heard !== "") memory.left = 0;
    else if (told !== undefined) Object.assign(memory, { left: speaks, delivery: told.delivery, text: told.text });
    const left = Number(memory.left ?? 0);
    const words = String(memory.text ?? "").split(" ");
    const unsaid = words.slice(words.length - Math.ceil((words.length * rest) / Math.max(1, speaks))).join(" ");
    memory.left = Math.max(0, left - 1);
    const spoken = left > 0 ? { decision: "speak" as const, speech: 0.1, text: "word" } : {};
    const brokenOff = rest > 0 ? { yielded: true, unsaid: [{ delivery: Number(memory.delivery), words: unsaid }] } : {};
    return {
      ...spoken,
      ...brokenOff,
      heard,
      ...(next.delegation === undefined ? {} : { delegation: next.delegation }),
      ...(next.cancelled === undefined ? {} : { cancelled: next.cancelled }),
    };
  };
  const engine = scriptedEngine({ script, capabilities, clock, keepSteps: false });
  const session = await DuplexSession.open({ engine, background, clock, ...rest });
  const calls = ["tool-call", "tool-progress", "tool-result"] as const;
  const types = [...calls, "background-delta", "background-drop", "background-end"] as const;
  for (const type of types) {
    session.on(type, (event: SessionEvent) => {
      const { turnIndex: _, timeMs: __, ...activity } = event;
      told.push(activity as BackgroundActivity);
    });
  }
  session.on("turn-end", ({ turnIndex: turn, turn: { input } }) => {
    entered.push(
      ...input.text
        .filter(({ source }) => source === "background")
        .map((one) => ({ ...one, turn, wallMs: clock.now() })),
    );
  });
  session.on("rewind", ({ turnIndex }) => {
    const kept = entered.filter(({ turn }) => turn < turnIndex);
    entered.splice(0, entered.length, ...kept);
  });
  const turn = async () => {
    await clock.advance(200);
    if (session.closed) return;
    session.writeAudio(sound());
    await clock.advance(0);
  };
  const turns = async (count: number, heard?: string) => {
    for (let i = 0; i < count; i++) {
      next = heard === undefined ? {} : { heard };
      await turn();
      next = {};
    }
  };
  return {
    session,
    entered,
    told,
    turns,
    async until(condition, most, heard) {
      for (let i = 0; i < most && !condition(); i++) {
        await turns(1, heard);
        await othersTurn();
      }
    },
    async delegate(delegation) {
      next = { delegation };
      await turn();
      next = {};
    },
    async callOff(delegation) {
      next = { cancelled: [delegation] };
      await turn();
      next = {};
    },
  };
}

/** Does each job by its task: those that a test has not written answer with their task. */
export function jobsByTask(tasks: Readonly<Record<string, JobHandler>> = {}): JobHandler {
  return async (run) => {
    const work = tasks[run.job.delegation.task] ?? ((one: JobRun) => answer(one, `About ${run.job.delegation.task}.`));
    await work(run);
  };
}

/** Says something and is done. */
export async function answer(run: JobRun, ...words: readonly string[]): Promise<void> {
  for (const text of words) await run.append({ type: "delta", text });
  await run.append({ type: "end", outcome: "done" });
}

/** Works until it is cancelled, and says so in the log. */
export function untilCancelled(run: JobRun): Promise<void> {
  return new Promise((resolve, reject) => {
    run.signal.addEventListener("abort", () => resolve());
    run.onMessage((message) => {
      if (message.type !== "cancel") return;
      run.append({ type: "end", outcome: message.outcome, error: message.reason }).then(resolve, reject);
    });
  });
}

/** A background and what happens in it. */
export interface Bench {
  readonly clock: FakeClock;
  readonly background: BackgroundModel;
  readonly jobs: JobQueue;
  readonly seen: Job[];
  readonly lost: Undelivered[];
}

/** A background whose jobs do what the tasks say; it is closed when the test is over. */
export function bench(tasks: Readonly<Record<string, JobHandler>> = {}, options: BackgroundModelOptions = {}): Bench {
  const clock = new FakeClock();
  const seen: Job[] = [];
  const lost: Undelivered[] = [];
  const handler = jobsByTask(tasks);
  const jobs = localJobs(
    (run) => {
      seen.push(run.job);
      return handler(run);
    },
    { clock, attempts: 1 },
  );
  const background = backgroundModel({ jobs, clock, onUndelivered: (one) => lost.push(one), ...options });
  onTestFinished(async () => {
    await background.close();
    await jobs.close();
  });
  return { clock, background, jobs, seen, lost };
}
