// What happens in one randomised run, all of it out of the kind of fault and a seed: what is asked for and when, what the language
// model answers, what its tools do, and what goes wrong. Every process that has a part in the run makes the same plan from its name.

import type { DeliveryPolicy } from "@microturn/core";
import type { StreamBreak } from "./provider-stream.js";
import { SeededRandom } from "./seeded-random.js";

/** What goes wrong. */
export const faultKinds = {
  throws: "a tool throws",
  hangs: "a tool hangs",
  huge: "a tool returns 10 MB",
  misshapen: "a tool returns the wrong shape",
  drops: "the provider drops the stream",
  limits: "the provider limits its use",
  reconnects: "the session is closed and opened again in mid-call",
  duplicates: "the same call again, and at once",
  cancels: "work is cancelled, or other work takes its place",
  mixed: "all of these in one run",
  mini: "all of these, under mini",
  killed: "worker processes are killed",
} as const;

/** Name of a kind. */
export type FaultKind = keyof typeof faultKinds;

/** How a tool fails. */
export type ToolFault = "throws" | "hangs" | "huge" | "misshapen";

/** One call of a tool; what is the same has the same subject. */
export interface CallPlan {
  readonly tool: ToolName;
  readonly subject: string;
  readonly durationMs: number;
  readonly fault: ToolFault | undefined;
  /** Tries that fail, from the first on; those after them do not. */
  readonly failures: number;
  /** Which of the ways to fail it takes. */
  readonly way: number;
  /** It does not heed its abort signal. */
  readonly deaf: boolean;
  /** Signs of life while it works. */
  readonly signs: number;
  /** What becomes of it where it needs approval. */
  readonly approval: Approval;
}

/** What somebody says to a call that needs approval. */
export type Approval = "yes" | "late" | "no" | "fails" | "nothing";

/** The tools of a run: what they do is in the plan. `book` and `pay` are irreversible. */
export const toolNames = ["look", "join", "single", "replace", "retry", "spoken", "book", "pay"] as const;
export type ToolName = (typeof toolNames)[number];

/** Tools whose calls may happen once only. */
export const irreversibleTools: readonly ToolName[] = ["book", "pay"];

/** What goes wrong with one answer of the model. */
export type ModelFault =
  | { readonly type: "broken"; readonly how: StreamBreak; readonly share: number }
  | { readonly type: "refused"; readonly status: 429 | 503 | 529; readonly retryAfterMs: number };

/** One answer of the model. */
export interface StepPlan {
  readonly text: string;
  readonly calls: readonly CallPlan[];
  /** What goes wrong with its tries, in order; the next goes well. */
  readonly faults: readonly ModelFault[];
  /** A model that is asked to go on begins anew instead. */
  readonly anew: boolean;
}

/** Where a worker dies. */
export type KillPoint =
  /** Before or after the n-th event of this type is in the log. */
  | {
      readonly at: "before" | "after";
      readonly event: "delta" | "step" | "call" | "result" | "end";
      readonly n: number;
    }
  /** While an irreversible tool, or any other, does its work. */
  | { readonly at: "tool" }
  | { readonly at: "time"; readonly ms: number };

/** One delegation. */
export interface DelegationPlan {
  readonly id: string;
  readonly atTurn: number;
  /** The tool that it is a call of, by itself and without the model. */
  readonly direct: CallPlan | undefined;
  readonly steps: readonly StepPlan[];
  /** Micro-turns after it in which it is cancelled. */
  readonly cancelAfter: number | undefined;
  /** Where its worker dies, one place after the other. */
  readonly kills: readonly KillPoint[];
}

/** A change of sessions. */
export interface ReconnectPlan {
  readonly atTurn: number;
  /** How long nobody is there, in micro-turns; less than 0: the new session opens before the old one closes. */
  readonly away: number;
  /** It breaks off instead of being closed. */
  readonly breaks: boolean;
}

/** A run. */
export interface FaultPlan {
  readonly kind: FaultKind;
  /** Its name: plays it again. */
  readonly name: string;
  readonly delegations: readonly DelegationPlan[];
  /** Asked for when all else is over: the conversation must have gone on. */
  readonly last: DelegationPlan;
  readonly reconnects: readonly ReconnectPlan[];
  /** Its conversation outlives a session. */
  readonly named: boolean;
  readonly deliver: DeliveryPolicy;
  readonly late: DeliveryPolicy | undefined;
  readonly overlap: "parallel" | "replace";
  /** Stretches of micro-turns in which the user speaks. */
  readonly spoken: readonly (readonly [from: number, until: number])[];
  /** Micro-turns that the model speaks for when something enters. */
  readonly readsFor: number;
  readonly partMs: number;
  readonly limits: RunLimits;
}

/** Limits of a run: short, so that what hangs is over soon. */
export interface RunLimits {
  readonly toolTimeoutMs: number;
  readonly toolDurationMs: number;
  readonly stallMs: number;
  readonly approvalMs: number;
  readonly retryMs: number;
}

/** The plan of a name, such as `hangs-17`. @throws RangeError if there is no such kind */
export function faultPlan(name: string): FaultPlan {
  const [, kind, seed] = /^([a-z]+)-(\d+)$/.exec(name) ?? [];
  const kinds = Object.keys(faultKinds) as FaultKind[];
  if (kind === undefined || !Object.hasOwn(faultKinds, kind)) {
    throw new RangeError(`faultPlan: expected a name such as hangs-17, got ${name}; kinds are ${kinds.join(", ")}`);
  }
  const order = kinds.indexOf(kind as FaultKind);
  return new Planner(kind as FaultKind, name, new SeededRandom(Number(seed) * 64 + order)).plan();
}

const words =
  "amber brook cedar dawn ember field grove harbor island jade kettle lantern meadow nickel orchard pebble quartz river silver timber umber valley willow yonder zephyr".split(
    " ",
  );

class Planner {
  readonly #kind: FaultKind;
  readonly #name: string;
  readonly #random: SeededRandom;
  /** Of real time, where it passes: what takes a second on a clock of a test takes less. */
  readonly #unit: number;
  readonly #shared: CallPlan[] = [];
  #subjects = 0;

  constructor(kind: FaultKind, name: string, random: SeededRandom) {
    this.#kind = kind;
    this.#name = name;
    this.#random = random;
    this.#unit = kind === "mini" || kind === "killed" ? 0.2 : 1;
  }

  plan(): FaultPlan {
    const random = this.#random;
    const count = random.between(1, this.#has("duplicates", "mixed") ? 4 : 3);
    const delegations = Array.from({ length: count }, (_, n) => this.#delegation(`d${n}`, random.between(1, 12)));
    const reconnects = this.#has("reconnects")
      ? Array.from({ length: random.between(1, 3) }, () => this.#reconnect())
      : this.#has("mixed", "mini", "killed") && random.chance(0.4)
        ? [this.#reconnect()]
        : [];
    const spoken = Array.from({ length: random.between(0, 3) }, () => {
      const from = random.between(0, 30);
      return [from, from + random.between(1, 8)] as const;
    });
    const slow = this.#kind === "killed" ? 10 : 1;
    const ms = (value: number) => Math.round(value * this.#unit * slow);
    const last: DelegationPlan = {
      ...{ id: `${this.#name}-last`, atTurn: 0, direct: undefined, cancelAfter: undefined, kills: [] },
      steps: [
        { text: "", calls: [this.#call("look", undefined)], faults: [], anew: false },
        { text: this.#text(2), calls: [], faults: [], anew: false },
      ],
    };
    return {
      ...{ kind: this.#kind, name: this.#name, delegations, last, reconnects, spoken },
      named: reconnects.length > 0 || random.chance(0.5),
      deliver: this.#policy(),
      late: random.chance(0.3) ? this.#policy() : undefined,
      overlap: this.#has("cancels", "mixed") && random.chance(0.3) ? "replace" : "parallel",
      readsFor: random.between(0, 3),
      partMs: Math.round(random.pick([0, 5, 40]) * this.#unit),
      limits: {
        ...{ toolTimeoutMs: ms(1500), toolDurationMs: ms(5000), stallMs: ms(2000), approvalMs: ms(3000) },
        retryMs: Math.round(200 * this.#unit),
      },
    };
  }

  /** Whether the run is of one of these kinds. */
  #has(...kinds: readonly FaultKind[]): boolean {
    return kinds.includes(this.#kind);
  }

  #policy(): DeliveryPolicy {
    // mini says what it is told, and takes nothing that is not to be said.
    const silent = this.#kind === "mini" ? "when-quiet" : "silent";
    return this.#random.pick<DeliveryPolicy>(["now", "when-quiet", "when-quiet", silent, { dropIfStaleMs: 3000 }]);
  }

  #reconnect(): ReconnectPlan {
    const random = this.#random;
    return { atTurn: random.between(2, 25), away: random.between(-1, 15), breaks: random.chance(0.5) };
  }

  #delegation(short: string, atTurn: number): DelegationPlan {
    const random = this.#random;
    const isDirect = this.#kind !== "drops" && this.#kind !== "limits" && random.chance(0.25);
    const direct = isDirect ? this.#call(this.#tool(), this.#toolFault(true)) : undefined;
    const steps = random.between(1, 3);
    const cancelled = this.#has("cancels") ? 0.6 : this.#has("mixed", "mini", "killed") ? 0.15 : 0;
    return {
      id: `${this.#name}-${short}`,
      atTurn,
      direct,
      steps: isDirect ? [] : Array.from({ length: steps + 1 }, (_, n) => this.#step(n === steps, n === 0)),
      cancelAfter: random.chance(cancelled) ? random.between(0, 20) : undefined,
      kills: this.#kills(short === "d0", isDirect),
    };
  }

  #step(isLast: boolean, isFirst: boolean): StepPlan {
    const random = this.#random;
    const calls = isLast
      ? []
      : Array.from({ length: random.between(1, 3) }, (_, n) => this.#nextCall(isFirst && n === 0));
    if (!isLast && this.#has("duplicates", "mixed") && random.chance(0.5)) calls.push(random.pick(calls));
    const text = isLast ? this.#text(random.between(1, 4)) : random.chance(0.5) ? this.#text(1) : "";
    return { text, calls, faults: this.#modelFaults(isFirst), anew: random.chance(0.4) };
  }

  /** @param certain - in this call the fault of the kind happens */
  #nextCall(certain: boolean): CallPlan {
    const random = this.#random;
    const again = this.#has("duplicates") ? 0.4 : this.#has("mixed", "mini", "killed") ? 0.1 : 0;
    if (this.#shared.length > 0 && random.chance(again)) return random.pick(this.#shared);
    return this.#call(this.#tool(), this.#toolFault(certain));
  }

  #call(tool: ToolName, fault: ToolFault | undefined): CallPlan {
    const random = this.#random;
    const approval = this.#has("mixed", "duplicates", "mini") ? 0.2 : 0.1;
    const call: CallPlan = {
      ...{ tool, fault, subject: `${this.#name}-s${this.#subjects++}` },
      durationMs: Math.round(random.between(0, 700) * this.#unit),
      failures: random.chance(0.4) ? 1 : 10,
      way: random.between(0, 1000),
      deaf: random.chance(0.4),
      signs: random.chance(0.3) ? random.between(1, 8) : 0,
      approval: random.chance(approval) ? random.pick(["late", "no", "fails", "nothing"]) : "yes",
    };
    this.#shared.push(call);
    return call;
  }

  #tool(): ToolName {
    return this.#random.pick([...toolNames, ...irreversibleTools]);
  }

  #toolFault(certain: boolean): ToolFault | undefined {
    const random = this.#random;
    const kind = this.#kind;
    if (kind === "throws" || kind === "hangs" || kind === "huge" || kind === "misshapen") {
      return certain || random.chance(0.3) ? kind : undefined;
    }
    const share = this.#has("mixed", "mini") ? 0.4 : this.#has("duplicates", "killed", "reconnects") ? 0.1 : 0;
    return random.chance(share) ? random.pick(["throws", "hangs", "huge", "misshapen"] as const) : undefined;
  }

  #modelFaults(certain: boolean): readonly ModelFault[] {
    const random = this.#random;
    const share = this.#has("drops", "limits") ? (certain ? 1 : 0.5) : this.#has("mixed", "mini") ? 0.25 : 0;
    if (!random.chance(share)) return [];
    // Three tries in a row are all there are: the third of these ends the work as failed.
    const count = random.chance(0.2) ? 3 : random.between(1, 2);
    const drops = this.#has("drops") || (!this.#has("limits") && random.chance(0.5));
    return Array.from({ length: count }, (): ModelFault => {
      if (drops) return { type: "broken", how: random.pick(["error", "closed", "hangs"]), share: random.next() };
      const retryAfterMs = random.chance(0.5) ? Math.round(random.between(1, 2000) * this.#unit) : 0;
      return { type: "refused", status: random.pick([429, 429, 503, 529]), retryAfterMs };
    });
  }

  /** @param certain - at least one */
  #kills(certain: boolean, isDirect: boolean): readonly KillPoint[] {
    const random = this.#random;
    if (!this.#has("killed") || !(certain || random.chance(0.3))) return [];
    return Array.from({ length: random.chance(0.2) ? 2 : 1 }, () => this.#kill(isDirect));
  }

  #kill(isDirect: boolean): KillPoint {
    const random = this.#random;
    if (random.chance(0.35)) return { at: "tool" };
    if (random.chance(0.3)) return { at: "time", ms: random.between(0, 300) };
    const event = random.pick(["call", "result", "delta", "end", ...(isDirect ? [] : (["step"] as const))] as const);
    const once = isDirect || event === "end";
    return { at: random.pick(["before", "after"]), event, n: once ? 1 : random.between(1, 2) };
  }

  /** Sentences that no other answer has. */
  #text(sentences: number): string {
    const random = this.#random;
    return Array.from({ length: sentences }, () => {
      const middle = Array.from({ length: random.between(2, 9) }, () => random.pick(words)).join(" ");
      return `Found ${middle} ${this.#name} number ${this.#subjects++}.`;
    }).join(" ");
  }
}
