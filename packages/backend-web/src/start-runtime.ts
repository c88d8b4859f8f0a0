// Puts onnxruntime-web on a device, and proves that it computes there.

import { firstLine, isOutOfMemory, type Ort, probeGraph, Runtime, runProbe } from "@microturn/backend-ort";
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

/** Why the runtime does not start on a device, and what to do. */
export class StartFailure extends Error {
  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

const deviceFix = "update browser and GPU driver, or use another device";
/** What to do where memory is too small. */
export const memoryFix = "close other tabs and programs, or use a smaller model";
const filesFix =
  "load again once its server can be reached, or serve the folder dist/ort of @microturn/backend-web with your app (.mjs as text/javascript), and name its URL in runtimeFolder if it lies elsewhere";

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

/** @throws StartFailure if the runtime's files cannot be had or do not work here */
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
  let session: InferenceSession | undefined;
  try {
    const ort = await loading;
    const options = sessionOptions(device);
    const probe = await ort.InferenceSession.create(probeGraph(), options);
    session = probe;
    const wrong = await runProbe(ort, probe);
    if (wrong !== undefined) throw new Error(wrong);
    return {
      // Measured for the kernels in WebAssembly, as for those of x86-64.
      runtime: new Runtime(ort, options, device === "wasm" ? { rowBlock: 4 } : {}),
      threads: ort.env.wasm.numThreads ?? threads,
      lost: device === "webgpu" ? lossOf(ort) : undefined,
      // The runtime lets its GPU device go with its last session, so this one stays as long as the backend.
      release: () => probe.release(),
    };
  } catch (error) {
    started.delete(build);
    await session?.release().catch(() => {});
    const there = await fetch(files.wasm, { method: "HEAD" }).then(
      // Some servers give a page of theirs for whatever they do not have.
      ({ ok, headers }) => ok && !headers.get("Content-Type")?.includes("html"),
      () => false,
    );
    const reason = there ? "does not work on this device" : `cannot be had from ${files.wasm}`;
    const fix = isOutOfMemory(error) ? memoryFix : deviceFix;
    throw new StartFailure(`onnxruntime-web ${reason}: ${firstLine(error)}`, there ? fix : filesFix);
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
