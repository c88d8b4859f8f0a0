// The worker of a background in the process that talks: brought in when the first session is opened, not with the entry.

import { type DuplexSession, systemClock } from "@microturn/core";
import type { JobQueue } from "../jobs/job.js";
import { localJobs } from "../jobs/local-jobs.js";
import { type DelegationHandlerOptions, handlerGivingWay } from "../model/delegation-handler.js";
import { MicroTurns } from "./micro-turns.js";

export { readTool } from "../calls/read-tool.js";
export { UserVoice } from "../conversation/user-voice.js";

/** The session ends the wait for an approval; the worker's own limit only comes after that. */
const defaultApprovalMs = 60_000;
const approvalGraceMs = 10_000;

/** A queue whose jobs are done here, ready to work. They give way to the micro-turns of the sessions that there are at the time. */
export async function inProcessJobs(
  options: DelegationHandlerOptions,
  sessions: ReadonlySet<DuplexSession>,
): Promise<JobQueue> {
  const { clock = systemClock, approvalTimeoutMs = defaultApprovalMs } = options;
  const worksMs = Math.min(approvalTimeoutMs + approvalGraceMs, 2 ** 31 - 1);
  const handler = handlerGivingWay({ ...options, approvalTimeoutMs: worksMs }, new MicroTurns(sessions, clock));
  await handler.load();
  return localJobs(handler, { clock });
}
