// What the main thread and the worker say to each other: the requests of backend-ort, and the one that starts the runtime.

import type { Answers, FaultMessage, Request } from "@microturn/backend-ort";
import type { NodeProvider } from "./providers.js";

/** How to start the runtime. */
export interface StartRequest {
  readonly kind: "start";
  /** In the order the caller wants them tried. */
  readonly providers: readonly NodeProvider[];
  readonly threads: number;
  readonly spinning: boolean;
  readonly deviceId: number;
}

/**
 * What the worker is given: memory that both threads see. At {@link atWork} is 1 while the runtime is at work, and at {@link leaving}
 * 1 when the process ends, after which the worker begins nothing.
 */
export type WorkerFlags = Int32Array<SharedArrayBuffer>;
export const atWork = 0;
export const leaving = 1;

/** What became of one provider. */
export interface ProviderTrial {
  readonly provider: NodeProvider;
  /** Why it does not work here; absent when it does. */
  readonly reason?: string;
}

/** A request on its way; the first of a worker is the start. */
export interface Envelope {
  readonly id: number;
  readonly request: StartRequest | Request;
}

/** The answer to one request. */
export type Reply =
  | { readonly id: number; readonly value: Answers[Request["kind"]] | readonly ProviderTrial[] }
  | { readonly id: number; readonly fault: FaultMessage };
