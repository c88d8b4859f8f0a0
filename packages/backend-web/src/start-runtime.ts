// Puts onnxruntime-web on a device, and proves that it computes there.

import { Fault, firstLine, type Ort, probeGraph, Runtime, runProbe } from "@microturn/backend-ort";
import type { InferenceSession } from "onnxruntime-common";
import type { WebDevice } from "./devices.js";
import { buildFor, importBuild, runtimeFiles } from "./runtime-files.js";

/** How to start the runtime. */
export interface StartOptions {
  readonly device: WebDevice;
  /** Of one run on the processor. */
  readonly threads: number;
  /** URL of the folder with the runtime's files. */
  readonly runtimeFolder: string | undefined;
}

/** A runtime on a device. */
export interface StartedRuntime {
  readonly runtime: Runtime;
  /** Threads that it really has. */
  readonly threads: number;
  /** Resolves with the reason when the device is lost; undefined for one that cannot be. */
  readonly lost: Promise<string> | undefined;
  /** Lets the device go; the last thing to do. */
  release(): Promise<void>;
}

/**
 * The builds of the runtime that this thread has, by name. Each can be started once: the thread count of the first start
 * holds for all.
 */
const started = new Map<string, Promise<Ort>>();

/** @throws Fault `BACKEND_UNAVAILABLE` if the runtime's files cannot be had or do not work here */
export async function startRuntime({ device, threads, runtimeFolder }: StartOptions): Promise<StartedRuntime> {
  const build = buildFor(device);
  const files = runtimeFiles(build, runtimeFolder);
  const loading =
    started.get(build) ??
    importBuild(build).then((ort) => {
      ort.env.logLevel = "error";
      ort.env.wasm.numThreads = threads;
      ort.env.wasm.wasmPaths = { ...files };
      return ort;
    });
  started.set(build, loading);
  try {
    const ort = await loading;
    const options = sessionOptions(device);
    const session = await ort.InferenceSession.create(probeGraph(), options);
    const wrong = await runProbe(ort, session);
    if (wrong !== undefined) {
      await session.release();
      throw new Error(wrong);
    }
    return {
      runtime: new Runtime(ort, options),
      threads: ort.env.wasm.numThreads ?? threads,
      lost: device === "webgpu" ? lossOf(ort) : undefined,
      // The runtime lets its GPU device go with its last session, so this one stays as long as the backend.
      release: () => session.release(),
    };
  } catch (error) {
    started.delete(build);
    throw new Fault("BACKEND_UNAVAILABLE", `onnxruntime-web does not start from ${files.wasm}: ${firstLine(error)}`);
  }
}

/** Session options that put a graph on a device. */
function sessionOptions(device: WebDevice): InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    logSeverityLevel: 3,
    // On one thread it changes nothing of what is computed, nor of the order in which it is; but no plan is made of which buffers later nodes may
    // reuse, and that plan is most of the time of starting a graph of 3,000 nodes (1.7 s of 2.2 s, mini on one thread).
    ...(device === "wasm" ? { executionMode: "parallel" as const } : {}),
  };
}

async function lossOf(ort: Ort): Promise<string> {
  const device = (await ort.env.webgpu.device) as unknown as GPUDevice;
  const { reason, message } = await device.lost;
  return message || reason;
}
