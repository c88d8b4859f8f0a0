// The engine suite on the engine that runs a model in this process: tiny random weights, on the CPU.

import { nodeBackend } from "@microturn/backend-node";
import { localEngine } from "@microturn/core";
import { tinyModel } from "@microturn/core/testing";
import { afterAll } from "vitest";
import { describeEngine } from "./engine-suite.js";

// One for all engines of the suite: an engine leaves a backend that it was given open.
const backend = nodeBackend({ threads: 1 });
afterAll(async () => (await backend).close());

describeEngine("local, one session", () => localEngine({ model: tinyModel(), backend }));
describeEngine("local, three sessions in one batch", () =>
  localEngine({ model: tinyModel({ seed: 2 }), backend, weights: "float32", maxSessions: 3 }),
);
