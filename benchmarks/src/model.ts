// The model that is timed: the bundled mini, a folder, or, while there is none, one of the same shape with random weights.

import { modelFolder, nodeBackend, type RunPlace } from "@microturn/backend-node";
import type { Backend, Engine, ModelSource, WeightType } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { type LoadedModel, manifestPath, miniConfig } from "@microturn/core/model";
import { tinyModel } from "@microturn/core/testing";
import { mini } from "@microturn/mini";

/** What every section needs to make engines. */
export interface BenchContext {
  /** Runs in a worker thread. */
  readonly backend: Backend;
  /** Starts another backend like it, except for where its runs are. */
  readonly backendOn: (place: RunPlace) => Promise<Backend>;
  readonly model: ModelSource | LoadedModel;
  /** The folder that was asked for, for processes that read it themselves. */
  readonly modelFolder: string | undefined;
  readonly threads: number | undefined;
  /** What the model is, in words. */
  readonly modelName: string;
  /** Short runs: to see that everything works, not to quote. */
  readonly quick: boolean;
  /** Tells progress. */
  readonly say: (text: string) => void;
}

/** Starts the backend and finds the model. */
export async function benchContext(options: {
  model: string | undefined;
  providers: readonly ("cuda" | "webgpu" | "cpu")[];
  threads: number | undefined;
  quick: boolean;
  say: (text: string) => void;
}): Promise<BenchContext> {
  const { model, providers, threads, quick, say } = options;
  const backendOn = (runOn: RunPlace) =>
    nodeBackend({ providers, runOn, ...(threads === undefined ? {} : { threads }) });
  return {
    backend: await backendOn("worker"),
    backendOn,
    ...(await findModel(model)),
    modelFolder: model,
    threads,
    quick,
    say,
  };
}

async function findModel(folder: string | undefined): Promise<Pick<BenchContext, "model" | "modelName">> {
  if (folder !== undefined) return { model: modelFolder(folder), modelName: folder };
  const bundled = await mini.read(manifestPath).catch(() => undefined);
  if (bundled !== undefined) return { model: mini, modelName: "mini" };
  // Weights change what is said and which experts say it, not how much work a micro-turn is.
  return { model: tinyModel({ config: miniConfig({ vocabSize: 1_000 }) }), modelName: "shape of mini, random weights" };
}

/** An engine of the context's model. */
export function benchEngine(
  { backend, model }: Pick<BenchContext, "backend" | "model">,
  { weights, maxSessions = 1 }: { weights?: WeightType; maxSessions?: number } = {},
): Engine {
  return localEngine({ model, backend, maxSessions, ...(weights === undefined ? {} : { weights }) });
}
