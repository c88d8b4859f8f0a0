// Moshi's own server, in Python or Rust: binary messages with a kind byte, Opus in Ogg both ways. Facts: rust/protocol.md,
// moshi/server.py and moshi-backend/src/stream_both.rs of kyutai-labs/moshi.

import { DuplexError, type Engine, type EngineCapabilities } from "@microturn/core";
import { openOpus } from "#opus";
import { inPage } from "../codec/in-page.js";
import { OggOpusWriter } from "../ogg/ogg-opus.js";
import { OggSoundReader } from "../ogg/ogg-sound.js";
import {
  type OpusCodec,
  type OpusDecoder,
  type OpusEncoder,
  opusPacketSamples,
  opusSampleRate,
} from "../opus/opus-codec.js";
import { type ConnectionOptions, pacedEngine } from "../paced/paced-engine.js";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireEvents, WireUnit } from "../wire.js";
import { MoshiSpeech } from "./moshi-speech.js";

/** How the Rust server samples; the Python server has its own values, and passes these over. Absent: the server's defaults. */
export interface MoshiSampling {
  readonly textTemperature?: number;
  readonly textTopK?: number;
  readonly audioTemperature?: number;
  readonly audioTopK?: number;
  readonly textSeed?: number;
  readonly audioSeed?: number;
  readonly padMult?: number;
  readonly repetitionPenalty?: number;
  readonly repetitionPenaltyContext?: number;
  /** Steps of 80 ms after which the server ends the session; at most 4500, which is 360 s. */
  readonly maxSteps?: number;
}

/** Options of {@link moshiEngine}. */
export interface MoshiOptions extends ConnectionOptions {
  /** The server, for example `ws://localhost:8998`; the path is `/api/chat` unless another is given. */
  readonly url: string;
  /** For moshi-server, as the header `kyutai-api-key`; in Node only: a key must not be in a page. */
  readonly apiKey?: string;
  /** For moshi-server, as `auth_id` in the address; fetched for every connection. */
  readonly token?: () => string | Promise<string>;
  readonly sampling?: MoshiSampling;
  /** A packet at least this loud is speech, dB of full scale (RMS), -100 … 0; default -50. */
  readonly gateDb?: number;
  /** Quiet that ends a reply, ms; default 400. */
  readonly hangoverMs?: number;
  /** Sound that is held back at the start of a reply, ms; default 80, one step of the model. */
  readonly reserveMs?: number;
  /**
   * Most sound that waits to be played, ms, at least 440 (what comes in a micro-turn beside what is played); then the oldest
   * goes. Less makes a busy network audible, more makes a late reply later, up to its next pause; default 800.
   */
  readonly maxBufferMs?: number;
  /** Opus; default: the packages `opus-decoder` and `@evan/opus` in Node, `opus-decoder` and WebCodecs in a page. */
  readonly opus?: () => Promise<OpusCodec>;
}

/** The kinds of a message. The others of the protocol (3 control, 6 ping, 8 image, 9 codes) mean nothing here. */
const kinds = { handshake: 0, audio: 1, text: 2, metadata: 4, error: 5, colouredText: 7 } as const;

/** Longest session of the Rust server, ms. */
const rustLimitMs = 360_000;
const maxMessageBytes = 1024 * 1024;
const maxErrorLength = 500;
const queryNames: Readonly<Record<keyof MoshiSampling, string>> = {
  ...{ textTemperature: "text_temperature", textTopK: "text_topk" },
  ...{ audioTemperature: "audio_temperature", audioTopK: "audio_topk" },
  ...{ textSeed: "text_seed", audioSeed: "audio_seed", padMult: "pad_mult", maxSteps: "max_steps" },
  ...{ repetitionPenalty: "repetition_penalty", repetitionPenaltyContext: "repetition_penalty_context" },
};

/**
 * An engine over a Moshi server. The model hears and speaks at once, and yields by itself; it is paced by its input, one to
 * one. There is no way to give it text, images or tools, and a connection that is lost takes the conversation with it.
 *
 * @throws TypeError, RangeError for options that cannot be
 * @example
 * const engine = moshiEngine({ url: "ws://localhost:8998" });
 * const session = await DuplexSession.open({ engine });
 */
export function moshiEngine(options: MoshiOptions): Engine {
  const settings = settleMoshiOptions(options);
  // Input that is late makes the model late for good, as it hears no faster than real time.
  return pacedEngine("moshiEngine", () => new MoshiWire(settings), { maxHeldMs: 400, ...options });
}

/** Options with their defaults. */
export type MoshiSettings = MoshiOptions & { readonly address: URL } & Required<
    Pick<MoshiOptions, "gateDb" | "hangoverMs" | "reserveMs" | "maxBufferMs">
  >;

export function settleMoshiOptions(options: MoshiOptions): MoshiSettings {
  const { gateDb = -50, hangoverMs = 400, reserveMs = 80, maxBufferMs = 800 } = options;
  const address = addressOf(options);
  requireRange("gateDb", gateDb, -100, 0);
  requireRange("hangoverMs", hangoverMs, 80, 10_000);
  requireRange("reserveMs", reserveMs, 0, 1000);
  requireRange("maxBufferMs", maxBufferMs, 440, 10_000);
  return { ...options, address, gateDb, hangoverMs, reserveMs, maxBufferMs };
}

/** What belongs to one connection. */
interface MoshiConnection {
  readonly encoder: OpusEncoder;
  readonly decoder: OpusDecoder;
  readonly sound: OggSoundReader;
  readonly writer: OggOpusWriter;
  events?: WireEvents;
  speech?: MoshiSpeech;
  ready: boolean;
  units: number;
}

export class MoshiWire implements Wire {
  readonly capabilities: EngineCapabilities;
  readonly reserveMs: number;
  readonly maxReplyMs: number;
  readonly #settings: MoshiSettings;
  #connection: MoshiConnection | undefined;
  #replies = 0;
  #wasReady = false;

  constructor(settings: MoshiSettings) {
    this.#settings = settings;
    this.reserveMs = settings.reserveMs;
    this.maxReplyMs = settings.maxBufferMs;
    this.capabilities = {
      ...{ turnDurationMs: 200, inputSampleRate: opusSampleRate, outputSampleRate: opusSampleRate },
      ...{ inputs: ["audio"], saysText: false, hearsText: false, outputs: ["audio", "text"] },
      // Decisions are read off the loudness of the sound; the model makes none that can be seen.
      ...{ decisions: false, delegation: false, snapshots: false, deterministic: false, truncates: false },
      maxSessions: 1,
      identity: { model: "Moshi", backend: `Moshi server at ${settings.address.host}` },
    };
  }

  async request(_signal: AbortSignal): Promise<SocketRequest> {
    const { address, apiKey, token, opus = openOpus } = this.#settings;
    const codec = await opus();
    const made: { current?: MoshiConnection } = {};
    const [encoder, decoder] = await Promise.all([
      codec.encoder(
        (packet) => this.#sendPacket(made.current, packet),
        (cause) => failEncoding(made.current, cause),
      ),
      codec.decoder(),
    ]);
    this.#free();
    made.current = {
      ...{ encoder, decoder, ready: false, units: 0 },
      // The servers declare a pre-skip of 80 ms, and put none in: the first step is sound of the model.
      sound: new OggSoundReader(decoder, { keepPreSkip: true }),
      writer: new OggOpusWriter(Math.floor(Math.random() * 2 ** 32)),
    };
    this.#connection = made.current;
    const url = new URL(address);
    if (token !== undefined) url.searchParams.set("auth_id", await token());
    return {
      url: url.href,
      maxMessageBytes,
      ...(apiKey === undefined ? {} : { headers: { "kyutai-api-key": apiKey } }),
    };
  }

  opened(events: WireEvents): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.events = events;
    connection.speech = new MoshiSpeech(events, () => `reply ${++this.#replies}`, this.#settings);
    if (this.#wasReady) events.note({ type: "lost", what: "the conversation: Moshi begins anew on each connection" });
  }

  unanswered(waitedMs: number): DuplexError {
    return new DuplexError(
      "SERVER_BUSY",
      `Moshi: the connection opened, and no handshake came within ${waitedMs} ms; the Python server takes one session at a time and lets others wait: close the other session, or try again later`,
      { details: { waitedMs } },
    );
  }

  receive(message: SocketMessage): void {
    const { events, speech, sound } = this.#connection ?? {};
    if (events === undefined || speech === undefined || sound === undefined) return;
    const kind = typeof message === "string" ? undefined : message[0];
    const payload = typeof message === "string" ? new Uint8Array() : message.subarray(1);
    switch (kind) {
      case kinds.handshake:
        this.#shakeHands(payload);
        break;
      case kinds.audio:
        sound.push(payload, (pcm) => speech.addSound(pcm));
        break;
      case kinds.text:
        speech.addText(decodeText(payload));
        break;
      case kinds.colouredText:
        speech.addText(decodeText(payload.subarray(1)));
        break;
      case kinds.error:
        this.#takeError(decodeText(payload));
        break;
      case kinds.metadata:
        events.note({ type: "raw", message: { kind, text: decodeText(payload) } });
        break;
      default:
        events.note({ type: "raw", message });
    }
  }

  sendUnit({ audio }: WireUnit): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.units++;
    // A micro-turn is five packets: nothing is left over, and nothing filled up. The model cuts its own steps of 80 ms.
    for (let at = 0; at < audio.length; at += opusPacketSamples) {
      connection.encoder.encode(audio.subarray(at, at + opusPacketSamples));
    }
  }

  /** There is no message for it: what the model still says is passed over until it pauses. */
  interrupt(): void {
    this.#connection?.speech?.mute();
  }

  /** The model is not told what was heard. */
  truncate(): void {}

  closed(end: SocketEnd): CloseVerdict {
    const connection = this.#connection;
    connection?.speech?.end();
    return verdict(end, connection?.ready === true, (connection?.units ?? 0) * this.capabilities.turnDurationMs);
  }

  /** The protocol has no farewell. */
  goodbye(): void {
    this.#free();
  }

  #shakeHands(payload: Uint8Array): void {
    const connection = this.#connection as Required<MoshiConnection>;
    const { encoder, writer, events } = connection;
    if (connection.ready) {
      events.note({ type: "raw", message: { kind: kinds.handshake } });
      return;
    }
    // The Python server sends the kind alone; the Rust server, protocol and model as well.
    if (payload.length >= 4) {
      const protocol = new DataView(payload.buffer, payload.byteOffset, payload.byteLength).getUint32(0, true);
      if (protocol !== 0) {
        throw new DuplexError("PROTOCOL_VIOLATION", `Moshi: expected protocol 0, got ${protocol}; update this package`);
      }
    }
    connection.ready = true;
    this.#wasReady = true;
    const head = { channels: 1, preSkip: encoder.preSkip, inputSampleRate: opusSampleRate };
    events.send(audioMessage(writer.header(head, "microturn")));
    events.ready();
  }

  #takeError(text: string): void {
    const { events, ready } = this.#connection as Required<MoshiConnection>;
    events.fail(
      new DuplexError("NETWORK_FAILED", `Moshi: the server says "${text.slice(0, maxErrorLength)}"; see its log`),
      ready,
    );
  }

  #sendPacket(connection: MoshiConnection | undefined, packet: Uint8Array): void {
    connection?.events?.send(audioMessage(connection.writer.packet(packet, opusPacketSamples * 2)));
  }

  #free(): void {
    this.#connection?.encoder.close();
    this.#connection?.decoder.close();
    this.#connection = undefined;
  }
}

function addressOf({ url, sampling = {}, apiKey, token }: MoshiOptions): URL {
  let address: URL;
  try {
    address = new URL(url);
  } catch (cause) {
    throw new TypeError("moshiEngine: url must be an address such as ws://localhost:8998", { cause });
  }
  if (address.protocol !== "ws:" && address.protocol !== "wss:") {
    throw new TypeError(`moshiEngine: url must begin with ws: or wss:, got ${address.protocol}`);
  }
  if (apiKey !== undefined && inPage()) {
    throw new TypeError("moshiEngine: apiKey must not be in a page; give token, and keep the key on a server of yours");
  }
  if (apiKey !== undefined && token !== undefined) throw new TypeError("moshiEngine: give apiKey or token, not both");
  if (address.pathname === "/") address.pathname = "/api/chat";
  for (const [name, value] of Object.entries(sampling)) {
    const parameter = queryNames[name as keyof MoshiSampling];
    if (parameter === undefined) throw new TypeError(`moshiEngine: sampling has no ${name}`);
    if (value === undefined) continue;
    if (!Number.isFinite(value)) throw new RangeError(`moshiEngine: sampling.${name} must be a number, got ${value}`);
    address.searchParams.set(parameter, String(value));
  }
  return address;
}

function requireRange(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new RangeError(`moshiEngine: ${name} must be ${least} … ${most}, got ${value}`);
}

function audioMessage(pages: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + pages.length);
  message[0] = kinds.audio;
  message.set(pages, 1);
  return message;
}

function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function failEncoding(connection: MoshiConnection | undefined, cause: unknown): void {
  const error = new DuplexError("BACKEND_FAILED", "Moshi: the platform's Opus encoder failed; pass opus", { cause });
  connection?.events?.fail(error, false);
}

function verdict(end: SocketEnd, ready: boolean, sentMs: number): CloseVerdict {
  const { code, reason, status, retryAfterS, cause } = end;
  const fail = (kind: ConstructorParameters<typeof DuplexError>[0], message: string, more = {}): DuplexError =>
    new DuplexError(kind, `Moshi: ${message}`, { ...(cause === undefined ? {} : { cause }), details: { ...more } });
  if (status === 401 || status === 403) {
    return {
      error: fail("ACCESS_DENIED", `refused with HTTP ${status}; check apiKey or token`, { status }),
      retry: false,
    };
  }
  if (status === 429 || status === 503) {
    const after = retryAfterS === undefined ? {} : { retryAfterMs: retryAfterS * 1000 };
    return {
      error: fail("SERVER_BUSY", `refused with HTTP ${status}; try again later`, { status, ...after }),
      retry: true,
    };
  }
  if (status !== undefined) {
    const next = "check that url is a Moshi server and its path, usually /api/chat";
    return { error: fail("NETWORK_FAILED", `refused with HTTP ${status}; ${next}`, { status }), retry: status >= 500 };
  }
  const how = `closed with ${code}${reason === "" ? "" : ` "${reason.slice(0, maxErrorLength)}"`}`;
  if (!ready) {
    const next = "check that a Moshi server runs there, and its log";
    return { error: fail("NETWORK_FAILED", `${how} before the handshake; ${next}`, { code }), retry: true };
  }
  const next =
    sentMs >= rustLimitMs - 10_000 ? "the Rust server ends a session after 360 s" : "the server's log may say why";
  return { error: fail("NETWORK_FAILED", `${how}; ${next}`, { code }), retry: true };
}
