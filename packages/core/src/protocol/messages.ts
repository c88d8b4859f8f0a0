// What a client and our server say to each other on the binary micro-turn wire. The bytes: docs/protocol.md.
// One message of the client is one step of an engine, and one of the server is its output.

import type { EngineCapabilities, TurnInput, TurnOutput } from "../engine.js";
import type { DuplexErrorCode } from "../errors.js";

/** Of the messages below; rises when one of them changes in a way that the other side must know of. */
export const protocolVersion = 1;

/** Sub-protocol of the WebSocket, with the version. */
export const protocolName = `microturn.v${protocolVersion}`;

/** How speech travels. `pcm16` rounds samples to 16 bits; `float32` keeps every bit. */
export type SpeechCoding = "pcm16" | "float32";

/** First message of a client on every connection. */
export interface HelloMessage {
  readonly kind: "hello";
  readonly version: number;
  readonly seed: number;
  readonly temperature: number;
  readonly speech: SpeechCoding;
  /** Goes on with a session whose connection was lost. */
  readonly resume?: {
    readonly session: string;
    readonly token: string;
    /** {@link StepMessage.sequence} of the last step whose answer has come; -1 if none has. */
    readonly lastAnswer: number;
  };
}

/** One step: a micro-turn, or several that are merged. */
export interface StepMessage {
  readonly kind: "step";
  /** Counts the steps of the session from 0; a step that is sent again keeps its number. */
  readonly sequence: number;
  readonly input: TurnInput;
}

/** Is answered by a `pong` with the same number. */
export interface PingMessage {
  readonly kind: "ping";
  readonly id: number;
}

/** The client wants no more of the session. */
export interface CloseMessage {
  readonly kind: "close";
}

export type ClientMessage = HelloMessage | StepMessage | PingMessage | CloseMessage;

/** Answer to a `hello`: the session is open, or open again. */
export interface WelcomeMessage {
  readonly kind: "welcome";
  readonly version: number;
  readonly session: string;
  /** Needed to go on after a lost connection; a new one with every welcome. */
  readonly token: string;
  readonly capabilities: EngineCapabilities;
  /** A session without a connection is kept this long, ms. */
  readonly graceMs: number;
  /** The server takes a connection for lost when nothing has come for this long, ms: send a `ping` well before. */
  readonly idleTimeoutMs: number;
  /** The session ends so long after its start at the latest, ms; 0: when it likes. */
  readonly maxSessionMs: number;
  /** Number of the last step that the server has, answered or not; -1 if none. Only after `resume`: what came after it is to be sent again. */
  readonly lastStep?: number;
}

/** Output of one step. */
export interface OutputMessage {
  readonly kind: "output";
  /** {@link StepMessage.sequence} of the step. */
  readonly sequence: number;
  readonly output: TurnOutput;
}

/** A step that was refused and changed nothing; the session goes on. */
export interface RefusedMessage {
  readonly kind: "refused";
  readonly sequence: number;
  readonly code: DuplexErrorCode;
  readonly message: string;
}

/** The session, or the attempt to open it, is over. */
export interface FailureMessage {
  readonly kind: "failure";
  readonly code: DuplexErrorCode;
  readonly message: string;
  /** With `SERVER_BUSY`: how long to wait, ms. */
  readonly retryAfterMs?: number;
}

export interface PongMessage {
  readonly kind: "pong";
  readonly id: number;
}

/** The server is about to stop: sessions end by then. */
export interface DrainingMessage {
  readonly kind: "draining";
  /** Time left, ms. */
  readonly leftMs: number;
}

export type ServerMessage =
  | WelcomeMessage
  | OutputMessage
  | RefusedMessage
  | FailureMessage
  | PongMessage
  | DrainingMessage;

/** First byte of each kind of message. */
export const messageCodes = {
  hello: 0x01,
  step: 0x02,
  ping: 0x03,
  close: 0x04,
  welcome: 0x41,
  output: 0x42,
  refused: 0x43,
  failure: 0x44,
  pong: 0x45,
  draining: 0x46,
} as const;

/** What one message may hold at most; a decoder refuses more with `PROTOCOL_VIOLATION`. */
export const protocolLimits = {
  /** Micro-turns of one step: 10 s. */
  turns: 50,
  images: 16,
  /** Width and height of an image, pixels. */
  imageSide: 4096,
  texts: 1024,
  /** Bytes of each text, and of a delegation. */
  textBytes: 262_144,
  /** Bytes of the JSON of a `hello`, `welcome` or `failure`. */
  jsonBytes: 65_536,
  /** Samples of speech in an output, and of the audio of one micro-turn: 200 ms at 192 kHz. */
  samples: 38_400,
} as const;

/** Flags of a step. */
export const stepFlags = { forceListen: 1, played: 2, images: 4, text: 8 } as const;

/** How the audio of a step travels. */
export const audioCodings = { silence: 0, dmel: 1, pcm16: 2, float32: 3 } as const;

/** How an image travels. */
export const imageCodings = { rgb: 0, rgba: 1, jpeg: 2 } as const;

/** Flags of a text. */
export const textFlags = { user: 1, silent: 2, delivery: 4, delegation: 8 } as const;

/** Flags of an output. */
export const outputFlags = { speak: 1, yielded: 2, text: 4, heard: 8, unsaid: 16, delegation: 32, inside: 64 } as const;

/** How the speech of an output travels. */
export const speechCodings = { silence: 0, pcm16: 1, float32: 2 } as const;
