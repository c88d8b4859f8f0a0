// ONNX Runtime's native builds report usage to their maker from version 1.29 on (Linux and macOS). We turn that off.
// The runtime reads the process environment when it is first loaded, and a worker only has a copy of it.

import { isMainThread } from "node:worker_threads";
import { DuplexError } from "@microturn/core";

const variable = "ORT_DISABLE_TELEMETRY";

/**
 * Keeps the runtime from reporting usage; call it before the runtime is first loaded in this process.
 *
 * @throws DuplexError `UNSUPPORTED` in a worker thread, whose environment the runtime does not see, unless the
 *   variable is already set in the environment of the process
 */
export function disableTelemetry(): void {
  if (process.env[variable] !== undefined && (isMainThread || isReallySet())) return;
  if (!isMainThread) {
    throw new DuplexError(
      "UNSUPPORTED",
      `nodeBackend: telemetry of ONNX Runtime cannot be turned off from a worker thread; start the process with ${variable}=1, call nodeBackend on the main thread, or pass telemetry: true`,
    );
  }
  process.env[variable] = "1";
}

/** Whether the process has the variable, whatever the copy of a worker says; its report is the one view of it from there. */
function isReallySet(): boolean {
  const { environmentVariables } = process.report.getReport() as { environmentVariables?: Record<string, string> };
  return environmentVariables?.[variable] !== undefined;
}
