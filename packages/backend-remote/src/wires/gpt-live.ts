// OpenAI GPT-Live: full duplex over a WebSocket. The model decides alone when it speaks and stops; it moves only while sound
// comes in. Messages: `openai/resources/live` of the package `openai`; what is known only from reports is said where it is used.

import type { Engine, EngineCapabilities, TextInput } from "@microturn/core";
import { decodeBase64, encodeBase64 } from "../codec/base64.js";
import { inPage } from "../codec/in-page.js";
import { encodePcm16, Pcm16Stream } from "../codec/pcm16.js";
import { type ConnectionOptions, pacedEngine } from "../paced/paced-engine.js";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireEvents, WireUnit } from "../wire.js";
import { redact, verdictOfClosed, verdictOfEnd, verdictOfError } from "./gpt-live-errors.js";
import { type GptLiveMessage, splitForAppend, TextHistory } from "./gpt-live-history.js";
import { type Fields, fieldsOf, msOf, readMessage, requireText, textOf, violation } from "./gpt-live-messages.js";
import { SpeechGate } from "./gpt-live-speech.js";
import { type GptLiveCommand, GptLiveWork } from "./gpt-live-work.js";

export type { GptLiveMessage, GptLiveRole } from "./gpt-live-history.js";

/** Who does what the model hands over. */
export type GptLiveDelegation =
  | {
      /** The application: a `delegation` event has the user's last words as its task. */
      readonly type: "client";
      /** Before the model says by itself that it is at work, ms. */
      readonly acknowledgementDelayMs?: number;
    }
  | {
      /** A model of OpenAI's Responses interface; the functions that it calls are the `delegation` events. */
      readonly type: "responses";
      /** As `delegation.responses` of the service: `model`, `instructions`, `tools`, `tool_choice`, … */
      readonly responses: { readonly model: string } & Readonly<Record<string, unknown>>;
      readonly acknowledgementDelayMs?: number;
    };

/** Options of {@link gptLiveEngine}. */
export interface GptLiveOptions extends ConnectionOptions {
  /** An OpenAI key. Either this or `token`. */
  readonly apiKey?: string;
  /** Gives what stands in for a key, once per connection. */
  readonly token?: () => Promise<string>;
  /** Default `gpt-live-1`. */
  readonly model?: string;
  /** How the model talks, and when it hands work over; at most 16,384 tokens; default the service's own. */
  readonly instructions?: string;
  /** Name of a voice, or the id of a custom one; default the service's, `marin`. */
  readonly voice?: string | { readonly id: string };
  /** Rate of the sound on the wire, both ways, Hz; default 24,000. */
  readonly sampleRate?: 16_000 | 24_000;
  /** What was said before; the last 128 messages of about 7,000 tokens are given to the model. */
  readonly history?: readonly GptLiveMessage[];
  /** Default `{ type: "client" }`. */
  readonly delegation?: GptLiveDelegation;
  /** Whether OpenAI keeps the session for its forks and recordings; default no. */
  readonly store?: boolean;
  /** A stable name of the user, for the service's monitoring of abuse. */
  readonly safetyIdentifier?: string;
  /** Where the service is, without `/live/sessions`; default `wss://api.openai.com/v1`. */
  readonly baseUrl?: string;
  /**
   * Sound of a reply that is held at most, ms; default 1000. The service keeps to real time, so what is held is delay: what is
   * more goes, the oldest first.
   */
  readonly maxReplyMs?: number;
  /** A result that comes later than this, and after the user has spoken on, is told silently, ms; default 20,000. */
  readonly staleAfterMs?: number;
}

const turnMs = 200;
const farewellMs = 2500;
/** What the model is told of what the user types: it takes no text from users. In the manner of LiveKit's adapter. */
const typedPreamble = "The user has typed the following instead of saying it. Answer it now, and do not read it out: ";

/**
 * An engine over OpenAI GPT-Live. It runs where keys are safe: the service takes its WebSocket only with a key in a header, so
 * not in a page.
 *
 * @throws TypeError without a key, or in a page; RangeError for an option out of its range
 * @example
 * const engine = gptLiveEngine({ apiKey: process.env.OPENAI_API_KEY ?? "", instructions: "You are a tour guide in Rome." });
 * const session = await DuplexSession.open({ engine });
 * session.on("delegation", ({ id, task }) => void session.deliver(`Nothing found on ${task}.`, "when-quiet", { delegation: id }));
 */
export function gptLiveEngine(options: GptLiveOptions): Engine {
  checkOptions(options);
  return pacedEngine("gptLiveEngine", () => new GptLiveWire(options), options);
}

/** The codec of one session. */
export class GptLiveWire implements Wire {
  readonly capabilities: EngineCapabilities;
  readonly reserveMs = 100;
  readonly maxReplyMs: number;
  readonly farewellMs = farewellMs;
  readonly #options: GptLiveOptions;
  readonly #sampleRate: 16_000 | 24_000;
  readonly #history: TextHistory;
  readonly #speech: SpeechGate;
  readonly #work: GptLiveWork;
  readonly #pcm = new Pcm16Stream();
  #secret = "";
  #events: WireEvents | undefined;
  #connections = 0;
  #started = false;
  #leaving = false;
  #confirmed = false;
  #commands = 0;

  constructor(options: GptLiveOptions) {
    const {
      sampleRate = 24_000,
      maxReplyMs = 1000,
      staleAfterMs = 20_000,
      history = [],
      model = "gpt-live-1",
    } = options;
    this.#options = options;
    this.#sampleRate = sampleRate;
    this.maxReplyMs = maxReplyMs;
    this.#history = new TextHistory(history);
    this.#speech = new SpeechGate(sampleRate);
    this.#work = new GptLiveWork({
      send: (command) => this.#send(command),
      staleUnits: Math.round(staleAfterMs / turnMs),
      lastWords: (most) => this.#history.lastOfUser(most),
    });
    this.capabilities = {
      ...{ turnDurationMs: turnMs, inputSampleRate: sampleRate, outputSampleRate: sampleRate },
      inputs: ["audio", "text"],
      outputs: ["audio", "text", "heard"],
      // Text of the background is told to the model, in whose words it comes out.
      ...{ saysText: false, hearsText: false },
      // Whether it speaks is told by the energy of its sound.
      decisions: false,
      ...{ delegation: true, snapshots: false, deterministic: false, truncates: false, maxSessions: 1 },
      identity: { model, backend: "OpenAI GPT-Live" },
    };
  }

  async request(_signal: AbortSignal): Promise<SocketRequest> {
    const { apiKey, token, baseUrl = "wss://api.openai.com/v1" } = this.#options;
    this.#secret = token === undefined ? (apiKey ?? "") : await token();
    const url = `${baseUrl.replace(/^http/, "ws").replace(/\/+$/, "")}/live/sessions`;
    return { url, headers: { Authorization: `Bearer ${this.#secret}` } };
  }

  opened(events: WireEvents): void {
    this.#events = events;
    this.#connections++;
    this.#started = false;
    this.#pcm.reset();
    this.#speech.reset(events);
    this.#work.reset(events);
    this.#send({ type: "session.start", session: this.#config() });
  }

  receive(message: SocketMessage): void {
    const fields = readMessage(message);
    if (fields === undefined) {
      this.#events?.note({ type: "raw", message });
      return;
    }
    this.#take(fields.type, fields);
  }

  sendUnit({ audio, text }: WireUnit): void {
    this.#send({ type: "session.input_audio.append", audio: encodeBase64(encodePcm16(audio)) });
    this.#speech.unit();
    this.#work.unit();
    for (const one of text) this.#tell(one);
  }

  /** There is no message that stops the model: what it says on is dropped until it pauses. */
  interrupt(): void {
    this.#speech.drop();
  }

  /** The service does not take how much was heard. */
  truncate(): void {}

  closed(end: SocketEnd): CloseVerdict {
    if (this.#leaving && !this.#confirmed) {
      this.#events?.note({ type: "lost", what: "the service's word that the session has ended, and its last usage" });
    }
    return verdictOfEnd(end, [this.#secret]);
  }

  goodbye(): void {
    this.#leaving = true;
    this.#send({ type: "session.close" });
  }

  #take(type: string, fields: Fields): void {
    const events = this.#events;
    if (events === undefined) return;
    switch (type) {
      case "session.started":
        this.#start(fields, events);
        return;
      case "session.output_audio.delta": {
        const bytes = decodeBase64(requireText(fields.delta, "delta"));
        if (bytes === undefined) throw violation("expected base64 sound, got something else");
        const pcm = this.#pcm.push(bytes);
        if (pcm.length > 0) this.#speech.sound(pcm);
        return;
      }
      case "session.input_transcript.delta": {
        const words = requireText(fields.delta, "delta");
        this.#work.heard();
        this.#history.add("user", words);
        events.heard(words);
        return;
      }
      case "session.output_transcript.delta": {
        const words = requireText(fields.delta, "delta");
        if (this.#speech.words(words, msOf(fields.start_ms))) this.#history.add("assistant", words);
        return;
      }
      case "session.delegation.created": {
        const delegation = fieldsOf(fields.delegation) ?? {};
        const id = requireText(delegation.id, "delegation.id");
        this.#work.created(id, requireText(delegation.target, "delegation.target"));
        return;
      }
      case "response.event": {
        const event = fieldsOf(fields.event);
        if (event === undefined) throw violation("expected an event in response.event, got none");
        this.#work.backend(textOf(fields.delegation_id) ?? "", event);
        return;
      }
      case "session.closed":
        this.#close(textOf(fields.reason) ?? "", events);
        return;
      case "error":
        this.#error(fields, events);
        return;
      case "session.updated":
      case "session.usage.updated":
      case "session.input_audio.muted":
      case "session.input_audio.unmuted":
      case "session.instructions.appended":
      case "session.thinking.appended":
      case "session.commentary.appended":
        return;
      default:
        events.note({ type: "raw", message: fields });
    }
  }

  #start(fields: Fields, events: WireEvents): void {
    if (this.#started) return;
    const format = fieldsOf(fieldsOf(fieldsOf(fields.session)?.audio)?.format);
    const { type = "audio/pcm", rate = this.#sampleRate } = format ?? {};
    if (type !== "audio/pcm" || rate !== this.#sampleRate) {
      const got = `${textOf(type)?.slice(0, 20)} at ${typeof rate === "number" ? rate : "no rate"}`;
      throw violation(`expected a session with audio/pcm at ${this.#sampleRate} Hz, got ${got}`);
    }
    this.#started = true;
    if (this.#connections > 1) {
      events.note({ type: "lost", what: "the sound of the conversation; the new session knows its last words" });
    }
    events.ready();
  }

  #close(reason: string, events: WireEvents): void {
    this.#confirmed = true;
    const { error, retry } = verdictOfClosed(reason);
    // Once the session is to end, that is the last word, and no failure.
    events.fail(error, retry || this.#leaving);
  }

  #error(fields: Fields, events: WireEvents): void {
    const told = fieldsOf(fields.error) ?? {};
    const param = textOf(told.param);
    const error = {
      code: redact(textOf(told.code) ?? "", [this.#secret]),
      type: textOf(told.type) ?? "",
      message: redact(textOf(told.message) ?? "", [this.#secret]),
      ...(param === undefined ? {} : { param: redact(param, [this.#secret]) }),
    };
    const verdict = verdictOfError(error, this.#started);
    if (verdict === undefined) {
      events.note({ type: "swallowed", code: error.code || error.type, message: error.message });
    } else events.fail(verdict.error, verdict.retry);
  }

  #tell(input: TextInput): void {
    if (input.source === "background") {
      this.#history.add("developer", `${input.text}\n`);
      this.#work.answer(input);
      return;
    }
    this.#history.add("user", `\n${input.text}\n`);
    for (const content of splitForAppend(`${typedPreamble}${input.text}`)) {
      this.#send({ type: "session.commentary.append", delegation_id: null, content });
    }
  }

  /** Every command has an id: an error of the service names it. */
  #send(command: GptLiveCommand): void {
    this.#events?.send(JSON.stringify({ ...command, event_id: `mt_${this.#commands++}` }));
  }

  /** Fields that the service does not know are an error, so that nothing is sent that was not asked for. */
  #config(): Fields {
    const { model = "gpt-live-1", instructions, voice, store, safetyIdentifier } = this.#options;
    const { delegation = { type: "client" } as const } = this.#options;
    const input = this.#history.items();
    const delayMs = delegation.acknowledgementDelayMs;
    return {
      model,
      ...(instructions === undefined ? {} : { instructions }),
      ...(input.length === 0 ? {} : { input }),
      audio: {
        format: { type: "audio/pcm", rate: this.#sampleRate },
        ...(voice === undefined ? {} : { output: { voice } }),
      },
      delegation: {
        type: delegation.type,
        ...(delegation.type === "responses" ? { responses: delegation.responses } : {}),
        ...(delayMs === undefined ? {} : { acknowledgement_delay_ms: delayMs }),
      },
      ...(store === undefined ? {} : { store }),
      ...(safetyIdentifier === undefined ? {} : { safety_identifier: safetyIdentifier }),
    };
  }
}

function checkOptions({
  apiKey,
  token,
  sampleRate = 24_000,
  maxReplyMs = 1000,
  staleAfterMs = 0,
  delegation,
}: GptLiveOptions) {
  if (inPage()) {
    throw new TypeError(
      "gptLiveEngine: GPT-Live takes a WebSocket only with a key in a header, which a page cannot send and must not have; run the engine on a server of yours",
    );
  }
  if ((typeof apiKey !== "string" || apiKey === "") && typeof token !== "function") {
    throw new TypeError("gptLiveEngine: expected apiKey or token; keys are at platform.openai.com/api-keys");
  }
  if (sampleRate !== 16_000 && sampleRate !== 24_000) {
    throw new RangeError(`gptLiveEngine: sampleRate must be 16000 or 24000, got ${sampleRate}`);
  }
  if (!(maxReplyMs >= 400 && maxReplyMs <= 600_000)) {
    throw new RangeError(`gptLiveEngine: maxReplyMs must be 400 … 600000, got ${maxReplyMs}`);
  }
  if (!(staleAfterMs >= 0)) throw new RangeError(`gptLiveEngine: staleAfterMs must be at least 0, got ${staleAfterMs}`);
  const type = delegation?.type ?? "client";
  if (type !== "client" && type !== "responses") {
    throw new TypeError(
      `gptLiveEngine: delegation must be of type "client" or "responses", got ${JSON.stringify(type)}`,
    );
  }
}
