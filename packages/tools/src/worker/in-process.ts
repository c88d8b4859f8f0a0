// The worker of a background in the process that talks: brought in when the first session is opened, not with the entry.

import { systemClock } from "@microturn/core";
import type { JobQueue } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import { type DelegationHandlerOptions, delegationHandler } from "../model/delegation-handler.js";

/** A queue whose jobs are done here, ready to work. */
export async function inProcessJobs(options: DelegationHandlerOptions): Promise<JobQueue> {
  const { clock = systemClock } = options;
  const handler = delegationHandler(options);
  await handler.load();
  return localJobs(handler, { clock });
}
