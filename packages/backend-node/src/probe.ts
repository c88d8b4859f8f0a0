// Which execution providers work on this machine, found by trying each, for `microturn doctor`.

import { execFile, fork } from "node:child_process";
import { cpus } from "node:os";
import { promisify } from "node:util";
import { probeGraph } from "@microturn/backend-ort";
import { DuplexError } from "@microturn/core";
import { cudaFilesPresent, howToGet, installFix, type NodeProvider, nodeProviders } from "./providers.js";
import { builtFile } from "./worker-location.js";

/** What is known of one execution provider on this machine. */
export interface ProviderReport {
  readonly provider: NodeProvider;
  /** Whether it ran a small graph, with the right result, by itself. */
  readonly works: boolean;
  /** The device in words, as far as it can be known from Node. */
  readonly device: string;
  /** Why it does not work; "" when it does. */
  readonly reason: string;
  /** How to get it; "" when it works. */
  readonly fix: string;
}

/** Options of {@link probeProviders}. */
export interface ProbeOptions {
  /** Default all that this backend knows, fastest first. */
  readonly providers?: readonly NodeProvider[];
  /** Limit for each, ms; default 30000. */
  readonly timeoutMs?: number;
  /** Ends the trial under way, and starts no other. */
  readonly signal?: AbortSignal;
}

/**
 * Tries execution providers, each in a process of its own, one after another. Never throws for a provider that does not
 * work. The runtime's telemetry is off in these processes.
 *
 * @throws DuplexError `ABORTED`
 */
export async function probeProviders(options: ProbeOptions = {}): Promise<ProviderReport[]> {
  const { providers = nodeProviders, timeoutMs = 30_000, signal } = options;
  const reports: ProviderReport[] = [];
  for (const provider of providers) {
    const reason = signal?.aborted ? "" : await tryInProcess(provider, timeoutMs, signal);
    if (signal?.aborted) {
      throw new DuplexError("ABORTED", "probeProviders: the caller's signal fired", { cause: signal.reason });
    }
    const works = reason === "";
    reports.push({
      provider,
      works,
      device: works ? await deviceOf(provider) : "",
      reason,
      fix: works ? "" : fixOf(provider, reason),
    });
  }
  return reports;
}

/** Why a provider does not work, "" if it does. */
function tryInProcess(provider: NodeProvider, timeoutMs: number, signal: AbortSignal | undefined): Promise<string> {
  const probe = Buffer.from(probeGraph()).toString("base64");
  const child = fork(builtFile("probe-process.js"), [provider, probe], {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  return new Promise((resolve) => {
    let said: { reason?: string } | undefined;
    let errors = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const stop = () => child.kill("SIGKILL");
    signal?.addEventListener("abort", stop, { once: true });
    child.stderr?.on("data", (chunk: Buffer) => {
      if (errors.length < 65_536) errors += chunk.toString();
    });
    child.on("message", (message) => {
      said = message as { reason?: string };
    });
    child.on("error", (error) => {
      errors += error.message;
    });
    child.on("close", (code, killed) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      if (late) resolve(`it did not answer within ${timeoutMs} ms`);
      else if (said !== undefined) resolve(said.reason === undefined ? "" : withCause(said.reason, errors));
      else resolve(withCause(`the trial ended with ${killed ?? `exit code ${code}`}`, errors));
    });
  });
}

/** Adds what only the error stream tells: the library that could not be opened, or the error that ended the process. */
function withCause(reason: string, errors: string): string {
  const missing = /([^\s/]+\.so[.\d]*): cannot open shared object file/.exec(errors);
  if (missing !== null) return `${reason} (${missing[1]} is missing)`;
  const line = errors.split("\n").find((text) => text.includes("onnxruntime-node cannot be loaded"));
  return line === undefined ? reason : line.replace(/^.*?(onnxruntime-node cannot)/, "$1").trim();
}

function fixOf(provider: NodeProvider, reason: string): string {
  if (reason.includes("onnxruntime-node cannot be loaded")) return installFix;
  const fix = howToGet(provider, process.platform, process.arch);
  // The command alone helps where the files are absent; where they are present, a library or the driver is.
  return provider === "cuda" && cudaFilesPresent()
    ? fix.replace(/^run `[^`]+` in your project, and have/, "have")
    : fix;
}

async function deviceOf(provider: NodeProvider): Promise<string> {
  if (provider === "cpu") return `${cpus()[0]?.model.trim() || process.arch}, ${cpus().length} cores`;
  if (provider === "webgpu") return "default WebGPU adapter (Dawn)";
  try {
    const query = ["--query-gpu=name,driver_version", "--format=csv,noheader"];
    const { stdout } = await promisify(execFile)("nvidia-smi", query, { timeout: 5_000 });
    return stdout.split("\n")[0].trim();
  } catch {
    return "CUDA device 0";
  }
}
