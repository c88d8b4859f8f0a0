// What the tools of a conversation have found, for the work that is asked for later: whoever asks "and tomorrow?" means what was
// looked up before, of which little was said.

import type { DuplexSession } from "@microturn/core";
import { cutMiddle } from "../context/compact-context.js";
import { dropToolName } from "../context/drop-tool.js";
import { resultJson } from "../context/result-json.js";
import type { CallResult, EarlierResult } from "../jobs/job.js";
import type { Kept, PastRoom } from "./past-room.js";
import type { WorkOrder } from "./work-order.js";

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
  get context(): readonly EarlierResult[] {
    return this.#results.map(({ json, timeMs }) => ({ json, timeMs }));
  }

  /**
   * Keeps what a call gave.
   *
   * @param order - what it was for; by its session's clock, as all that is said: after a rewind the machine's differs
   * @param given - arguments of the call
   */
  add({ session, event, offsetMs }: WorkOrder, ended: CallResult, given: unknown): void {
    if (ended.name === dropToolName) return;
    const longest = Math.floor(this.#maxChars / 2) - resultOverhead;
    const json = cutMiddle(resultJson(ended.name, ended, given), longest);
    const place = { session: new WeakRef(session), turnIndex: event.turnIndex, timeMs: session.timeMs + offsetMs };
    const results = [...this.#results, { ...place, json }];
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
