// The engine that a command line asks for: a model, the Node backend, and a word about what was passed over.

import { modelFolder, nodeBackend } from "@microturn/backend-node";
import type { Engine } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import type { RunOptions } from "./command/command-line.js";

/** An engine and what goes with it. */
export interface OpenedEngine {
  readonly engine: Engine;
  /** Sentences for people, for example that a provider was passed over. */
  readonly notes: readonly string[];
  /** Frees everything; always resolves. */
  close(): Promise<void>;
}

/** Which model, where and how. */
export type EngineChoice = Pick<RunOptions, "model" | "providers" | "weights" | "threads"> &
  Partial<Pick<RunOptions, "realtime">>;

/**
 * Starts the backend and makes the engine; the model is read when the engine loads.
 *
 * @throws DuplexError `BACKEND_UNAVAILABLE` if none of the providers works here
 */
export async function openEngine(choice: EngineChoice): Promise<OpenedEngine> {
  const { model, providers, weights, threads, realtime = false } = choice;
  // A recording has time; a microphone must be read while the model loads and runs.
  const backend = await nodeBackend({
    providers,
    runOn: realtime ? "worker" : "caller",
    ...(threads === undefined ? {} : { threads }),
  });
  const engine = localEngine({
    model: model === undefined ? mini : modelFolder(model),
    backend,
    ...(weights === undefined ? {} : { weights }),
    maxSessions: 1,
  });
  return {
    engine,
    notes: backend.passedOver.map(
      ({ provider, reason, fix }) =>
        `${provider} does not work here (${reason}), using ${backend.capabilities.provider}; to get it, ${fix}`,
    ),
    async close() {
      await engine.close().catch(() => {});
      await backend.close().catch(() => {});
    },
  };
}
