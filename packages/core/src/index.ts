// The public names of @microturn/core, written by hand: adding one is a decision. Contracts, sessions, traces, and samples in and
// out; what runs a model in this process is in ./local, the model family in ./model, its codecs in ./codecs.

export { floatToInt16, int16ToFloat, mixToMono } from "./audio/pcm.js";
export { Resampler, type ResamplerOptions, type ResamplerState, resample } from "./audio/resampler.js";
export { defaultResamplerQuality, type ResamplerQuality } from "./audio/resampler-filter.js";
export { prepareResampler } from "./audio/resampler-preparation.js";
export type { WavCoding, WavFormat } from "./audio/wav-format.js";
export { readWav, type WavEnd, type WavFile, WavReader } from "./audio/wav-reader.js";
export { WavWriter, type WavWriterOptions, writeWav } from "./audio/wav-writer.js";
export type {
  Backend,
  BackendCapabilities,
  Executable,
  ExpertForm,
  Graph,
  GraphTarget,
  LoadOptions,
  RunOptions,
  RunResult,
  StateForm,
  StateHandle,
  StateSnapshot,
  StateSpec,
  StateUpdate,
  WeightType,
} from "./backend.js";
export type {
  Background,
  BackgroundActivity,
  BackgroundAttachment,
  BackgroundDeltaActivity,
  BackgroundDropActivity,
  BackgroundEndActivity,
  ToolCallActivity,
  ToolProgressActivity,
  ToolResultActivity,
} from "./background.js";
export type {
  Delegation,
  Engine,
  EngineCapabilities,
  EngineIdentity,
  EngineLoadOptions,
  EngineOpenOptions,
  EngineSession,
  EngineSnapshot,
  EngineTiming,
  ImageFrame,
  LoadProgress,
  PlaybackPosition,
  TextInput,
  TurnInput,
  TurnInside,
  TurnOutput,
  UnsaidText,
} from "./engine.js";
export { DuplexError, type DuplexErrorCode } from "./errors.js";
export type { ModelSource, ReadOptions } from "./model/source.js";
export { checkTurnInput } from "./session/check-turn-input.js";
export { type Clock, systemClock } from "./session/clock.js";
export type { DeliveryPolicy } from "./session/delivery.js";
export { DuplexSession } from "./session/duplex-session.js";
export type {
  BackgroundDeltaEvent,
  BackgroundDropEvent,
  BackgroundEndEvent,
  ConversationEntry,
  DelegationCancelEvent,
  DelegationEvent,
  DeliveryEvent,
  DeliveryOutcome,
  ErrorEvent,
  FlushEvent,
  HeardDeltaEvent,
  InputRefusedEvent,
  RewindEvent,
  SessionEndEvent,
  SessionEndReason,
  SessionEvent,
  SessionEventBase,
  SessionHandlers,
  SessionStartEvent,
  SpeechEvent,
  TextDeltaEvent,
  ToolCallEvent,
  ToolProgressEvent,
  ToolResultEvent,
  TurnEndEvent,
  TurnLateEvent,
  TurnStartEvent,
  YieldEvent,
} from "./session/events.js";
export { type ReplayDifference, type ReplayOptions, type ReplayReport, replayTrace } from "./session/replay.js";
export type { DuplexSessionOptions, SessionSettings, SessionSnapshot } from "./session/session-options.js";
export type { DeadlinePolicy, Pace } from "./session/session-state.js";
export { SharedLoad as experimental_SharedLoad } from "./session/shared-load.js";
export {
  type SessionTrace,
  type TraceHeader,
  type TraceTurn,
  type TraceTurnInput,
  type TraceTurnOutput,
  traceAudio,
} from "./session/trace.js";
export { type ReadTraceOptions, readTrace, traceElementId, writeTrace } from "./session/trace-file.js";
export { recordTrace, type TraceOptions, type TraceRecorder } from "./session/trace-recorder.js";
export type { TurnRecord, TurnRecordInput, TurnRecordOutput, TurnTiming } from "./session/turn.js";
export {
  allocate,
  checkTensor,
  elementCount,
  type Tensor,
  type TensorData,
  type TensorSpec,
  type TensorType,
} from "./tensor.js";
