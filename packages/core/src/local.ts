// The public names of @microturn/core/local: a model on a backend of this process as an engine.

export { type LocalEngineOptions, localEngine } from "./session/local-engine.js";
