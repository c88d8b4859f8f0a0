// Test doubles and small models for tests of applications and of this project.

export { encodeDmelPlain, logMelPlain } from "../audio/dmel-plain.js";
export { type ReferenceInput, ReferenceModel, type ReferenceOutput, type ReferenceYield } from "../graph/reference.js";
export { buildVocoderGraph } from "../graph/vocoder-graph.js";
export { codeOf } from "./code-of.js";
export { FakeClock, settled } from "./fake-clock.js";
export {
  politeScript,
  type Script,
  type ScriptedEngine,
  type ScriptedEngineOptions,
  type ScriptedTurn,
  scriptedEngine,
} from "./scripted-engine.js";
export { SimulatedUser, type SimulatedUserOptions, type UserSegment } from "./simulated-user.js";
export { randomWeights, type TinyModelOptions, tinyAcoustic, tinyModel, tinyModelFiles } from "./tiny-model.js";
