// The public names of @microturn/tools/worker, written by hand: what does the work of a background. `backgroundModel` brings it in by
// itself; a process of its own that works for `bullmqJobs` imports it.

export { compactContext } from "../context/compact-context.js";
export { backgroundPrompt } from "../context/prompt.js";
export { type LocalJobsOptions, localJobs } from "../jobs/local-jobs.js";
export type { LogLimits } from "../jobs/log-limits.js";
export {
  type DelegationHandler,
  type DelegationHandlerOptions,
  delegationHandler,
} from "../model/delegation-handler.js";
