// Which build of onnxruntime-web a device needs, and where its files are.

import type { Ort } from "@microturn/backend-ort";
import type { WebDevice } from "./devices.js";

/** A build of onnxruntime-web. */
export type RuntimeBuild = "wasm" | "jspi" | "asyncify";

/** Addresses of the two files of a build. */
export interface RuntimeFiles {
  readonly mjs: string;
  readonly wasm: string;
}

/**
 * The build for a device. WASM has one of its own, without a GPU in it. For WebGPU, the one that waits for the device by
 * JSPI is 10 MB smaller than the one that is transformed to wait (asyncify), where the browser can run it.
 */
export function buildFor(device: WebDevice): RuntimeBuild {
  if (device === "wasm") return "wasm";
  return "Suspending" in WebAssembly ? "jspi" : "asyncify";
}

/** Names of the files of each build, as onnxruntime-web ships them. */
const names: Readonly<Record<RuntimeBuild, string>> = {
  wasm: "ort-wasm-simd-threaded",
  jspi: "ort-wasm-simd-threaded.jspi",
  asyncify: "ort-wasm-simd-threaded.asyncify",
};

/**
 * Where the files of a build are.
 *
 * @param folder - that holds them, by its URL; default beside this module, where this package's build puts them
 */
export function runtimeFiles(build: RuntimeBuild, folder: string | undefined): RuntimeFiles {
  if (folder === undefined) return beside(build);
  const base = new URL(folder.endsWith("/") ? folder : `${folder}/`, globalThis.location?.href);
  return { mjs: new URL(`${names[build]}.mjs`, base).href, wasm: new URL(`${names[build]}.wasm`, base).href };
}

/** Each address is written out, so that bundlers find the files and take them along. */
function beside(build: RuntimeBuild): RuntimeFiles {
  switch (build) {
    case "wasm":
      return {
        mjs: new URL("./ort/ort-wasm-simd-threaded.mjs", import.meta.url).href,
        wasm: new URL("./ort/ort-wasm-simd-threaded.wasm", import.meta.url).href,
      };
    case "jspi":
      return {
        mjs: new URL("./ort/ort-wasm-simd-threaded.jspi.mjs", import.meta.url).href,
        wasm: new URL("./ort/ort-wasm-simd-threaded.jspi.wasm", import.meta.url).href,
      };
    case "asyncify":
      return {
        mjs: new URL("./ort/ort-wasm-simd-threaded.asyncify.mjs", import.meta.url).href,
        wasm: new URL("./ort/ort-wasm-simd-threaded.asyncify.wasm", import.meta.url).href,
      };
  }
}

/** Loads the JavaScript side of a build. */
export async function importBuild(build: RuntimeBuild): Promise<Ort> {
  switch (build) {
    case "wasm":
      return await import("onnxruntime-web/wasm");
    case "jspi":
      return await import("onnxruntime-web/jspi");
    case "asyncify":
      return await import("onnxruntime-web/webgpu");
  }
}
