// The public names of @microturn/core, written by hand: adding one is a decision.

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
export {
  type AttentionShape,
  type DuplexLayout,
  type ModelConfig,
  type PatchLayer,
  positionsPerTurn,
  type VocoderShape,
} from "./model/config.js";
export type { ManifestFile, ModelManifest } from "./model/manifest.js";
export {
  allocate,
  checkTensor,
  elementCount,
  type Tensor,
  type TensorData,
  type TensorSpec,
  type TensorType,
} from "./tensor.js";
