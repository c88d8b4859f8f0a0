// The engine suite on the engine that runs a model in this process: tiny random weights, on the CPU.

import { nodeBackend } from "@microturn/backend-node";
import { type Backend, localEngine } from "@microturn/core";
import { tinyModel } from "@microturn/core/testing";
import { afterAll } from "vitest";
import { describeEngine } from "./engine-suite.js";

// Two backends for all engines of the suite: an engine leaves a backend that it was given open.
const backends: Promise<Backend>[] = [
  nodeBackend({ threads: 1 }),
  nodeBackend({ threads: 1, target: { state: "whole" } }),
];
afterAll(async () => {
  for (const backend of backends) await (await backend).close();
});

describeEngine("local, one session", () => localEngine({ model: tinyModel(), backend: backends[0] }));
describeEngine("local, three sessions in one batch", () =>
  localEngine({ model: tinyModel({ seed: 2 }), backend: backends[0], weights: "float32", maxSessions: 3 }),
);
describeEngine("local, whole state", () =>
  localEngine({ model: tinyModel(), backend: backends[1], weights: "float32", maxSessions: 2 }),
);
