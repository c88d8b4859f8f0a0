// The conformance suites, for whoever writes a backend or an engine.

export { type BackendContext, type BackendSuiteOptions, backendChecks, describeBackend } from "./backend-suite.js";
export { type Check, rejects, settles } from "./check.js";
export { describeEngine, type EngineContext, type EngineSuiteOptions, engineChecks } from "./engine-suite.js";
