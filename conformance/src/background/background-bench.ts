// A session with a background over an engine under test: a check asks, and looks at what was run and what came back. Time stands
// still but for its micro-turns, so that no check depends on how fast the machine is.

import { setTimeout } from "node:timers/promises";
import { DuplexSession } from "@microturn/core";
import { FakeClock, settled } from "@microturn/core/testing";
import {
  type BackgroundModel,
  type BackgroundModelOptions,
  backgroundModel,
  functionsOf,
  type Tool,
  type ToolContext,
  type ToolSet,
} from "@microturn/tools";
import { expect } from "vitest";
import { until } from "../remote/wire-session.js";
import { askingModel } from "./asking-model.js";
import type { Ask, AskingEngine, AskingService } from "./service-under-test.js";

/** Real time that a micro-turn takes where something is waited for. */
const momentMs = 5;

/** A call that a function got. */
export interface Run {
  readonly name: string;
  readonly arguments: unknown;
  readonly context: ToolContext;
  /** Ends it with a result, if it waits for one. */
  release(result: unknown): void;
}

const schema = (properties: Readonly<Record<string, unknown>>) => ({
  ...{ type: "object", properties, required: Object.keys(properties), additionalProperties: false },
});

export class BackgroundBench {
  readonly clock: FakeClock;
  readonly service: AskingService;
  readonly session: DuplexSession;
  readonly background: BackgroundModel;
  readonly runs: readonly Run[];
  /** Words that did not enter, with the reason. */
  readonly lost: readonly string[];
  /** Types of what was told of the background, in order. */
  readonly told: string[] = [];
  /** Names of what the session was asked for. */
  readonly asked = new Set<string>();
  /** Words of the user, as the session told them. */
  heard = "";
  late = 0;
  #ended = 0;
  #written = 0;

  private constructor(parts: Pick<BackgroundBench, "clock" | "service" | "session" | "background" | "runs" | "lost">) {
    const { session } = parts;
    this.clock = parts.clock;
    this.service = parts.service;
    this.session = session;
    this.background = parts.background;
    this.runs = parts.runs;
    this.lost = parts.lost;
    session.on("turn-end", () => void this.#ended++);
    session.on("delegation", ({ id }) => void this.asked.add(id));
    session.on("turn-late", () => void this.late++);
    session.on("heard-delta", ({ text }) => {
      this.heard = `${this.heard} ${text}`.trim();
    });
    for (const type of ["tool-call", "tool-result", "background-end"] as const) {
      session.on(type, (event: { readonly state?: string; readonly outcome?: string }) => {
        this.told.push(`${type} ${event.state ?? event.outcome}`);
      });
    }
  }

  static async open(engine: AskingEngine, options: Partial<BackgroundModelOptions> = {}): Promise<BackgroundBench> {
    const clock = new FakeClock();
    const runs: Run[] = [];
    const lost: string[] = [];
    const tools = standardTools(runs);
    const service = await engine.start({ clock, functions: await functionsOf(tools) });
    const background = backgroundModel({
      ...(engine.abilities.functions ? {} : { model: askingModel() }),
      ...{ tools, clock, deliver: "now" },
      onUndelivered: ({ text, reason }) => void lost.push(`${reason}: ${text}`),
      ...options,
    });
    const session = await DuplexSession.open({ engine: service.engine, background, clock });
    return new BackgroundBench({ clock, service, session, background, runs, lost });
  }

  /** Asks for work. @returns the names of the answers */
  ask(...asks: readonly Ask[]): readonly string[] {
    return this.service.ask(asks);
  }

  /** Micro-turns of which the service takes nothing in. */
  async unread(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#turn();
  }

  /** Lets micro-turns pass, in each of which the user says `heard`, if anything. */
  async turns(count: number, heard?: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      if (heard !== undefined) this.service.hear(heard);
      await this.service.taken();
      const { turns } = this.service;
      await this.#turn();
      await until("the service gets the micro-turn", () => this.service.turns > turns);
    }
  }

  async #turn(): Promise<void> {
    const { inputSampleRate, turnDurationMs } = this.session.capabilities;
    await this.clock.advance(turnDurationMs);
    this.session.writeAudio(new Float32Array((inputSampleRate * turnDurationMs) / 1000)).catch(() => {});
    this.#written++;
    await this.clock.advance(0);
    await until("the micro-turn ends", () => this.#ended >= this.#written || this.session.closed);
    // What the background does takes some turns of the event loop.
    for (let pass = 0; pass < 4; pass++) await settled();
  }

  /** Micro-turns until a condition holds. @throws Error after `most` */
  async until(what: string, condition: () => boolean, most = 60): Promise<void> {
    for (let i = 0; i < most && !condition(); i++) {
      await this.turns(1);
      // Work that lasts takes real time, too.
      await setTimeout(momentMs);
    }
    if (!condition()) throw new Error(`${what}: not within ${most} micro-turns`);
  }

  /** Everything that came back by a name, in order. */
  answersTo(id: string | undefined): readonly string[] {
    return this.service.answers.filter((answer) => answer.id === id).map(({ text }) => text);
  }

  /** All that came back. */
  get said(): string {
    return this.service.answers.map(({ text }) => text).join(" ");
  }

  /** Calls that functions got, without what they learnt of them. */
  get made(): readonly Ask[] {
    return this.runs.map(({ name, arguments: given }) => ({ name, arguments: given as Ask["arguments"] }));
  }

  async close(): Promise<void> {
    await this.session.close();
    await this.background.close();
    await this.service.close();
    expect(this.service.violations, "what the service refused").toEqual([]);
    expect(this.clock.pending, "timers that are left").toBe(0);
  }
}

/** Functions of every kind; all that is done with them is in `runs`. */
function standardTools(runs: Run[]): ToolSet {
  const tool = (name: string, input: object, more: Partial<Tool>, work: (run: Run) => unknown): Tool => ({
    description: `${name} of the suite`,
    inputSchema: schema(input as Record<string, unknown>),
    ...more,
    execute(given: unknown, context: ToolContext) {
      let release: Run["release"] = () => {};
      const released = new Promise((resolve, reject) => {
        release = resolve;
        context.abortSignal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
      });
      released.catch(() => {});
      const run: Run = { name, arguments: given, context, release };
      runs.push(run);
      return work(run) ?? released;
    },
  });
  const city = { city: { type: "string" } };
  const key = { key: { type: "string" } };
  return {
    weather: tool("weather", city, {}, (run) => `Rain in ${(run.arguments as { city: string }).city}.`),
    slow: tool("slow", key, { timeoutMs: 3_600_000, maxDurationMs: 3_600_000 }, () => undefined),
    hang: tool("hang", key, { timeoutMs: 1000 }, () => undefined),
    fail: tool("fail", key, {}, () => {
      throw new Error("no connection to the barometer");
    }),
    pay: tool("pay", { euros: { type: "number" } }, { irreversible: true }, () => "Paid."),
    long: tool("long", { words: { type: "number" } }, {}, (run) =>
      longText((run.arguments as { words: number }).words),
    ),
  };
}

/** Text in which every word is another, in sentences of a hundred words. */
export function longText(words: number): string {
  const all = Array.from({ length: words }, (_, i) => `word${i}${i % 100 === 99 ? "." : ""}`);
  return `${all.join(" ")}${words % 100 === 0 ? "" : "."}`;
}
