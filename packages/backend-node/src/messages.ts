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
