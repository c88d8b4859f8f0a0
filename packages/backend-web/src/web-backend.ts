// Makes the backend: tries devices in the caller's order, and keeps the runtime on the first that works. It computes on the
// thread that makes it, so in a page it belongs into a worker: `webEngine` puts it there.

import { DirectConnection, OrtBackend } from "@microturn/backend-ort";
import { type Backend, type BackendCapabilities, DuplexError, type GraphTarget } from "@microturn/core";
import { availableThreads, type DeviceReport, probeDevices, targets, type WebDevice, webDevices } from "./devices.js";
import { type StartedRuntime, StartFailure, startRuntime } from "./start-runtime.js";

/** Options of {@link webBackend}. */
export interface WebBackendOptions {
  /** Tried in this order; the first that works is used. Default `["webgpu", "wasm"]`. */
  readonly devices?: readonly WebDevice[];
  /** Whether a WebGPU adapter that computes on the processor counts; default false. For tests. */
  readonly allowSoftware?: boolean;
  /**
   * Threads of one run on the processor, 1 to 64; default the number of cores, at most 4, and 1 in a page that is not cross-origin
   * isolated, which cannot have more. The first backend of a thread decides for all of that thread.
   */
  readonly threads?: number;
  /** URL of the folder with the files of onnxruntime-web; default the one in this package's build. */
  readonly runtimeFolder?: string | URL;
  /** Largest batch of one run, 1 to 4096; default 64. */
  readonly maxBatch?: number;
  /** Changes what the graph builder makes for the device in use; for tests and measurements. */
  readonly target?: Partial<GraphTarget>;
}

/** A device that was tried and does not work here. */
export interface DeviceFailure {
  readonly device: WebDevice;
  /** Why it does not work. */
  readonly reason: string;
  /** How to get it. */
  readonly fix: string;
}

/** A backend over onnxruntime-web. */
export interface WebBackend extends Backend, AsyncDisposable {
  /** Devices that were tried before the one in use (`capabilities.provider`), and why they were passed over. */
  readonly passedOver: readonly DeviceFailure[];
  /**
   * Resolves with the reason if the device in use is lost: every call fails from then on, and a new backend is needed. Never
   * resolves while all is well.
   */
  readonly lost: Promise<string>;
}

/**
 * Starts onnxruntime-web on the thread that calls. A run blocks it; in a page use `webEngine`, which has a worker.
 *
 * @throws RangeError for an option outside its range
 * @throws DuplexError `BACKEND_UNAVAILABLE` if none of `devices` works here; the message says how to get each
 * @example
 * const backend = await webBackend({ devices: ["wasm"] });
 * console.log(backend.capabilities.device, backend.passedOver);
 */
export async function webBackend(options: WebBackendOptions = {}): Promise<WebBackend> {
  const {
    devices = webDevices,
    allowSoftware = false,
    threads = availableThreads(),
    maxBatch = 64,
    target = {},
  } = options;
  if (devices.length === 0) throw new RangeError("webBackend: devices is empty; name at least one");
  for (const device of devices) {
    if (!webDevices.includes(device)) {
      throw new RangeError(`webBackend: unknown device "${device}"; known are ${webDevices.join(", ")}`);
    }
  }
  checkInteger("threads", threads, 1, 64);
  checkInteger("maxBatch", maxBatch, 1, 4096);
  const passedOver: DeviceFailure[] = [];
  for (const device of devices) {
    const [report] = await probeDevices({ devices: [device], allowSoftware });
    if (!report.works) {
      passedOver.push({ device, reason: report.reason, fix: report.fix });
      continue;
    }
    let started: StartedRuntime;
    try {
      const runtimeFolder = options.runtimeFolder === undefined ? undefined : String(options.runtimeFolder);
      started = await startRuntime({ device, threads: report.threads === 1 ? 1 : threads, runtimeFolder });
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      passedOver.push({ device, reason: error.message, fix: error.fix });
      continue;
    }
    const capabilities: BackendCapabilities = {
      provider: device,
      device: descriptionOf(report, started.threads),
      target: { ...targets[device], ...target },
      maxBatch,
      canCloneState: true,
    };
    return new OnnxruntimeWeb(started, capabilities, passedOver);
  }
  const lines = passedOver.map(({ device, reason, fix }) => `${device}: ${reason}; to get it, ${fix}`);
  throw new DuplexError("BACKEND_UNAVAILABLE", `webBackend: no device works here.\n${lines.join("\n")}`, {
    details: { devices: passedOver },
  });
}

class OnnxruntimeWeb extends OrtBackend implements WebBackend {
  readonly lost: Promise<string>;
  readonly #started: StartedRuntime;
  #closing: Promise<void> | undefined;

  constructor(
    started: StartedRuntime,
    capabilities: BackendCapabilities,
    readonly passedOver: readonly DeviceFailure[],
  ) {
    const { runtime, lost } = started;
    super({
      connection: new DirectConnection(runtime),
      capabilities,
      deviceMemory: capabilities.provider === "webgpu",
    });
    this.#started = started;
    this.lost = new Promise((resolve) => {
      // A device that goes with its backend is not lost.
      void lost?.then((reason) => this.#closing === undefined && resolve(reason));
    });
  }

  override close(): Promise<void> {
    this.#closing ??= super.close().then(() => this.#started.release().catch(() => {}));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function descriptionOf({ device, description }: DeviceReport, threads: number): string {
  return device === "wasm" ? `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}` : description;
}

function checkInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`webBackend: ${name} must be an integer of ${low} to ${high}, got ${value}`);
  }
}
