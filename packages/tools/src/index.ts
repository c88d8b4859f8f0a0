// The public names of @microturn/tools, written by hand: adding one is a decision. What a session needs; what does the work is in
// ./worker, which is brought in when the first session is opened.

export {
  type BackgroundModel,
  type BackgroundModelOptions,
  backgroundModel,
  type RunningWork,
  type Where,
} from "./background-model.js";
export type { UndeliveredReason } from "./conversation/answer.js";
export type { ApprovalContext, ApprovalRequest, Approve } from "./conversation/approvals.js";
export { type ApproveByVoiceOptions, approveByVoice } from "./conversation/approve-by-voice.js";
export type { Undelivered } from "./conversation/conversation.js";
export type { SpokenRequest, Transcribe } from "./conversation/user-voice.js";
export { type FunctionDeclaration, functionsOf } from "./functions/functions-of.js";
export type {
  ContextAudio,
  ContextEntry,
  ContextImage,
  DelegationContext,
  EarlierResult,
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
export type { DelegationHandlerOptions } from "./model/delegation-handler.js";
export type { LanguageModel } from "./model/language-model.js";
export type { RedactedPlace, RedactionOptions } from "./redaction/redaction.js";
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
