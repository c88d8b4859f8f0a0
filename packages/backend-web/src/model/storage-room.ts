// Whether the browser has room for what is to be kept, asked before the first byte of it comes.

import { DuplexError } from "@microturn/core";

/** Why a model is not kept. */
export type UnkeptReason =
  /** No Cache API here, or not for this page. */
  | "no-cache"
  /** The browser gives this origin too little space. */
  | "no-room"
  /** The browser failed to write. */
  | "failed";

/** Bytes that this origin may still store; undefined where the browser does not say. It is an estimate. */
export async function freeBytes(): Promise<number | undefined> {
  const { storage } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {};
  const { quota, usage } = (await storage?.estimate?.().catch(() => undefined)) ?? {};
  return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
}

/** What is known of a model that is not kept. */
export interface UnkeptFacts {
  readonly cause?: unknown;
  readonly neededBytes?: number;
  readonly freeBytes?: number;
}

/** Says why a model is not kept; a warning, unless it must be. */
export function unkept(name: string, reason: UnkeptReason, { cause, ...details }: UnkeptFacts = {}): DuplexError {
  const { neededBytes, freeBytes: free } = details;
  const problem = {
    "no-cache":
      "expected the Cache API, it is missing or closed to this page; leave private browsing, or serve the page over https",
    "no-room":
      neededBytes === undefined
        ? "the browser's space for this origin is full; free some, or call navigator.storage.persist()"
        : `expected room for ${neededBytes} bytes, this origin has ${free}; free some, or call navigator.storage.persist()`,
    failed: "the browser failed to write it; load again",
  }[reason];
  return new DuplexError("STORAGE_UNAVAILABLE", `cachedModel: ${name} cannot be kept: ${problem}`, {
    cause,
    details: { reason, ...details },
  });
}

/** What a failed write means. */
export function reasonOf(cause: unknown): UnkeptReason {
  return cause instanceof Error && cause.name === "QuotaExceededError" ? "no-room" : "failed";
}
