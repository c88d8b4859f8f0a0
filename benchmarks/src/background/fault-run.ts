// Plays one randomised run: sessions over a conversation, a background, and what the plan does to both. Where and on which clock it
// is played is the world's: a scripted engine on a clock that is moved, mini, or a queue whose workers are killed.

import { type BackgroundActivity, type Clock, type Delegation, DuplexSession, type Engine } from "@microturn/core";
import {
  type ApprovalRequest,
  type BackgroundModel,
  backgroundModel,
  type JobEvent,
  type JobQueue,
} from "@microturn/tools";
import { delegatingEngine } from "./delegating-engine.js";
import { taskOf } from "./fault-model.js";
import type { CallPlan, DelegationPlan, FaultPlan, ReconnectPlan } from "./fault-plan.js";
import type { Ledger } from "./fault-tools.js";
import { failureWords, idOf, isAccounted, judge, type RunRecord } from "./fault-verdict.js";

/** Where a run is played. */
export interface FaultWorld {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly jobs: JobQueue;
  readonly ledger: Ledger;
  /** Micro-turns after which what is not accounted for is lost. */
  readonly maxTurns: number;
  readonly pace: "realtime" | "as-fast-as-input";
  /** Lets a micro-turn pass in which the user speaks or not. */
  turn(session: DuplexSession, speaks: boolean): Promise<void>;
  /** Lets the time of micro-turns pass in which nobody is there. */
  away(turns: number): Promise<void>;
  /** Lets time pass until this settles. */
  settled<Result>(work: Promise<Result>): Promise<Result>;
}

interface Link {
  readonly session: DuplexSession;
  readonly breakOff: AbortController;
}

/** Plays a run. */
export async function playFaultRun(plan: FaultPlan, world: FaultWorld): Promise<RunRecord> {
  const run = new FaultRun(plan, world);
  await run.play();
  return run.record;
}

class FaultRun {
  readonly record: RunRecord;
  readonly #plan: FaultPlan;
  readonly #world: FaultWorld;
  readonly #background: BackgroundModel;
  readonly #engine: Engine;
  readonly #calls: ReadonlyMap<string, CallPlan>;
  readonly #handedOver: Delegation[] = [];
  readonly #cancelAt = new Map<string, number>();
  #sessions = 0;
  #turns = 0;

  constructor(plan: FaultPlan, world: FaultWorld) {
    this.#plan = plan;
    this.#world = world;
    this.record = {
      ...{ plan, asked: [], askedLast: new Set(), jobs: [], logs: new Map(), told: [], entered: [] },
      ...{ undelivered: [], executions: [], problems: [] },
    };
    this.#calls = callsOf(plan);
    const { submit } = world.jobs;
    const jobs: JobQueue = {
      submit: (job) => {
        this.record.jobs.push(job);
        return submit.call(world.jobs, job);
      },
      follow: (id, options) => world.jobs.follow(id, options),
      send: (id, message) => world.jobs.send(id, message),
      close: () => world.jobs.close(),
    };
    this.#background = backgroundModel({
      ...{ jobs, clock: world.clock, overlap: plan.overlap },
      deliver: ({ id }) => (id === plan.last.id ? "when-quiet" : plan.deliver),
      ...(plan.late === undefined ? {} : { late: plan.late }),
      approvalTimeoutMs: plan.limits.approvalMs,
      approve: (call) => this.#approve(call),
      sayFailure: failureWords,
      onUndelivered: (lost) => this.record.undelivered.push(lost),
    });
    this.#engine = delegatingEngine(world.engine, () => this.#handedOver.shift());
  }

  async play(): Promise<void> {
    const { delegations, last, reconnects } = this.#plan;
    let link = await this.#open();
    const changes = [...reconnects].sort((a, b) => a.atTurn - b.atTurn);
    const waiting = [...delegations].sort((a, b) => a.atTurn - b.atTurn);
    const spokenUntil = Math.max(0, ...this.#plan.spoken.map(([, until]) => until));
    const isOver = () =>
      this.#turns >= spokenUntil &&
      changes.length === 0 &&
      waiting.length === 0 &&
      delegations.every((one) => !this.#cancelAt.has(one.id) && isAccounted(this.record, one));
    while (!isOver() && this.#turns < this.#world.maxTurns) {
      const change = changes[0];
      if (change !== undefined && change.atTurn <= this.#turns) {
        changes.shift();
        link = await this.#reconnect(link, change);
      }
      while (waiting[0] !== undefined && waiting[0].atTurn <= this.#turns) this.#handOver(waiting.shift() as never);
      await this.#cancel();
      await this.#turn(link);
    }
    this.#handOver(last);
    const until = this.#turns + this.#world.maxTurns;
    while (!isAccounted(this.record, last) && this.#turns < until) await this.#turn(link);
    this.#judgeLast();
    for (const id of this.record.asked) if (this.#askedIn.get(id) === link.session) this.record.askedLast.add(id);
    if (link.session.closed) this.#problem("stopped", "the last session ended by itself");
    this.#ours.add(link.session);
    await this.#world.settled(link.session.close());
    await this.#world.settled(this.#background.close());
    await this.#readLogs();
    this.record.executions = this.#world.ledger.read();
    judge(this.record);
  }

  readonly #askedIn = new Map<string, DuplexSession>();
  /** Sessions that are ended from here. */
  readonly #ours = new Set<DuplexSession>();

  async #open(): Promise<Link> {
    const { clock, pace } = this.#world;
    const breakOff = new AbortController();
    const background = this.#plan.named ? this.#background.conversation(this.#plan.name) : this.#background;
    const session = await DuplexSession.open({
      ...{ engine: this.#engine, background, clock, pace, signal: breakOff.signal },
    });
    const number = this.#sessions++;
    let next = 0;
    session.on("delegation", ({ id }) => {
      this.record.asked.push(id);
      this.#askedIn.set(id, session);
    });
    for (const type of ["tool-call", "tool-progress", "tool-result", "background-delta", "background-end"] as const) {
      session.on(type, (event: BackgroundActivity) => this.record.told.push(event));
    }
    session.on("turn-end", ({ turn: { index, input } }) => {
      if (index !== next) this.#problem("stopped", `micro-turn ${index} came after ${next - 1}`);
      next = index + 1;
      for (const text of input.text) {
        if (text.source === "background") this.record.entered.push({ session: number, turn: index, input: text });
      }
    });
    session.on("session-end", ({ reason }) => {
      if (!this.#ours.has(session)) this.#problem("stopped", `the session ended: ${reason}`);
    });
    return { session, breakOff };
  }

  async #reconnect(link: Link, { away, breaks }: ReconnectPlan): Promise<Link> {
    this.#ours.add(link.session);
    const close = async () => {
      if (!breaks) return this.#world.settled(link.session.close());
      link.breakOff.abort();
      await this.#world.settled(link.session.ended);
    };
    if (away < 0) {
      const opened = await this.#open();
      await close();
      return opened;
    }
    await close();
    await this.#world.away(away);
    this.#turns += away;
    return this.#open();
  }

  #handOver(delegation: DelegationPlan): void {
    const { id, direct, cancelAfter } = delegation;
    const called = direct === undefined ? {} : { name: direct.tool, arguments: { subject: direct.subject } };
    this.#handedOver.push({ id, task: taskOf(delegation), ...called });
    if (cancelAfter !== undefined) this.#cancelAt.set(id, this.#turns + cancelAfter);
  }

  async #cancel(): Promise<void> {
    for (const [id, turn] of this.#cancelAt) {
      if (turn > this.#turns) continue;
      this.#cancelAt.delete(id);
      await this.#world.settled(this.#background.cancel(id));
    }
  }

  async #turn({ session }: Link): Promise<void> {
    const before = session.turnIndex;
    const speaks = this.#plan.spoken.some(([from, until]) => this.#turns >= from && this.#turns < until);
    await this.#world.turn(session, speaks);
    this.#turns++;
    if (session.turnIndex === before) this.#problem("stopped", `no micro-turn came after ${before}`);
  }

  /** Work that is asked for when all is over is done as if nothing had been. */
  #judgeLast(): void {
    const { id } = this.#plan.last;
    const end = this.record.told.find(({ type, delegation }) => type === "background-end" && idOf(delegation) === id);
    if (end?.type !== "background-end" || end.outcome !== "done") this.#problem("stopped", "later work was not done");
    if (!this.record.entered.some(({ input }) => idOf(input.delegation) === id)) {
      this.#problem("stopped", "later work was not answered");
    }
  }

  async #approve({ arguments: given }: ApprovalRequest): Promise<boolean> {
    const { clock } = this.#world;
    const { subject } = given as { readonly subject: string };
    switch (this.#calls.get(subject)?.approval) {
      case "yes":
        return true;
      case "late":
        await new Promise<void>((resolve) => clock.setTimer(resolve, clock.now() + this.#plan.limits.approvalMs / 3));
        return true;
      case "no":
        return false;
      case "fails":
        throw new Error("nobody can be asked");
      default:
        return new Promise(() => {});
    }
  }

  /** As a follower of its own sees them. */
  async #readLogs(): Promise<void> {
    for (const { id } of this.record.jobs) {
      const log: JobEvent[] = [];
      this.record.logs.set(id, log);
      const giveUp = new AbortController();
      const timer = setTimeout(() => giveUp.abort(new Error("has no end")), 10_000);
      const read = async () => {
        const { signal } = giveUp;
        for await (const { index, event } of this.#world.jobs.follow(id, { signal })) {
          if (index !== log.length) this.#problem("lost", `the log of ${id} goes from ${log.length} to ${index}`);
          log.push(event);
        }
      };
      await this.#world.settled(read()).catch((error: unknown) => this.#problem("lost", `the log of ${id}: ${error}`));
      clearTimeout(timer);
    }
  }

  #problem(type: RunRecord["problems"][number]["type"], text: string): void {
    this.record.problems.push({ type, text });
  }
}

/** The calls of a plan by subject. */
export function callsOf({ delegations, last }: FaultPlan): ReadonlyMap<string, CallPlan> {
  const all = [...delegations, last].flatMap(({ direct, steps }) => [
    ...(direct === undefined ? [] : [direct]),
    ...steps.flatMap(({ calls }) => calls),
  ]);
  return new Map(all.map((call) => [call.subject, call]));
}
