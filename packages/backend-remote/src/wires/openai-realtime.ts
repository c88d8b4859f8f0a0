// OpenAI Realtime over a WebSocket: half duplex with voice activity detection, replies faster than real time, cut by what was
// heard. Messages: `openai/resources/realtime` of the package `openai`; what is known only from reports is said where it is used.

import { DuplexError, type Engine, type EngineCapabilities, type ImageFrame, type TextInput } from "@microturn/core";
import { decodeBase64, encodeBase64 } from "../codec/base64.js";
import { functionCall } from "../codec/function-call.js";
import { jpegDataUri } from "../codec/jpeg.js";
import { OpenCalls } from "../codec/open-calls.js";
import { OrderedTranscripts } from "../codec/ordered-transcripts.js";
import { encodePcm16, Pcm16Stream } from "../codec/pcm16.js";
import { pacedEngine } from "../paced/paced-engine.js";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireDelegation, WireEvents, WireUnit } from "../wire.js";
import { type RealtimeError, redactKeys, verdictOfEnd, verdictOfError } from "./openai-realtime-errors.js";
import { RealtimeHistory, type RealtimeRole } from "./openai-realtime-history.js";
import {
  errorOf,
  type Fields,
  fieldsOf,
  idOf,
  type RealtimeMessage,
  readRealtimeMessage,
  textOf,
  violation,
} from "./openai-realtime-messages.js";
import {
  checkRealtimeOptions,
  defaultRealtimeModel,
  defaultRealtimeUrl,
  type OpenAIRealtimeOptions,
  realtimeRate,
  realtimeRequest,
  realtimeSession,
} from "./openai-realtime-options.js";
import { RealtimeResponses } from "./openai-realtime-responses.js";

const turnMs = 200;
/** The service refuses less: 100 ms of sound. */
const leastCommitSamples = realtimeRate / 10;
/** Sound of one message beyond which it is taken for broken; a minute. */
const maxDeltaBytes = 60 * realtimeRate * 2;
/** Calls of one response. */
const maxCalls = 64;

/**
 * An engine over OpenAI Realtime, or a service that speaks its protocol.
 *
 * @throws TypeError for options that do not go together, or a key in a page; RangeError for a number out of its range
 * @example
 * const engine = openaiRealtimeEngine({ apiKey: process.env.OPENAI_API_KEY ?? "", instructions: "Be brief." });
 * const session = await DuplexSession.open({ engine });
 * session.on("delegation", ({ id, task }) => void session.deliver(`Nothing found on ${task}.`, "when-quiet", { delegation: id }));
 */
export function openaiRealtimeEngine(options: OpenAIRealtimeOptions): Engine {
  checkRealtimeOptions(options);
  return pacedEngine("openaiRealtimeEngine", () => new OpenAIRealtimeWire(options), options);
}

/** The codec of one session. */
export class OpenAIRealtimeWire implements Wire {
  readonly capabilities: EngineCapabilities;
  // Replies come as fast as the line carries them.
  readonly reserveMs = 0;
  readonly maxReplyMs = 600_000;
  readonly #options: OpenAIRealtimeOptions;
  readonly #beta: boolean;
  readonly #manual: boolean;
  readonly #interrupts: boolean;
  readonly #history = new RealtimeHistory();
  readonly #transcripts = new OrderedTranscripts();
  readonly #calls = new OpenCalls();
  readonly #responses: RealtimeResponses;
  readonly #pcm = new Pcm16Stream();
  #pcmItem = "";
  /** Calls of the response that is under way. */
  #called: WireDelegation[] = [];
  readonly #images: string[] = [];
  #lastImageMs = Number.NEGATIVE_INFINITY;
  #secrets: readonly string[] = [];
  #events: WireEvents | undefined;
  #connections = 0;
  /** Our settings are on their way; then the service has taken them. */
  #configured = false;
  #ready = false;
  /** The connection was lost before something was answered. */
  #unanswered = false;
  #sent = 0;
  /** Sound in the service's buffer, samples; counted where the application says when it is taken. */
  #buffered = 0;

  constructor(options: OpenAIRealtimeOptions) {
    const { model = defaultRealtimeModel, baseUrl = defaultRealtimeUrl, tools, transcription, turnDetection } = options;
    this.#options = options;
    this.#beta = options.spelling === "beta";
    this.#manual = turnDetection?.type === "none";
    this.#interrupts =
      turnDetection === undefined || turnDetection.type === "none" || turnDetection.interruptResponse !== false;
    this.#responses = new RealtimeResponses({
      create: () => this.#send("response.create", {}, "create"),
      cancel: (responseId) => this.#send("response.cancel", { response_id: responseId }, `cancel-${responseId}`),
    });
    this.capabilities = {
      ...{ turnDurationMs: turnMs, inputSampleRate: realtimeRate, outputSampleRate: realtimeRate, maxSessions: 1 },
      ...{ inputs: ["audio", "video", "text"], saysText: false, hearsText: false },
      outputs: transcription === false ? ["audio", "text"] : ["audio", "text", "heard"],
      ...{ decisions: false, delegation: tools === undefined || tools.length > 0, snapshots: false },
      ...{ deterministic: false, truncates: true, identity: { model, backend: new URL(baseUrl).host } },
    };
  }

  async request(): Promise<SocketRequest> {
    const { request, secrets } = await realtimeRequest(this.#options);
    this.#secrets = secrets;
    return request;
  }

  opened(events: WireEvents): void {
    this.#events = events;
    this.#connections++;
    this.#configured = false;
    this.#ready = false;
    this.#buffered = 0;
    this.#called = [];
    this.#images.length = 0;
    this.#pcm.reset();
    this.#pcmItem = "";
    // What was to be answered is among the words that the new conversation begins with.
    if (this.#responses.reset()) this.#unanswered = true;
    this.#transcripts.clear();
    for (const id of this.#calls.clear()) events.delegationCancelled(id, true);
  }

  receive(message: SocketMessage): void {
    const read = readRealtimeMessage(message);
    if (!this.#ready) this.#handshake(read);
    else this.#take(read);
  }

  sendUnit({ index, audio, images, text }: WireUnit): void {
    this.#send("input_audio_buffer.append", { audio: encodeBase64(encodePcm16(audio)) });
    if (this.#manual) this.#buffered += audio.length;
    this.#responses.tick();
    const image = images.at(-1);
    if (image !== undefined) this.#sendImage(image, index * turnMs);
    for (const one of text) {
      if (one.source === "user") this.#sendTyped(one.text);
      else this.#sendResult(one);
    }
  }

  interrupt(): void {
    this.#responses.interrupt();
  }

  truncate(reply: string, heardMs: number): void {
    const most = this.#history.soundOf(reply);
    // A decimal is refused, and so is more than there is; 0 is refused too (seen in reports), so the item goes as a whole.
    const heard = Math.floor(Math.min(heardMs, most));
    if (heard > 0) {
      this.#send("conversation.item.truncate", { item_id: reply, content_index: 0, audio_end_ms: heard });
      this.#history.cut(reply, heard);
    } else {
      this.#send("conversation.item.delete", { item_id: reply });
      this.#history.remove(reply);
    }
  }

  closed(end: SocketEnd): CloseVerdict {
    this.#ready = false;
    return verdictOfEnd(end, this.#secrets);
  }

  goodbye(): void {
    // The protocol has none.
  }

  // --- the handshake ---

  #handshake({ type, fields }: RealtimeMessage): void {
    switch (type) {
      case "session.created":
        if (this.#configured) return;
        this.#configured = true;
        // What is sent before this may be passed over (seen in reports).
        this.#send("session.update", { session: realtimeSession(this.#options) }, "settings");
        return;
      case "session.updated":
        if (!this.#configured) throw violation("got session.updated before session.created");
        this.#checkFormats(fieldsOf(fields.session));
        this.#ready = true;
        this.#recall();
        if (this.#unanswered) this.#responses.want();
        this.#unanswered = false;
        this.#events?.ready();
        return;
      case "error": {
        const error = this.#errorOf(fields.error);
        const verdict = verdictOfError(error, false);
        if (verdict !== undefined) this.#events?.fail(verdict.error, verdict.retry);
        return;
      }
      case "conversation.created":
      case "rate_limits.updated":
        return;
      default:
        this.#events?.note({ type: "raw", message: fields });
    }
  }

  /** A service that answers with another format would be heard as noise. */
  #checkFormats(session: Fields | undefined): void {
    const audio = fieldsOf(session?.audio);
    for (const side of ["input", "output"] as const) {
      const format = fieldsOf(fieldsOf(audio?.[side])?.format);
      const { type = "audio/pcm", rate = realtimeRate } = format ?? {};
      if (type === "audio/pcm" && rate === realtimeRate) continue;
      const message = `open: expected ${side} as audio/pcm at ${realtimeRate} Hz, the service has ${String(type).slice(0, 40)} at ${String(rate).slice(0, 20)}; leave audio.${side}.format out of session`;
      throw new DuplexError("UNSUPPORTED", message);
    }
  }

  /** Tells a new connection the conversation so far, in words. */
  #recall(): void {
    if (this.#connections === 1) return;
    for (const { role, text } of this.#history.items()) this.#createItem(this.#messageOf(role, text));
    this.#events?.note({ type: "lost", what: "the sound and the images of the conversation; its words are kept" });
  }

  // --- what comes ---

  readonly #takers: Readonly<Record<string, (fields: Fields) => void>> = {
    "response.output_audio.delta": (fields) => this.#takeSound(fields),
    "response.output_audio_transcript.delta": (fields) => this.#takeWords(fields),
    "response.output_text.delta": (fields) => this.#takeWords(fields),
    "response.created": (fields) => {
      this.#called = [];
      this.#responses.created(responseId(fields));
    },
    "response.output_item.done": (fields) => this.#itemDone(fields),
    "response.done": (fields) => this.#responseDone(fields),
    "input_audio_buffer.speech_started": () => this.#userSpeaks(),
    "input_audio_buffer.committed": (fields) => this.#committed(idOf(fields, "item_id")),
    "conversation.item.added": (fields) => this.#responses.itemAdded(textOf(fieldsOf(fields.item)?.id)),
    "conversation.item.input_audio_transcription.delta": (fields) =>
      this.#heard(this.#transcripts.add(idOf(fields, "item_id"), textOf(fields.delta))),
    "conversation.item.input_audio_transcription.completed": (fields) => {
      const text = textOf(fields.transcript);
      this.#history.place(idOf(fields, "item_id"), "user", text);
      this.#heard(this.#transcripts.done(idOf(fields, "item_id"), text));
    },
    "conversation.item.input_audio_transcription.failed": (fields) =>
      this.#heard(this.#transcripts.done(idOf(fields, "item_id"))),
    error: (fields) => this.#takeError(this.#errorOf(fields.error)),
  };

  #take({ type, fields }: RealtimeMessage): void {
    if (Object.hasOwn(this.#takers, type)) this.#takers[type](fields);
    else if (!passedOver.has(type)) this.#events?.note({ type: "raw", message: fields });
  }

  #takeSound(fields: Fields): void {
    const item = idOf(fields, "item_id");
    if (!this.#responses.isWanted(textOf(fields.response_id))) return;
    const { delta } = fields;
    if (typeof delta !== "string") throw violation("expected delta of a response's sound to be base64");
    if (delta.length > maxDeltaBytes * 1.4) throw violation("expected at most a minute of sound in one message");
    const bytes = decodeBase64(delta);
    if (bytes === undefined) throw violation("expected delta of a response's sound to be base64");
    if (item !== this.#pcmItem) this.#pcm.reset();
    this.#pcmItem = item;
    const pcm = this.#pcm.push(bytes);
    this.#history.addSound(item, (1000 * pcm.length) / realtimeRate);
    this.#events?.audio(pcm, item);
  }

  #takeWords(fields: Fields): void {
    const item = idOf(fields, "item_id");
    if (!this.#responses.isWanted(textOf(fields.response_id))) return;
    const words = textOf(fields.delta);
    this.#history.add(item, "assistant", words);
    this.#events?.text(words, item);
  }

  #itemDone(fields: Fields): void {
    const item = fieldsOf(fields.item);
    if (item === undefined) throw violation("expected an item in response.output_item.done");
    if (item.type !== "function_call") {
      this.#events?.replyEnd(textOf(item.id));
      return;
    }
    if (this.#called.length >= maxCalls) return;
    this.#called.push(functionCall(idOf(item, "call_id"), textOf(item.name), textOf(item.arguments)));
  }

  #responseDone(fields: Fields): void {
    const id = responseId(fields);
    const response = fieldsOf(fields.response);
    const called = this.#called;
    this.#called = [];
    if (response?.status === "failed") this.#failed(this.#errorOf(fieldsOf(response.status_details)?.error));
    // A response that was cut has its items, but nobody waits for the results of its calls.
    if (response?.status === "completed" && called.length > 0) {
      this.#calls.add(called);
      for (const call of called) this.#events?.delegation(call);
    }
    for (const item of Array.isArray(response?.output) ? response.output.slice(0, 64) : []) {
      this.#events?.replyEnd(textOf(fieldsOf(item)?.id));
    }
    if (this.#pcmItem !== "") this.#events?.replyEnd(this.#pcmItem);
    this.#responses.done(id);
  }

  #failed(error: RealtimeError): void {
    const verdict = verdictOfError(error, true);
    if (verdict !== undefined) this.#events?.fail(verdict.error, verdict.retry);
    else this.#swallow(error);
  }

  #userSpeaks(): void {
    this.#responses.userSpeaks();
    if (!this.#interrupts) return;
    // The service ends the response by itself; what it has sent ahead is ours to drop.
    this.#responses.cut();
    this.#events?.flush();
  }

  #committed(itemId: string): void {
    this.#history.place(itemId, "user");
    if (this.#options.transcription !== false) this.#heard(this.#transcripts.expect(itemId));
    if (!this.#manual) this.#responses.expect();
  }

  #heard(words: string): void {
    if (words !== "") this.#events?.heard(words);
  }

  #takeError(error: RealtimeError): void {
    const verdict = verdictOfError(error, true);
    if (verdict !== undefined) {
      this.#events?.fail(verdict.error, verdict.retry);
      return;
    }
    this.#swallow(error);
    if (error.code === "conversation_already_has_active_response") this.#responses.refused(true);
    else if (error.code === "response_cancel_not_active") this.#responses.noneActive(error.eventId);
    else if (error.eventId.startsWith("create-")) this.#responses.refused(false);
  }

  #swallow(error: RealtimeError): void {
    this.#events?.note({ type: "swallowed", code: error.code || error.type, message: error.message });
  }

  #errorOf(value: unknown): RealtimeError {
    const error = errorOf(value);
    return { ...error, message: redactKeys(error.message, this.#secrets) };
  }

  // --- what goes ---

  #sendTyped(text: string): void {
    if (text.trim() === "") {
      this.#askForReply();
      return;
    }
    // Who types wants to be answered now, as who speaks does.
    this.#responses.interrupt();
    this.#events?.flush();
    this.#responses.want(this.#createMessage("user", text));
  }

  /** A reply to what was said since the last one, where the application says when. */
  #askForReply(): void {
    if (!this.#manual) return;
    this.#responses.interrupt();
    this.#events?.flush();
    if (this.#buffered >= leastCommitSamples) this.#send("input_audio_buffer.commit", {});
    this.#buffered = 0;
    this.#responses.want();
  }

  #sendResult(result: TextInput): void {
    const { id, goesOn, text } = this.#calls.answer(result);
    if (id === undefined) {
      const item = this.#createMessage("system", text);
      if (goesOn) this.#responses.want(item);
      return;
    }
    const item = this.#createItem({ type: "function_call_output", call_id: id, output: text });
    this.#history.place(item, "system", text);
    if (goesOn) this.#responses.want(item);
  }

  #sendImage(image: ImageFrame, nowMs: number): void {
    const { imageIntervalMs = 2000, maxImages = 4, imageDetail = "low" } = this.#options;
    if (nowMs - this.#lastImageMs < imageIntervalMs) return;
    this.#lastImageMs = nowMs;
    const content = [{ type: "input_image", image_url: jpegDataUri(image), detail: imageDetail }];
    this.#images.push(this.#createItem({ type: "message", role: "user", content }));
    if (this.#images.length > maxImages) this.#send("conversation.item.delete", { item_id: this.#images.shift() });
  }

  /** @returns the name of the item */
  #createMessage(role: RealtimeRole, text: string): string {
    const id = this.#createItem(this.#messageOf(role, text));
    this.#history.place(id, role, text);
    return id;
  }

  #messageOf(role: RealtimeRole, text: string): Fields {
    const type = role !== "assistant" ? "input_text" : this.#beta ? "text" : "output_text";
    return { type: "message", role, content: [{ type, text }] };
  }

  #createItem(item: Fields): string {
    const id = `mt_${this.#connections}_${++this.#sent}`;
    this.#send("conversation.item.create", { item: { id, ...item } });
    return id;
  }

  #send(type: string, fields: Fields, name = "event"): void {
    this.#events?.send(JSON.stringify({ event_id: `${name}-${++this.#sent}`, type, ...fields }));
  }
}

/** Messages that are understood and change nothing here. */
const passedOver: ReadonlySet<string> = new Set([
  ...["session.created", "session.updated", "conversation.created", "conversation.item.done", "rate_limits.updated"],
  ...["conversation.item.deleted", "conversation.item.retrieved", "conversation.item.truncated"],
  ...["conversation.item.input_audio_transcription.segment", "input_audio_buffer.speech_stopped"],
  ...["input_audio_buffer.cleared", "input_audio_buffer.timeout_triggered", "response.output_item.added"],
  ...["response.content_part.added", "response.content_part.done", "response.output_audio.done"],
  ...["response.output_audio_transcript.done", "response.output_text.done"],
  ...["response.function_call_arguments.delta", "response.function_call_arguments.done"],
]);

function responseId(fields: Fields): string {
  const response = fieldsOf(fields.response);
  if (response === undefined) throw violation(`expected a response in ${String(fields.type).slice(0, 100)}`);
  return idOf(response, "id");
}
