// The conformance suites, for whoever writes a backend or an engine.

export { type BackendSuiteOptions, backendChecks, describeBackend, graphChecks } from "./backend-suite.js";
export { type BackgroundContext, backgroundChecks, describeBackground } from "./background/background-suite.js";
export type {
  Ask,
  AskingAbilities,
  AskingEngine,
  AskingService,
  ServiceAnswer,
} from "./background/service-under-test.js";
export { type BackendContext, type Check, rejects, settles } from "./check.js";
export { describeEngine, type EngineContext, type EngineSuiteOptions, engineChecks } from "./engine-suite.js";
export {
  describeJobQueue,
  type JobQueueSuiteOptions,
  jobQueueChecks,
  type QueueContext,
} from "./jobs/job-queue-suite.js";
export type { QueueBench, QueueOptions, QueueUnderTest } from "./jobs/queue-under-test.js";
export { type HandlerHost, type Script, scriptedHandler } from "./jobs/scripted-handler.js";
export type {
  DoubleCall,
  DoubleReply,
  Refusal,
  ServiceAbilities,
  ServiceDouble,
  SoundForm,
  WireUnderTest,
} from "./remote/service-double.js";
export { describeWire, type WireContext, wireChecks } from "./remote/wire-suite.js";
