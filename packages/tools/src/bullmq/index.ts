// The public names of @microturn/tools/bullmq, written by hand: adding one is a decision.

export type { LogLimits } from "../jobs/log-limits.js";
export { type BullmqJobsOptions, bullmqJobs } from "./bullmq-jobs.js";
export { type BullmqWorker, type BullmqWorkerOptions, bullmqWorker } from "./bullmq-worker.js";
export type { RedisAddress } from "./redis-link.js";
