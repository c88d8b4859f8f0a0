// The public names of @microturn/core/protocol: the binary micro-turn wire between a client and our server.

export {
  type DecodeImage,
  type DecodeOptions,
  decodeClientMessage,
  decodeServerMessage,
  type EncodedImage,
} from "./protocol/decode.js";
export { MessageEncoder } from "./protocol/encode.js";
export {
  type ClientMessage,
  type CloseMessage,
  type DrainingMessage,
  type FailureMessage,
  type HelloMessage,
  type OutputMessage,
  type PingMessage,
  type PongMessage,
  protocolLimits,
  protocolName,
  protocolVersion,
  type RefusedMessage,
  type ServerMessage,
  type SpeechCoding,
  type StepMessage,
  type WelcomeMessage,
} from "./protocol/messages.js";
