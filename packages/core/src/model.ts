// The public names of @microturn/core/model: the model family, its files, its experts, and the graphs made of it.

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
