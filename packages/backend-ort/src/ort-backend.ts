// The Backend contract over a connection to the runtime: loads graphs, and gives each executable what it shares.

import {
  type Backend,
  type BackendCapabilities,
  DuplexError,
  type Executable,
  type Graph,
  type LoadOptions,
} from "@microturn/core";
import type { Connection } from "./connection.js";
import { deviceGraphs } from "./device-graphs.js";
import { OrtExecutable, type Shared } from "./executable.js";
import type { LoadRequest } from "./messages.js";
import { checkStateSpecs } from "./state-specs.js";

/** Options of {@link OrtBackend}. */
export interface OrtBackendOptions {
  readonly connection: Connection;
  readonly capabilities: BackendCapabilities;
  /** The runtime can hold tensors in device memory: state that comes back whole stays there. */
  readonly deviceMemory: boolean;
}

/** A backend over some build of ONNX Runtime. */
export class OrtBackend implements Backend {
  readonly capabilities: BackendCapabilities;
  readonly #shared: Shared;
  readonly #deviceMemory: boolean;
  #closed = false;

  constructor({ connection, capabilities, deviceMemory }: OrtBackendOptions) {
    let next = 0;
    this.capabilities = capabilities;
    this.#deviceMemory = deviceMemory;
    this.#shared = { connection, maxBatch: capabilities.maxBatch, nextId: () => next++ };
  }

  async load(graph: Graph, { signal }: LoadOptions = {}): Promise<Executable> {
    if (this.#closed) throw new DuplexError("SESSION_CLOSED", "load: the backend was closed");
    if (signal?.aborted) throw aborted(signal);
    checkStateSpecs(graph);
    const { connection, nextId } = this.#shared;
    const executable = nextId();
    const { onnx, externalData = [], inputs, outputs, state } = graph;
    const onDevice =
      this.#deviceMemory &&
      this.capabilities.target.state === "whole" &&
      state.some((spec) => spec.update.kind !== "counter");
    const request: LoadRequest = {
      kind: "load",
      executable,
      onnx,
      externalData,
      inputs,
      outputs,
      state,
      ...(onDevice ? { device: deviceGraphs(state) } : {}),
    };
    const loading = connection.request(request, signal);
    await abortable(loading, signal, () => connection.tell({ kind: "dispose-executable", executable }));
    return new OrtExecutable(this.#shared, executable, graph);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#shared.connection.close();
  }
}

/** Waits for `work` or for the signal; work that finishes unwanted is cleaned up. */
async function abortable(work: Promise<unknown>, signal: AbortSignal | undefined, cleanUp: () => void): Promise<void> {
  if (signal === undefined) {
    await work;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      cleanUp();
      reject(aborted(signal));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(() => resolve(), reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function aborted(signal: AbortSignal): DuplexError {
  return new DuplexError("ABORTED", "load: the caller's signal fired", { cause: signal.reason });
}
