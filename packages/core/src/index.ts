// The public names of @microturn/core, written by hand: adding one is a decision.

export { AcousticModel, type Utterance } from "./audio/acoustic-model.js";
export { DmelEncoder, type DmelEncoderState, decodeDmel, encodeDmel } from "./audio/dmel.js";
export { packLevels, unpackLevels } from "./audio/dmel-nibbles.js";
export { type DmelPreset, dmel20, dmel40, dmel80, dmelPreset, dmelSpeech } from "./audio/dmel-presets.js";
export { ComplexFft, RealFft } from "./audio/fft.js";
export type { FrameBufferState } from "./audio/frame-buffer.js";
export { hzToMel, MelFilterbank, type MelOptions, melMatrix, melToHz } from "./audio/mel.js";
export { floatToInt16, int16ToFloat, mixToMono } from "./audio/pcm.js";
export { Resampler, type ResamplerOptions, type ResamplerState, resample } from "./audio/resampler.js";
export { defaultResamplerQuality, type ResamplerQuality } from "./audio/resampler-filter.js";
export { SourceFilterVocoder, type SourceFilterVocoderState } from "./audio/source-filter-vocoder.js";
export { sourceFilterGeometry, type Vocoder } from "./audio/vocoder.js";
export { VocoderNetwork, type VocoderNetworkState, type VocoderWeight } from "./audio/vocoder-network.js";
export { SourceFilterSynthesis, type SynthesisState } from "./audio/vocoder-synthesis.js";
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
  TextInput,
  TurnInput,
  TurnInside,
  TurnOutput,
  UnsaidText,
} from "./engine.js";
export { DuplexError, type DuplexErrorCode } from "./errors.js";
export { buildDuplexGraph, controlToken, type DuplexGraphOptions, toldToken } from "./graph/duplex-graph.js";
export { Emitter as experimental_Emitter } from "./graph/emitter.js";
export { buildLanguageGraph, type LanguageGraphOptions } from "./graph/language-graph.js";
export {
  type OnnxGraph as experimental_OnnxGraph,
  writeModel as experimental_writeModel,
} from "./graph/onnx-writer.js";
export {
  type AcousticShape,
  type AttentionShape,
  type DuplexLayout,
  type ModelConfig,
  type PatchLayer,
  positionsPerTurn,
  type VocoderShape,
} from "./model/config.js";
export { type LoadedModel, type LoadModelOptions, loadModel, manifestPath, sha256 } from "./model/load.js";
export { type ManifestFile, type ModelManifest, parseManifest } from "./model/manifest.js";
export { completePreset, inkling, inklingSmall, miniConfig, type PresetWithGaps, tinyConfig } from "./model/presets.js";
export {
  joinShards,
  readSafetensors,
  readShardIndex,
  type SafetensorsFile,
  writeSafetensors,
} from "./model/safetensors.js";
export type { ModelSource, ReadOptions } from "./model/source.js";
export { specialTokens, TokenDecoder, Tokenizer } from "./model/tokenizer.js";
export { validateConfig } from "./model/validate-config.js";
export { weightShapes } from "./model/weight-shapes.js";
export {
  createWeights,
  type StoredWeight,
  type WeightStorage,
  type Weights,
  weightsFromArrays,
} from "./model/weights.js";
export { type ExpertOptions, type ExpertWeights, mixtureOfExperts } from "./moe/experts.js";
export { type RouterOptions, type Routing, route } from "./moe/router.js";
export { checkTurnInput } from "./session/check-turn-input.js";
export { type Clock, systemClock } from "./session/clock.js";
export type { DeliveryPolicy } from "./session/delivery.js";
export { DuplexSession } from "./session/duplex-session.js";
export type {
  ConversationEntry,
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
  TurnEndEvent,
  TurnLateEvent,
  TurnStartEvent,
  YieldEvent,
} from "./session/events.js";
export { type LocalEngineOptions, localEngine } from "./session/local-engine.js";
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
export { spokenForm } from "./text/spoken-form.js";
export type { ImagePixels } from "./vision/image.js";
export {
  encodePatches,
  PatchEncoder,
  type Patches,
  type PatchOptions,
  type PatchPlan,
  patchGrid,
} from "./vision/patches.js";
export { ImageScaler, type ScaleFilter, scaleImage } from "./vision/scale-image.js";
