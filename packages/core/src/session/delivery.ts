// When a result of the background enters the conversation (rule 6).

import type { TextInput } from "../engine.js";

/**
 * How a result enters:
 * `now` in the next micro-turn; `when-quiet` once nobody speaks; `silent` in the next micro-turn, for the model to know and
 * not to be spoken about; `drop-if-stale` like `when-quiet`, but never once it is older than `maxAgeMs`.
 */
export type DeliveryPolicy =
  | "now"
  | "when-quiet"
  | "silent"
  | { readonly kind: "drop-if-stale"; readonly maxAgeMs: number };

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

/**
 * Sorts the pending deliveries at the start of a micro-turn.
 *
 * @param nowMs - start of the micro-turn on the session clock
 * @param quiet - nobody has spoken lately
 */
export function planDeliveries(pending: readonly PendingDelivery[], nowMs: number, quiet: boolean): DeliveryPlan {
  if (pending.length === 0) return nothing;
  const entering: PendingDelivery[] = [];
  const stale: PendingDelivery[] = [];
  const waiting: PendingDelivery[] = [];
  for (const delivery of pending) {
    const { policy } = delivery;
    if (typeof policy === "object" && nowMs - delivery.sinceMs > policy.maxAgeMs) stale.push(delivery);
    else if (policy === "now" || policy === "silent" || quiet) entering.push(delivery);
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
  if (typeof policy !== "object" || policy === null || policy.kind !== "drop-if-stale") {
    throw new TypeError(
      `deliver: policy must be "now", "when-quiet", "silent" or { kind: "drop-if-stale", maxAgeMs }, got ${JSON.stringify(policy)}`,
    );
  }
  if (!(policy.maxAgeMs >= 0)) throw new RangeError(`deliver: maxAgeMs must be at least 0, got ${policy.maxAgeMs}`);
}
