// The public names of @microturn/backend-remote, written by hand: adding one is a decision.

export { type MicroturnEngineOptions, microturnEngine } from "./micro-turn/micro-turn-engine.js";
export type { OpusCodec, OpusDecoder, OpusEncoder } from "./opus/opus-codec.js";
export type { ConnectionOptions } from "./paced/paced-engine.js";
export type {
  MessageSocket,
  OpenSocket,
  SocketEnd,
  SocketHandlers,
  SocketMessage,
  SocketRequest,
} from "./socket/message-socket.js";
export type { WireDelegation, WireNote } from "./wire.js";
export { geminiLiveEngine } from "./wires/gemini-live.js";
export type { GeminiLiveOptions, GeminiTool, GeminiVertex } from "./wires/gemini-live-setup.js";
export {
  type GptLiveDelegation,
  type GptLiveMessage,
  type GptLiveOptions,
  type GptLiveRole,
  gptLiveEngine,
} from "./wires/gpt-live.js";
export { type MoshiOptions, type MoshiSampling, moshiEngine } from "./wires/moshi.js";
export { openaiRealtimeEngine } from "./wires/openai-realtime.js";
export {
  delegateTool,
  type OpenAIRealtimeOptions,
  type RealtimeTool,
  type RealtimeTurnDetection,
} from "./wires/openai-realtime-options.js";
export { createRealtimeToken, type RealtimeToken, type RealtimeTokenOptions } from "./wires/openai-realtime-token.js";
export { vllmOmniEngine } from "./wires/vllm-omni.js";
export type { VllmOmniOptions, VllmOmniTool } from "./wires/vllm-omni-options.js";
