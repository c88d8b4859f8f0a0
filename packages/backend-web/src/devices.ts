// The two kinds of device that a page has: what graphs for each must look like, and whether it is there at all.

import type { GraphTarget } from "@microturn/core";

/** Where a browser can run a model: its GPU, or the processor through WebAssembly. */
export type WebDevice = "webgpu" | "wasm";

/** All of them, in the order in which they are tried unless the caller says otherwise. */
export const webDevices: readonly WebDevice[] = ["webgpu", "wasm"];

/** What the graph builder is told for each; figures in docs/backends.md. */
export const targets: Readonly<Record<WebDevice, GraphTarget>> = {
  // Control flow would stall the device once per expert; whole state never leaves the device.
  webgpu: { experts: "gather", state: "whole", weights: ["float32", "float16"] },
  // All experts of a small model in one wide product are a third of the time of choosing, and int8 has no fast kernel here.
  wasm: { experts: "dense", state: "rows", weights: ["float32", "float16"] },
};

/** What is known of one device in this browser, before anything is loaded. */
export interface DeviceReport {
  readonly device: WebDevice;
  /** Whether it is there and can be used. */
  readonly works: boolean;
  /** In words, as far as the browser tells; "" when it does not work. */
  readonly description: string;
  /** Why it does not work; "" when it does. */
  readonly reason: string;
  /** How to get it; "" when it works. */
  readonly fix: string;
  /** Of `wasm`: threads that runs may use. 1 unless the page is cross-origin isolated. */
  readonly threads?: number;
  /** Of `wasm`: whether the page is cross-origin isolated, so that threads can share memory. */
  readonly isolated?: boolean;
  /** Of `wasm`: memory of the machine, GiB, rounded; absent where the browser does not tell. */
  readonly memoryGib?: number;
  /** Of `webgpu`: the adapter computes on the processor. */
  readonly software?: boolean;
  /** Of `webgpu`: it computes in float16 too. */
  readonly shaderF16?: boolean;
  /** Of `webgpu`: largest buffer that a shader can bind, bytes. */
  readonly maxBufferBytes?: number;
}

/** Options of {@link probeDevices}. */
export interface ProbeDevicesOptions {
  /** Default all, in the order that they are tried in. */
  readonly devices?: readonly WebDevice[];
  /** Whether an adapter that computes on the processor counts; default false: WASM is faster. For tests. */
  readonly allowSoftware?: boolean;
}

/**
 * Says which devices this browser offers, in a page or a worker. Loads nothing, and never throws for one that is missing.
 *
 * @example
 * for (const { device, works, reason, fix } of await probeDevices()) console.log(device, works ? "works" : `${reason}: ${fix}`);
 */
export async function probeDevices(options: ProbeDevicesOptions = {}): Promise<DeviceReport[]> {
  const { devices = webDevices, allowSoftware = false } = options;
  const reports: DeviceReport[] = [];
  for (const device of devices) reports.push(device === "webgpu" ? await probeWebgpu(allowSoftware) : probeWasm());
  return reports;
}

/** Threads that a run on the processor may use here: at most 4, and 1 where memory cannot be shared. */
export function availableThreads(): number {
  return globalThis.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency ?? 1)) : 1;
}

/** A module with one SIMD instruction. */
const simdModule = Uint8Array.from(
  atob("AGFzbQEAAAABBQFgAAF7AwIBAAoKAQgAQQD9D/1iCw=="),
  (character) => character.codePointAt(0) ?? 0,
);

function probeWasm(): DeviceReport {
  const missing = (reason: string, fix: string): DeviceReport => {
    return { device: "wasm", works: false, description: "", reason, fix };
  };
  if (typeof WebAssembly !== "object") {
    return missing(
      "this browser has no WebAssembly, or is told not to use it",
      "leave lockdown mode, or use another browser",
    );
  }
  try {
    if (!WebAssembly.validate(simdModule)) {
      return missing("its WebAssembly has no SIMD", "use Chrome 91, Firefox 89, Safari 16.4 or later");
    }
    // Validation is always allowed; a content security policy forbids making a module.
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch (error) {
    return missing(
      `WebAssembly may not be compiled here (${error instanceof Error ? error.message : error})`,
      "add 'wasm-unsafe-eval' to script-src of the page's content security policy",
    );
  }
  const threads = availableThreads();
  const description = `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const { deviceMemory } = navigator as { readonly deviceMemory?: number };
  return {
    ...{ device: "wasm", works: true, description, reason: "", fix: "", threads },
    isolated: globalThis.crossOriginIsolated === true,
    ...(deviceMemory === undefined ? {} : { memoryGib: deviceMemory }),
  };
}

async function probeWebgpu(allowSoftware: boolean): Promise<DeviceReport> {
  const missing = (reason: string, fix: string, more: Partial<DeviceReport> = {}): DeviceReport => {
    return { device: "webgpu", works: false, description: "", reason, fix, ...more };
  };
  const { gpu } = navigator;
  if (gpu === undefined) {
    return globalThis.isSecureContext
      ? missing(
          "this browser has no WebGPU",
          "use Chrome or Edge 121, Safari 26, Firefox 141 (on Windows) or later, or WASM",
        )
      : missing("WebGPU needs a secure context", "serve the page over https, or from localhost");
  }
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return missing(
      `no adapter (${error instanceof Error ? error.message : error})`,
      "update the GPU driver, or use WASM",
    );
  }
  if (adapter === null)
    return missing("there is no adapter", "turn hardware acceleration on, update the GPU driver, or use WASM");
  const { limits, features } = adapter;
  // Browsers got it later than WebGPU.
  const info: Partial<GPUAdapterInfo> = adapter.info ?? {};
  const words = [info.vendor, info.architecture, info.description].filter((word) => word !== undefined && word !== "");
  const software = info.isFallbackAdapter === true || /swiftshader|llvmpipe|basic render/i.test(words.join(" "));
  const more = {
    software,
    shaderF16: features.has("shader-f16"),
    maxBufferBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
  };
  if (software && !allowSoftware) {
    return missing(
      "the adapter computes on the processor, slower than WASM",
      "turn hardware acceleration on, or use WASM",
      more,
    );
  }
  if (limits.maxStorageBuffersPerShaderStage < 8) {
    return missing(
      `the adapter binds ${limits.maxStorageBuffersPerShaderStage} buffers in a shader, 8 are needed`,
      "update the browser and the GPU driver, or use WASM",
      more,
    );
  }
  const name = words.join(" ");
  return {
    device: "webgpu",
    works: true,
    description: `WebGPU, ${name || "an adapter without a name"}`,
    reason: "",
    fix: "",
    ...more,
  };
}
