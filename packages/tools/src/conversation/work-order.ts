// What work is about: what was asked for, in which session, under which name; and how it is given up.

import type { DelegationEvent, DeliveryPolicy, DuplexSession } from "@microturn/core";
import type { Job } from "../jobs/job.js";
import type { UndeliveredReason } from "./answer.js";

const maxTaskLength = 4000;

/** What work is about. */
export interface WorkOrder {
  /** Of the job; never used before. */
  readonly id: string;
  readonly conversation: string;
  /** Unique in the conversation. */
  readonly name: string;
  readonly event: DelegationEvent;
  readonly session: DuplexSession;
  /** From the clock of the session to that of the conversation, ms. */
  readonly offsetMs: number;
  readonly policy: DeliveryPolicy;
}

/** Why work is given up. */
export interface Ending {
  readonly outcome: "cancelled" | "superseded";
  /** For the worker, in words. */
  readonly reason: string;
  /** What becomes of words that wait. */
  readonly words: UndeliveredReason;
  /** Whoever called the function does not wait for its result. Default false. */
  readonly unanswered?: boolean;
}

/** What is asked for, no longer than a worker is told. */
export function taskOf({ event }: WorkOrder): string {
  return event.task.slice(0, maxTaskLength);
}

/** The job for a worker. */
export function jobOf(order: WorkOrder, context: Job["context"]): Job {
  const { id, conversation, name, event } = order;
  return {
    ...{ id, conversation, context },
    delegation: {
      ...{ id: name, task: taskOf(order) },
      ...(event.name === undefined ? {} : { name: event.name }),
      ...(event.arguments === undefined ? {} : { arguments: event.arguments }),
    },
  };
}
