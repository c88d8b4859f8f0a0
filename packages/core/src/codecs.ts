// The public names of @microturn/core/codecs: what models hear, see and say in numbers, and back.

export { AcousticModel, type Utterance } from "./audio/acoustic-model.js";
export { DmelEncoder, type DmelEncoderState, decodeDmel, encodeDmel } from "./audio/dmel.js";
export { packLevels, unpackLevels } from "./audio/dmel-nibbles.js";
export { type DmelPreset, dmel20, dmel40, dmel80, dmelPreset, dmelSpeech } from "./audio/dmel-presets.js";
export { ComplexFft, RealFft } from "./audio/fft.js";
export type { FrameBufferState } from "./audio/frame-buffer.js";
export { hzToMel, MelFilterbank, type MelOptions, melMatrix, melToHz } from "./audio/mel.js";
export { SourceFilterVocoder, type SourceFilterVocoderState } from "./audio/source-filter-vocoder.js";
export { sourceFilterGeometry, type Vocoder } from "./audio/vocoder.js";
export { VocoderNetwork, type VocoderNetworkState, type VocoderWeight } from "./audio/vocoder-network.js";
export { SourceFilterSynthesis, type SynthesisState } from "./audio/vocoder-synthesis.js";
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
