// When a result of the background enters the conversation (rule 6).

import type { TextInput } from "../engine.js";

/**
 * How a result enters:
 * `now` in the next micro-turn; `when-quiet` once nobody speaks; `silent` in the next micro-turn, for the model to know and
 * not to be spoken about; `{ dropIfStaleMs }` like `when-quiet`, but never once it is older than that on the session clock.
 */
export type DeliveryPolicy = "now" | "when-quiet" | "silent" | { readonly dropIfStaleMs: number };

/** A result that waits for its micro-turn. */
export interface PendingDelivery {
  readonly id: number;
  readonly text: string;
  readonly policy: DeliveryPolicy;
  /** The delegation whose result it is. */
  readonly delegation?: string;
  /** When it was handed over, on the session clock. */
  readonly sinceMs: number;
  /** It entered before, was given up at once, and waits to enter again, once; whoever handed it over has been told. */
  readonly again?: { readonly entered: number; readonly givenUp: number };
}

/** What the pending deliveries do at the start of a micro-turn. */
export interface DeliveryPlan {
  readonly entering: readonly PendingDelivery[];
  readonly stale: readonly PendingDelivery[];
  readonly waiting: readonly PendingDelivery[];
}

const nothing: DeliveryPlan = { entering: [], stale: [], waiting: [] };

/** What it sounds like at the start of a micro-turn. */
export interface Floor {
  /** Nobody has spoken lately. */
  readonly quiet: boolean;
  /** The delegation whose answer the assistant is giving, undisturbed: more of it follows at once. */
  readonly answering: string | undefined;
  /** Whether what enters is said, so that answers are given one after the other. */
  readonly saysText: boolean;
}

/**
 * Sorts the pending deliveries at the start of a micro-turn.
 *
 * @param nowMs - start of the micro-turn on the session clock
 */
export function planDeliveries(
  pending: readonly PendingDelivery[],
  nowMs: number,
  { quiet, answering, saysText }: Floor,
): DeliveryPlan {
  if (pending.length === 0) return nothing;
  const waits = ({ policy }: PendingDelivery) => policy !== "now" && policy !== "silent";
  const isStale = ({ policy, sinceMs }: PendingDelivery) =>
    typeof policy === "object" && nowMs - sinceMs > policy.dropIfStaleMs;
  // Answers that are said do not mix: of those that wait for quiet, the one that has waited longest takes the floor.
  const first = pending.find((delivery) => waits(delivery) && !isStale(delivery));
  const mayEnter = ({ delegation }: PendingDelivery) =>
    (answering !== undefined && delegation === answering) || (quiet && (!saysText || delegation === first?.delegation));
  const entering: PendingDelivery[] = [];
  const stale: PendingDelivery[] = [];
  const waiting: PendingDelivery[] = [];
  for (const delivery of pending) {
    if (isStale(delivery)) stale.push(delivery);
    else if (!waits(delivery) || mayEnter(delivery)) entering.push(delivery);
    else waiting.push(delivery);
  }
  return { entering, stale, waiting };
}

/** The text that a delivery puts into a micro-turn. */
export function deliveryText(delivery: PendingDelivery): TextInput {
  const { id, delegation } = delivery;
  const text: TextInput = {
    ...{ source: "background", text: delivery.text, delivery: id },
    ...(delegation === undefined ? {} : { delegation }),
  };
  return delivery.policy === "silent" ? { ...text, silent: true } : text;
}

/** Checks a policy that a caller gave. @throws TypeError or RangeError */
export function checkDeliveryPolicy(policy: DeliveryPolicy): void {
  if (policy === "now" || policy === "when-quiet" || policy === "silent") return;
  if (typeof policy !== "object" || policy === null || typeof policy.dropIfStaleMs !== "number") {
    throw new TypeError(
      `deliver: policy must be "now", "when-quiet", "silent" or { dropIfStaleMs }, got ${JSON.stringify(policy)}`,
    );
  }
  if (!(policy.dropIfStaleMs >= 0)) {
    throw new RangeError(`deliver: dropIfStaleMs must be at least 0, got ${policy.dropIfStaleMs}`);
  }
}
