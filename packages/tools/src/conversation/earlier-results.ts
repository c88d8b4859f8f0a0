// What the tools of a conversation have found, for the work that is asked for later: whoever asks "and tomorrow?" means what was
// looked up before, of which little was said.

import type { DuplexSession } from "@microturn/core";
import { cutMiddle } from "../context/compact-context.js";
import { dropToolName } from "../context/drop-tool.js";
import type { CallResult, DelegationContext, EarlierResult } from "../jobs/job.js";
import type { Kept, PastRoom } from "./past-room.js";
import type { WorkOrder } from "./work-order.js";

/** A call that has ended, and what it was for. */
export interface EndedCall {
  readonly order: Pick<WorkOrder, "session" | "event">;
  readonly ended: CallResult;
  /** Its arguments. */
  readonly given: unknown;
  /** On the clock of the conversation. */
  readonly timeMs: number;
}

interface Found extends EarlierResult {
  /** Weak: it may be over, and need not be kept for this. */
  readonly session: WeakRef<DuplexSession>;
  /** Of the delegation. */
  readonly turnIndex: number;
}

/** Counted for every result besides its JSON: its time. */
const resultOverhead = 24;

/**
 * The last results that fit, without a gap between them; one that is longer than half the bound is cut in its middle, where `…`
 * stands then.
 */
export class EarlierResults implements Kept {
  readonly #room: PastRoom;
  readonly #maxChars: number;
  #results: readonly Found[] = [];

  /** @param maxChars - of all of them; each counts 24 besides its JSON */
  constructor(room: PastRoom, maxChars: number) {
    this.#room = room;
    this.#maxChars = maxChars;
  }

  /** Whether nothing was found. */
  get empty(): boolean {
    return this.#results.length === 0;
  }

  /** What a delegation carries of them. */
  get context(): Pick<DelegationContext, "results"> {
    return this.empty ? {} : { results: this.#results.map(({ json, timeMs }) => ({ json, timeMs })) };
  }

  add({ order: { session, event }, ended, given, timeMs }: EndedCall): void {
    const { name: tool, outcome, result = null, error = outcome } = ended;
    if (tool === dropToolName) return;
    const whole = JSON.stringify({ tool, arguments: given, outcome, ...(outcome === "done" ? { result } : { error }) });
    const longest = Math.floor(this.#maxChars / 2) - resultOverhead;
    const json = whole.length <= longest ? whole : cutMiddle(whole, longest);
    const results = [...this.#results, { session: new WeakRef(session), turnIndex: event.turnIndex, timeMs, json }];
    while (charsOf(results) > this.#maxChars) results.shift();
    this.#keep(results);
  }

  /** What was asked for from a micro-turn on never was. */
  rewind(session: DuplexSession, turn: number): void {
    this.#keep(this.#results.filter((one) => one.session.deref() !== session || one.turnIndex < turn));
  }

  clear(): void {
    this.#keep([]);
  }

  #keep(results: readonly Found[]): void {
    this.#results = results;
    this.#room.hold(this, charsOf(results));
  }
}

function charsOf(results: readonly Found[]): number {
  return results.reduce((sum, { json }) => sum + json.length + resultOverhead, 0);
}
