// The calls that are under way: those of one job, for what must not happen twice in it, and those of a conversation that are the same,
// for the duplicate policies.

import type { CallEnding } from "./call-request.js";
import type { OngoingCall } from "./ongoing-call.js";

/** What is known of a job while any call of it is under way. */
interface JobCalls {
  calls: number;
  /** Irreversible calls that began and have ended meanwhile, by their keys: a log that was read before cannot have them. */
  readonly ended: Map<string, CallEnding>;
}

/** All calls under way. A call is `entered` when it is asked for and `registered` once nothing but its turn keeps it from running. */
export class CallsUnderWay {
  readonly #jobs = new Map<string, JobCalls>();
  readonly #calls = new Map<string, Set<OngoingCall>>();

  enter({ request }: OngoingCall): void {
    const job = this.#jobs.get(request.job) ?? { calls: 0, ended: new Map() };
    job.calls++;
    this.#jobs.set(request.job, job);
  }

  register(call: OngoingCall): void {
    const same = this.#calls.get(placeOf(call)) ?? new Set();
    same.add(call);
    this.#calls.set(placeOf(call), same);
  }

  /** It is over. */
  leave(call: OngoingCall, ending: CallEnding): void {
    const same = this.#calls.get(placeOf(call));
    if (same?.delete(call) === true && same.size === 0) this.#calls.delete(placeOf(call));
    const job = this.#jobs.get(call.request.job);
    if (job === undefined) return;
    if (call.irreversible && call.begun) job.ended.set(call.key, ending);
    if (--job.calls === 0) this.#jobs.delete(call.request.job);
  }

  /** How an irreversible call of the same job with the same key ended. */
  endedInJob({ request, key }: OngoingCall): CallEnding | undefined {
    return this.#jobs.get(request.job)?.ended.get(key);
  }

  /** Registered calls of the same conversation with the same key, oldest first. */
  same(call: OngoingCall): readonly OngoingCall[] {
    return [...(this.#calls.get(placeOf(call)) ?? [])];
  }
}

function placeOf({ request, key }: OngoingCall): string {
  return JSON.stringify([request.conversation, key]);
}
