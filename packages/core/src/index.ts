// The public names of @microturn/core, written by hand: adding one is a decision.

export { DmelEncoder, type DmelEncoderState, decodeDmel, encodeDmel } from "./audio/dmel.js";
export { packLevels, unpackLevels } from "./audio/dmel-nibbles.js";
export { type DmelPreset, dmel20, dmel40, dmel80, dmelPreset, dmelSpeech } from "./audio/dmel-presets.js";
export { ComplexFft, RealFft } from "./audio/fft.js";
export type { FrameBufferState } from "./audio/frame-buffer.js";
export { hzToMel, MelFilterbank, type MelOptions, melMatrix, melToHz } from "./audio/mel.js";
export { floatToInt16, int16ToFloat, mixToMono } from "./audio/pcm.js";
export { Resampler, type ResamplerOptions, type ResamplerState, resample } from "./audio/resampler.js";
export { defaultResamplerQuality, type ResamplerQuality } from "./audio/resampler-filter.js";
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
} from "./engine.js";
export { DuplexError, type DuplexErrorCode } from "./errors.js";
export { Emitter as experimental_Emitter } from "./graph/emitter.js";
export {
  type OnnxGraph as experimental_OnnxGraph,
  writeModel as experimental_writeModel,
} from "./graph/onnx-writer.js";
export {
  type AttentionShape,
  type DuplexLayout,
  type ModelConfig,
  type PatchLayer,
  positionsPerTurn,
  type VocoderShape,
} from "./model/config.js";
export type { ManifestFile, ModelManifest } from "./model/manifest.js";
export type { ModelSource } from "./model/source.js";
export {
  allocate,
  checkTensor,
  elementCount,
  type Tensor,
  type TensorData,
  type TensorSpec,
  type TensorType,
} from "./tensor.js";
