// The worker of a background in the process that talks: brought in when the first session is opened, not with the entry.

import { systemClock } from "@microturn/core";
import type { JobQueue } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import { type DelegationHandlerOptions, delegationHandler } from "../model/delegation-handler.js";

/** The session ends the wait for an approval; the worker's own limit only comes after that. */
const defaultApprovalMs = 60_000;
const approvalGraceMs = 10_000;

/** A queue whose jobs are done here, ready to work. */
export async function inProcessJobs(options: DelegationHandlerOptions): Promise<JobQueue> {
  const { clock = systemClock, approvalTimeoutMs = defaultApprovalMs } = options;
  const worksMs = Math.min(approvalTimeoutMs + approvalGraceMs, 2 ** 31 - 1);
  const handler = delegationHandler({ ...options, approvalTimeoutMs: worksMs });
  await handler.load();
  return localJobs(handler, { clock });
}
