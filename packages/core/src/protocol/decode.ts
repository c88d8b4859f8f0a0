// Bytes of the micro-turn wire to messages: the one decoder. Whatever comes, it throws nothing but `PROTOCOL_VIOLATION`.
// The layout is in docs/protocol.md.

import type {
  Delegation,
  EngineCapabilities,
  ImageFrame,
  PlaybackPosition,
  TextInput,
  TurnInput,
  TurnOutput,
  UnsaidText,
} from "../engine.js";
import { DuplexError, type DuplexErrorCode } from "../errors.js";
import { ByteReader, violation } from "./byte-reader.js";
import {
  audioCodings,
  type ClientMessage,
  type HelloMessage,
  imageCodings,
  messageCodes,
  outputFlags,
  protocolLimits,
  protocolVersion,
  type ServerMessage,
  speechCodings,
  stepFlags,
  textFlags,
  type WelcomeMessage,
} from "./messages.js";

/** An image that came as JPEG: {@link ImageFrame} once it is decoded. */
export interface EncodedImage {
  readonly jpeg: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly timeMs: number;
}

/** Turns the pixels of a JPEG into RGB or RGBA; throws when it cannot. */
export type DecodeImage = (image: EncodedImage) => Pick<ImageFrame, "data" | "width" | "height">;

/** What a server knows before a message comes. */
export interface DecodeOptions {
  /** For images that come as JPEG; without it they are refused. */
  readonly decodeImage?: DecodeImage;
  /** Samples of audio that a micro-turn has; other counts are refused before memory is taken for them. Default: any. */
  readonly turnSamples?: number;
}

/**
 * Reads a message of a client. Images and dMel levels are views of `bytes`.
 *
 * @throws DuplexError `PROTOCOL_VIOLATION`
 */
export function decodeClientMessage(bytes: Uint8Array, options: DecodeOptions = {}): ClientMessage {
  const reader = new ByteReader(bytes);
  const code = reader.u8("the kind of message");
  switch (code) {
    case messageCodes.hello:
      return ended(reader, readHello(reader));
    case messageCodes.step:
      return ended(reader, {
        kind: "step",
        sequence: reader.u32("a number of a step"),
        input: readStep(reader, options),
      });
    case messageCodes.ping:
      return ended(reader, { kind: "ping", id: reader.u32("a ping") });
    case messageCodes.close:
      return ended(reader, { kind: "close" });
    default:
      throw violation(`a client sends no messages of kind ${code}`);
  }
}

/**
 * Reads a message of the server. Nothing of it is a view of `bytes`, except {@link TurnOutput.inside}.
 *
 * @throws DuplexError `PROTOCOL_VIOLATION`
 */
export function decodeServerMessage(bytes: Uint8Array): ServerMessage {
  const reader = new ByteReader(bytes);
  const code = reader.u8("the kind of message");
  const { jsonBytes, textBytes } = protocolLimits;
  switch (code) {
    case messageCodes.welcome:
      return ended(reader, readWelcome(reader));
    case messageCodes.output: {
      const sequence = reader.u32("a number of a step");
      return ended(reader, { kind: "output", sequence, output: readOutput(reader) });
    }
    case messageCodes.refused: {
      const sequence = reader.u32("a number of a step");
      const errorCode = reader.string("a code", 64) as DuplexErrorCode;
      return ended(reader, {
        kind: "refused",
        sequence,
        code: errorCode,
        message: reader.string("a message", textBytes),
      });
    }
    case messageCodes.failure: {
      const errorCode = reader.string("a code", 64) as DuplexErrorCode;
      const message = reader.string("a message", jsonBytes);
      const retryAfterMs = reader.u32("a time to wait");
      return ended(reader, {
        ...{ kind: "failure", code: errorCode, message },
        ...(retryAfterMs === 0 ? {} : { retryAfterMs }),
      });
    }
    case messageCodes.pong:
      return ended(reader, { kind: "pong", id: reader.u32("a pong") });
    case messageCodes.draining:
      return ended(reader, { kind: "draining", leftMs: reader.u32("a time") });
    default:
      throw violation(`a server sends no messages of kind ${code}`);
  }
}

function ended<Message>(reader: ByteReader, message: Message): Message {
  reader.end();
  return message;
}

/** It comes first and in every version alike, so that a stranger can be told which one is spoken here, whatever follows it. */
function readVersion(reader: ByteReader): number {
  const version = reader.u8("a version");
  if (version === protocolVersion) return version;
  throw violation(
    `this side speaks version ${protocolVersion} of the wire, the other ${version}; update the older of the two`,
  );
}

// --- of the client ---

function readHello(reader: ByteReader): HelloMessage {
  const version = readVersion(reader);
  const { seed, temperature, speech, resume } = reader.json("a hello", protocolLimits.jsonBytes);
  if (!isWhole(seed, 0, 0xffffffff)) throw violation("expected a hello with a seed of 0 to 4294967295");
  if (typeof temperature !== "number" || !(temperature >= 0 && temperature <= 2)) {
    throw violation("expected a hello with a temperature of 0 to 2");
  }
  if (speech !== "pcm16" && speech !== "float32") {
    throw violation('expected a hello with speech as "pcm16" or "float32"');
  }
  const hello = { kind: "hello", version, seed, temperature, speech } as const;
  if (resume === undefined) return hello;
  const { session, token, lastAnswer } = (resume ?? {}) as Record<string, unknown>;
  if (!isName(session) || !isName(token) || !isWhole(lastAnswer, -1, 0xffffffff)) {
    throw violation("expected session, token and lastAnswer of what is to go on");
  }
  return { ...hello, resume: { session, token, lastAnswer } };
}

function readStep(reader: ByteReader, { decodeImage, turnSamples }: DecodeOptions): TurnInput {
  const flags = reader.u8("flags");
  const turns = reader.atMost("micro-turns of a step", reader.u16("micro-turns"), protocolLimits.turns);
  if (turns === 0) throw violation("expected a step of 1 micro-turn or more");
  const index = reader.u32("an index");
  const played = flags & stepFlags.played ? readPlayed(reader) : undefined;
  const audio = readAudio(reader, turns, turnSamples);
  const images = flags & stepFlags.images ? readImages(reader, decodeImage) : [];
  const text = flags & stepFlags.text ? readTexts(reader) : [];
  return {
    ...{ index, turns, ...audio, images, text, forceListen: (flags & stepFlags.forceListen) !== 0 },
    ...(played === undefined ? {} : { played }),
  };
}

function readPlayed(reader: ByteReader): PlaybackPosition {
  return { turnIndex: reader.u32("a micro-turn that was heard"), samples: reader.u32("samples that were heard") };
}

function readAudio(reader: ByteReader, turns: number, turnSamples?: number): Pick<TurnInput, "audio" | "dmel"> {
  const coding = reader.u8("the coding of audio");
  const count = reader.atMost("audio", reader.u32("the length of audio"), turns * protocolLimits.samples);
  if (turnSamples !== undefined && coding !== audioCodings.dmel && count !== turns * turnSamples) {
    throw violation(`expected ${turns * turnSamples} samples for ${turns} micro-turns, got ${count}`);
  }
  switch (coding) {
    case audioCodings.silence:
      return { audio: new Float32Array(count) };
    case audioCodings.dmel:
      return { audio: new Float32Array(0), dmel: reader.bytes("dMel levels", count) };
    case audioCodings.pcm16:
      return { audio: reader.pcm16("audio", count) };
    case audioCodings.float32:
      return { audio: reader.float32("audio", count) };
    default:
      throw violation(`audio of the unknown coding ${coding}`);
  }
}

function readImages(reader: ByteReader, decodeImage: DecodeImage | undefined): ImageFrame[] {
  const { images, imageSide } = protocolLimits;
  const count = reader.atMost("images", reader.u8("a count of images"), images);
  return Array.from({ length: count }, () => {
    const coding = reader.u8("the coding of an image");
    const width = reader.atMost("the width of an image", reader.u16("a width"), imageSide);
    const height = reader.atMost("the height of an image", reader.u16("a height"), imageSide);
    const timeMs = reader.f64("the time of an image");
    const data = reader.bytes("an image", reader.u32("the length of an image"));
    if (coding === imageCodings.jpeg) return decodeJpeg({ jpeg: data, width, height, timeMs }, decodeImage);
    const channels = coding === imageCodings.rgb ? 3 : coding === imageCodings.rgba ? 4 : 0;
    if (channels === 0) throw violation(`an image of the unknown coding ${coding}`);
    if (width === 0 || height === 0 || data.length !== channels * width * height) {
      throw violation(`an image of ${width} x ${height} pixels with ${data.length} bytes`);
    }
    return { data, width, height, timeMs };
  });
}

function decodeJpeg(image: EncodedImage, decode: DecodeImage | undefined): ImageFrame {
  if (decode === undefined) throw violation("images as JPEG are not taken here; send RGB");
  try {
    const { data, width, height } = decode(image);
    return { data, width, height, timeMs: image.timeMs };
  } catch (cause) {
    // What a typed error says is meant for whoever sent it.
    const why = DuplexError.is(cause) ? `: ${cause.message}` : "";
    throw violation(`a JPEG that cannot be decoded${why}`, cause);
  }
}

function readTexts(reader: ByteReader): TextInput[] {
  const { texts, textBytes } = protocolLimits;
  const count = reader.atMost("texts", reader.u16("a count of texts"), texts);
  return Array.from({ length: count }, () => {
    const flags = reader.u8("flags of a text");
    const delivery = flags & textFlags.delivery ? reader.u32("a delivery") : undefined;
    const delegation = flags & textFlags.delegation ? reader.string("a delegation", 256) : undefined;
    return {
      source: flags & textFlags.user ? "user" : "background",
      text: reader.string("a text", textBytes),
      ...(flags & textFlags.silent ? { silent: true } : {}),
      ...(delivery === undefined ? {} : { delivery }),
      ...(delegation === undefined ? {} : { delegation }),
    };
  });
}

// --- of the server ---

function readWelcome(reader: ByteReader): WelcomeMessage {
  const version = readVersion(reader);
  const fields = reader.json("a welcome", protocolLimits.jsonBytes);
  const { session, token, graceMs, idleTimeoutMs, maxSessionMs, lastStep } = fields;
  if (!isName(session) || !isName(token)) throw violation("expected a welcome with session and token");
  if (!isTime(graceMs) || !isTime(idleTimeoutMs) || !isTime(maxSessionMs)) {
    throw violation("expected a welcome with graceMs, idleTimeoutMs and maxSessionMs");
  }
  if (lastStep !== undefined && !isWhole(lastStep, -1, 0xffffffff)) {
    throw violation("expected a welcome whose lastStep is a whole number from -1 on");
  }
  return {
    ...{ kind: "welcome", version, session, token, graceMs, idleTimeoutMs, maxSessionMs },
    capabilities: readCapabilities(fields.capabilities),
    ...(lastStep === undefined ? {} : { lastStep }),
  };
}

/** What the other side says it can do: the fields that this one relies on are checked, unknown ones are left out. */
function readCapabilities(value: unknown): EngineCapabilities {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const number = (name: string, least: number, most: number) => {
    const got = fields[name];
    if (!isWhole(got, least, most)) throw violation(`expected capabilities with ${name} of ${least} to ${most}`);
    return got;
  };
  const list = <Name extends string>(name: string, known: readonly Name[]): Name[] => {
    const got = fields[name];
    if (!Array.isArray(got)) throw violation(`expected capabilities with a list of ${name}`);
    return known.filter((one) => got.includes(one));
  };
  const is = (name: string) => fields[name] === true;
  const { dmel, image, identity } = fields;
  return {
    turnDurationMs: number("turnDurationMs", 1, 10_000),
    inputSampleRate: number("inputSampleRate", 8000, 192_000),
    outputSampleRate: number("outputSampleRate", 8000, 192_000),
    inputs: list("inputs", ["audio", "video", "text"]),
    outputs: list("outputs", ["audio", "text", "heard"]),
    saysText: is("saysText"),
    hearsText: is("hearsText"),
    decisions: is("decisions"),
    delegation: is("delegation"),
    snapshots: is("snapshots"),
    deterministic: is("deterministic"),
    truncates: is("truncates"),
    maxSessions: number("maxSessions", 0, 1_000_000),
    ...(typeof dmel === "string" ? { dmel } : {}),
    ...(isImageSize(image) ? { image: { width: image.width, height: image.height } } : {}),
    ...(isIdentity(identity) ? { identity: { model: identity.model, backend: identity.backend } } : {}),
  };
}

function readOutput(reader: ByteReader): TurnOutput {
  const { textBytes, texts } = protocolLimits;
  const flags = reader.u8("flags");
  const speech = readSpeech(reader);
  const text = flags & outputFlags.text ? reader.string("text", textBytes) : "";
  const heard = flags & outputFlags.heard ? reader.string("what was heard", textBytes) : "";
  const unsaidCount = flags & outputFlags.unsaid ? reader.atMost("texts", reader.u16("a count of texts"), texts) : 0;
  const unsaid = Array.from({ length: unsaidCount }, () => readUnsaid(reader));
  const delegation = flags & outputFlags.delegation ? readDelegation(reader) : undefined;
  const controls = flags & outputFlags.inside ? reader.bytes("controls", reader.u8("a count of controls")) : undefined;
  return {
    ...{ decision: flags & outputFlags.speak ? "speak" : "listen", yielded: (flags & outputFlags.yielded) !== 0 },
    ...{ speech, text, heard },
    ...(unsaid.length === 0 ? {} : { unsaid }),
    ...(delegation === undefined ? {} : { delegation }),
    timing: {
      encodeMs: reader.f32("a time"),
      waitMs: reader.f32("a time"),
      runMs: reader.f32("a time"),
      decodeMs: reader.f32("a time"),
    },
    ...(controls === undefined ? {} : { inside: { controls } }),
  };
}

function readSpeech(reader: ByteReader): Float32Array {
  const coding = reader.u8("the coding of speech");
  const count = reader.atMost("speech", reader.u32("the length of speech"), protocolLimits.samples);
  switch (coding) {
    case speechCodings.silence:
      return new Float32Array(count);
    case speechCodings.pcm16:
      return reader.pcm16("speech", count);
    case speechCodings.float32:
      // Nobody looks at it again before it is played.
      return finite(reader.float32("speech", count));
    default:
      throw violation(`speech of the unknown coding ${coding}`);
  }
}

function finite(speech: Float32Array): Float32Array {
  if (speech.every(Number.isFinite)) return speech;
  throw violation("expected speech of finite samples");
}

function readUnsaid(reader: ByteReader): UnsaidText {
  const flags = reader.u8("flags of a text");
  const delivery = flags & textFlags.delivery ? reader.u32("a delivery") : undefined;
  const words = reader.string("a text", protocolLimits.textBytes);
  return { words, ...(delivery === undefined ? {} : { delivery }) };
}

function readDelegation(reader: ByteReader): Delegation {
  const { task, id, name, arguments: values } = reader.json("a delegation", protocolLimits.textBytes);
  if (typeof task !== "string") throw violation("expected a delegation with a task");
  return {
    task,
    ...(isName(id) ? { id } : {}),
    ...(isName(name) ? { name } : {}),
    ...(values === undefined ? {} : { arguments: values }),
  };
}

// --- of both ---

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isTime(value: unknown): value is number {
  return isWhole(value, 0, 2 ** 31 - 1);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 1024;
}

function isImageSize(value: unknown): value is { readonly width: number; readonly height: number } {
  const { width, height } = (value ?? {}) as Record<string, unknown>;
  return isWhole(width, 1, protocolLimits.imageSide) && isWhole(height, 1, protocolLimits.imageSide);
}

function isIdentity(value: unknown): value is { readonly model: string; readonly backend: string } {
  const { model, backend } = (value ?? {}) as Record<string, unknown>;
  return isName(model) && isName(backend);
}
