// Loads onnxruntime-node, finds the first provider that works here, and puts a runtime on it.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, firstLine, probeGraph, Runtime, runProbe } from "@microturn/backend-ort";
import type * as ort from "onnxruntime-node";
import type { ProviderTrial, StartRequest } from "./messages.js";
import { cudaFilesPresent, type NodeProvider, profileNames } from "./providers.js";

/** The runtime's module, which is loaded late. */
export type Ort = typeof import("onnxruntime-node");

/**
 * Starts the runtime on the first provider that works.
 *
 * @returns what became of each that was tried; the last is in use unless it has a reason
 * @throws Fault `BACKEND_UNAVAILABLE` if onnxruntime-node is missing or broken
 */
export async function startRuntime(
  request: StartRequest,
): Promise<{ readonly runtime: Runtime; readonly trials: readonly ProviderTrial[] }> {
  const ort = await loadRuntime();
  ort.env.logLevel = "error";
  const trials: ProviderTrial[] = [];
  let options: ort.InferenceSession.SessionOptions = {};
  const probe = probeGraph();
  for (const provider of request.providers) {
    options = sessionOptions(provider, request);
    const reason = await tryProvider(ort, provider, options, probe);
    trials.push(reason === undefined ? { provider } : { provider, reason });
    if (reason === undefined) break;
  }
  // Measured for the kernels of the CPU. A GPU chooses its kernels by the batch, and gains little by a smaller one.
  const rowBlock = trials.at(-1)?.provider === "cpu" ? 4 : undefined;
  return { runtime: new Runtime(ort, options, rowBlock === undefined ? {} : { rowBlock }), trials };
}

/** Loads onnxruntime-node. @throws Fault `BACKEND_UNAVAILABLE` if it is missing or broken */
export async function loadRuntime(): Promise<Ort> {
  try {
    const module = await import("onnxruntime-node");
    return "default" in module ? (module.default as Ort) : module;
  } catch (error) {
    throw new Fault("BACKEND_UNAVAILABLE", `onnxruntime-node cannot be loaded: ${firstLine(error)}`);
  }
}

/** Session options that put a graph on a provider. */
export function sessionOptions(
  provider: NodeProvider,
  { threads, spinning, deviceId }: Pick<StartRequest, "threads" | "spinning" | "deviceId">,
): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [provider === "cuda" ? { name: "cuda", deviceId } : provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
  };
}

/**
 * Runs the probe graph on a provider and proves from the runtime's profile where it ran: a provider that the runtime does
 * not know is dropped by it without an error. The profile needs a temporary folder; where there is none, the CPU is believed on its
 * right result, because that is where the runtime runs what it drops.
 *
 * @returns why the provider does not work here, or undefined if it does
 */
export async function tryProvider(
  ort: Ort,
  provider: NodeProvider,
  options: ort.InferenceSession.SessionOptions,
  probe: Uint8Array,
): Promise<string | undefined> {
  if (!ort.listSupportedBackends().some((backend) => backend.name === provider)) {
    return `this build of onnxruntime-node (${process.platform}-${process.arch}) does not contain it`;
  }
  if (provider === "cuda" && !cudaFilesPresent()) return "the CUDA files of onnxruntime-node are not installed";
  const folder = temporaryFolder();
  if (folder === undefined && provider !== "cpu") {
    return `where it runs cannot be proven: nothing can be written to ${tmpdir()}; set TMPDIR to a folder that can be written to`;
  }
  try {
    const session = await ort.InferenceSession.create(probe, {
      ...options,
      ...(folder === undefined ? {} : { enableProfiling: true, profileFilePrefix: join(folder, "profile") }),
    });
    const wrong = await runProbe(ort, session);
    if (folder !== undefined) session.endProfiling();
    await session.release();
    if (wrong !== undefined) return wrong;
    if (folder === undefined) return undefined;
    const [profile] = readdirSync(folder);
    const events = JSON.parse(readFileSync(join(folder, profile), "utf8")) as { args?: { provider?: string } }[];
    const ran = events.some((event) => event.args?.provider === profileNames[provider]);
    return ran ? undefined : "the runtime ran the test graph on another provider";
  } catch (error) {
    return firstLine(error);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** A new folder for temporary files; undefined where none can be made. */
function temporaryFolder(): string | undefined {
  try {
    return mkdtempSync(join(tmpdir(), "microturn-probe-"));
  } catch {
    return undefined;
  }
}
