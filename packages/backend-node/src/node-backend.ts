// Makes the backend: checks options, starts the runtime, lets it find the first provider that works, and loads graphs.

import { availableParallelism, cpus } from "node:os";
import { Worker } from "node:worker_threads";
import { type Connection, DirectConnection, errorOf, faultOf, OrtBackend } from "@microturn/backend-ort";
import { type Backend, type BackendCapabilities, DuplexError, type GraphTarget } from "@microturn/core";
import type { ProviderTrial, StartRequest, WorkerFlags } from "./messages.js";
import { howToGet, installFix, type NodeProvider, nodeProviders, targets } from "./providers.js";
import { startRuntime } from "./start-runtime.js";
import { disableTelemetry } from "./telemetry.js";
import { WorkerConnection } from "./worker-connection.js";
import { builtFile } from "./worker-location.js";

/** Options of {@link nodeBackend}. */
export interface NodeBackendOptions {
  /** Tried in this order; the first that works is used. Default `["cpu"]`. */
  readonly providers?: readonly NodeProvider[];
  /** CPU threads of one run, 1 to 256; default the number of cores, at most 4. */
  readonly threads?: number;
  /**
   * Whether CPU threads wait for work in a busy loop between the parts of a run: a little faster, at the cost of a core's
   * time after every run. Default false.
   */
  readonly spinning?: boolean;
  /**
   * Where runs happen. `"worker"`, the default: in a thread of their own, so that yours goes on meanwhile. `"caller"`: in the
   * thread that calls, which then does nothing else while a graph is loaded or run (mini on 2 cores: about 3 s, and
   * 15 ms of every 200), but waits for no other. For a program that gives sessions a process of their own, and for
   * bundles that leave no worker file behind.
   */
  readonly runOn?: RunPlace;
  /** CUDA device, 0 or more; default 0. */
  readonly deviceId?: number;
  /** Largest batch of one run, 1 to 4096; default 64. */
  readonly maxBatch?: number;
  /** Changes what the graph builder makes for the provider in use; for tests and measurements. */
  readonly target?: Partial<GraphTarget>;
  /** Leaves ONNX Runtime's own usage reports on. Default false; the first backend of a process decides for all. */
  readonly telemetry?: boolean;
}

/** The thread that loads and runs graphs. */
export type RunPlace = "worker" | "caller";

/** A provider that was tried and does not work here. */
export interface ProviderFailure {
  readonly provider: NodeProvider;
  /** Why it does not work. */
  readonly reason: string;
  /** How to get it. */
  readonly fix: string;
}

/** A backend over onnxruntime-node. */
export interface NodeBackend extends Backend, AsyncDisposable {
  /** Providers that were asked for before the one in use (`capabilities.provider`), and why they were passed over. */
  readonly passedOver: readonly ProviderFailure[];
}

/**
 * Time for a worker to finish before it is ended by force, ms. The runtime aborts the whole process when its thread is ended
 * while it prepares a graph, which takes seconds, and many more on a busy machine.
 */
const closeGraceMs = 60_000;

/**
 * Starts onnxruntime-node, in a worker thread unless `runOn` says otherwise.
 *
 * @throws RangeError for an option outside its range
 * @throws DuplexError `BACKEND_UNAVAILABLE` if none of `providers` works here; the message says how to get each
 * @example
 * const backend = await nodeBackend({ providers: ["cuda", "cpu"] });
 * console.log(backend.capabilities.provider, backend.passedOver);
 */
export async function nodeBackend(options: NodeBackendOptions = {}): Promise<NodeBackend> {
  return startBackend(options, () => builtFile("worker.js"));
}

/** {@link nodeBackend} with another worker file; tests use it to meet broken installations. */
export async function startBackend(options: NodeBackendOptions, workerFile: () => URL): Promise<NodeBackend> {
  const {
    providers = ["cpu"],
    threads = Math.min(4, availableParallelism()),
    spinning = false,
    runOn = "worker",
    deviceId = 0,
    maxBatch = 64,
    target = {},
    telemetry = false,
  } = options;
  if (providers.length === 0) throw new RangeError("nodeBackend: providers is empty; name at least one");
  for (const provider of providers) {
    if (!nodeProviders.includes(provider)) {
      throw new RangeError(`nodeBackend: unknown provider "${provider}"; known are ${nodeProviders.join(", ")}`);
    }
  }
  checkInteger("threads", threads, 1, 256);
  checkInteger("deviceId", deviceId, 0, 255);
  checkInteger("maxBatch", maxBatch, 1, 4096);
  if (runOn !== "worker" && runOn !== "caller") {
    throw new RangeError(`nodeBackend: runOn must be "worker" or "caller", got ${JSON.stringify(runOn)}`);
  }
  if (!telemetry) disableTelemetry();

  const request: StartRequest = { kind: "start", providers, threads, spinning, deviceId };
  let connection: Connection;
  let trials: readonly ProviderTrial[];
  try {
    ({ connection, trials } = await (runOn === "caller" ? startHere(request) : startWorker(request, workerFile())));
  } catch (error) {
    // Only a runtime that cannot be loaded is got by installing it again.
    const fix = DuplexError.is(error, "BACKEND_UNAVAILABLE") ? `; ${installFix}` : "";
    throw new DuplexError("BACKEND_UNAVAILABLE", `nodeBackend: ${messageOf(error)}${fix}`, { cause: error });
  }
  const passedOver = trials.flatMap(({ provider, reason }) =>
    reason === undefined ? [] : [{ provider, reason, fix: howToGet(provider, process.platform, process.arch) }],
  );
  const used = trials.find((trial) => trial.reason === undefined)?.provider;
  if (used === undefined) {
    await connection.close();
    throw new DuplexError("BACKEND_UNAVAILABLE", unavailable(passedOver), { details: { providers: passedOver } });
  }
  const capabilities: BackendCapabilities = {
    provider: used,
    device: deviceName(used, threads, deviceId),
    target: { ...targets[used], ...target },
    maxBatch,
    canCloneState: true,
  };
  return new OnnxruntimeNode(connection, capabilities, passedOver);
}

interface Started {
  readonly connection: Connection;
  readonly trials: readonly ProviderTrial[];
}

async function startHere(request: StartRequest): Promise<Started> {
  try {
    const { runtime, trials } = await startRuntime(request);
    return { connection: new DirectConnection(runtime), trials };
  } catch (error) {
    throw errorOf(faultOf(error));
  }
}

async function startWorker(request: StartRequest, file: URL): Promise<Started> {
  const flags: WorkerFlags = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(file, { name: "microturn-backend", execArgv: [], workerData: flags });
  const connection = new WorkerConnection(worker, closeGraceMs, flags);
  try {
    return { connection, trials: await connection.start(request) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class OnnxruntimeNode extends OrtBackend implements NodeBackend {
  constructor(
    connection: Connection,
    capabilities: BackendCapabilities,
    readonly passedOver: readonly ProviderFailure[],
  ) {
    super({ connection, capabilities, deviceMemory: capabilities.provider === "webgpu" });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function unavailable(failures: readonly ProviderFailure[]): string {
  const lines = failures.map(({ provider, reason, fix }) => `${provider}: ${reason}; to get it, ${fix}`);
  return `nodeBackend: none of the providers asked for works here.\n${lines.join("\n")}`;
}

function deviceName(provider: NodeProvider, threads: number, deviceId: number): string {
  if (provider === "cuda") return `CUDA device ${deviceId}`;
  if (provider === "webgpu") return "default WebGPU adapter (Dawn)";
  return `${cpus()[0]?.model.trim() || process.arch}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

function checkInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`nodeBackend: ${name} must be an integer of ${low} to ${high}, got ${value}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
