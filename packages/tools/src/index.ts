// The public names of @microturn/tools, written by hand: adding one is a decision.

export type {
  ContextEntry,
  ContextImage,
  DelegationContext,
  Job,
  JobDelegation,
  JobEvent,
  JobHandler,
  JobMessage,
  JobOutcome,
  JobQueue,
  JobRun,
  LoggedEvent,
} from "./jobs/job.js";
export {
  type AiSchema,
  type AiValidation,
  type JsonSchema,
  type RetryRule,
  type Schema,
  type Tool,
  type ToolContext,
  type ToolSet,
  tool,
} from "./tool.js";
