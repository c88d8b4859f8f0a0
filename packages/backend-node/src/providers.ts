// The execution providers of onnxruntime-node that we support: how a graph must be formed for each, how to ask for it,
// and how to get it when it is missing.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { GraphTarget } from "@microturn/core";

/** An execution provider of this backend. */
export type NodeProvider = "cuda" | "webgpu" | "cpu";

/** Every provider, fastest first. */
export const nodeProviders: readonly NodeProvider[] = ["cuda", "webgpu", "cpu"];

/** What the graph builder should make for each provider; where the choices were measured is in docs/backends.md. */
export const targets: Readonly<Record<NodeProvider, GraphTarget>> = {
  cpu: { experts: "if", state: "rows", weights: ["int8", "float32", "float16"] },
  // Control flow would stall the device once per expert. State crosses the bus (no device binding for CUDA in Node), so
  // only new rows come back.
  cuda: { experts: "gather", state: "rows", weights: ["float32"] },
  webgpu: { experts: "gather", state: "whole", weights: ["float32", "float16"] },
};

/** Name that the runtime gives a provider in its profile. */
export const profileNames: Readonly<Record<NodeProvider, string>> = {
  cpu: "CPUExecutionProvider",
  cuda: "CUDAExecutionProvider",
  webgpu: "WebGpuExecutionProvider",
};

/** The command that fetches the CUDA files of onnxruntime-node into a project. */
export const cudaInstallCommand = "npm rebuild onnxruntime-node --foreground-scripts --onnxruntime-node-install=cuda12";

/** The CUDA part of onnxruntime-node, which is downloaded apart. */
const cudaFile = "libonnxruntime_providers_cuda.so";

/** Whether the CUDA part of onnxruntime-node was downloaded; onnxruntime-node itself must be there. */
export function cudaFilesPresent(): boolean {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return existsSync(join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch, cudaFile));
}

/** How to get a provider, in a sentence for people; "" when there is nothing to do. */
export function howToGet(provider: NodeProvider, platform: string, arch: string): string {
  if (provider === "cuda") {
    if (platform !== "linux" || arch !== "x64") {
      return `onnxruntime-node has CUDA for linux-x64 only (this is ${platform}-${arch}); use webgpu or cpu here`;
    }
    return `run \`${cudaInstallCommand}\` in your project, and have an NVIDIA driver, the CUDA 12 runtime (cudart, cublas, cublasLt, cufft, curand) and cuDNN 9 on the library path`;
  }
  if (provider === "webgpu") {
    if (platform === "linux") {
      return "install a Vulkan 1.1 driver for your GPU and the loader libvulkan1; without a GPU set VK_ICD_FILENAMES to SwiftShader's vk_swiftshader_icd.json (slow, for tests)";
    }
    return platform === "win32" ? "update the GPU driver (Direct3D 12)" : "a GPU with Metal is needed";
  }
  return `reinstall onnxruntime-node; it has binaries for linux (glibc 2.28 or later), win32 and darwin-arm64 (this is ${platform}-${arch})`;
}

/** How to repair an installation of onnxruntime-node that does not load. */
export const installFix =
  "add the line `onnxruntime-node-install=skip` to .npmrc (its install script fails where its download is unreachable) and run `npm install onnxruntime-node@1.30.0`";
