// The worker of a background in the process that talks: brought in when the first session is opened, not with the entry.

import { systemClock } from "@microturn/core";
import type { JobQueue } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import { type DelegationHandlerOptions, handlerGivingWay } from "../model/delegation-handler.js";
import { type GiveWay, givingWayInTime } from "../model/give-way.js";

/** The session ends the wait for an approval; the worker's own limit only comes after that. */
const defaultApprovalMs = 60_000;
const approvalGraceMs = 10_000;

/** A queue whose jobs are done here, ready to work. They give way to micro-turns. */
export async function inProcessJobs(options: DelegationHandlerOptions, giveWay: GiveWay): Promise<JobQueue> {
  const { clock = systemClock, approvalTimeoutMs = defaultApprovalMs } = options;
  const worksMs = Math.min(approvalTimeoutMs + approvalGraceMs, 2 ** 31 - 1);
  const handler = handlerGivingWay({ ...options, approvalTimeoutMs: worksMs }, givingWayInTime(giveWay, clock));
  await handler.load();
  return localJobs(handler, { clock });
}
