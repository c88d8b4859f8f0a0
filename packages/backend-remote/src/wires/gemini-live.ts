// Gemini Live: one socket, JSON both ways, sound in base64. The service sends no ids and no errors: a reply is what comes
// between two `turnComplete`, and a failure is a close code. Facts: types of googleapis/js-genai; ai.google.dev/gemini-api/docs/live.

import { DuplexError, type Engine, type EngineCapabilities, type ImageFrame, type TextInput } from "@microturn/core";
import { decodeBase64, encodeBase64 } from "../codec/base64.js";
import { encodeJpeg } from "../codec/jpeg.js";
import { encodePcm16, Pcm16Stream } from "../codec/pcm16.js";
import { pacedEngine } from "../paced/paced-engine.js";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireEvents, WireUnit } from "../wire.js";
import { GeminiCalls } from "./gemini-live-calls.js";
import { geminiVerdict } from "./gemini-live-errors.js";
import { checkGeminiOptions, type GeminiLiveOptions, geminiRequest, geminiSetup } from "./gemini-live-setup.js";

const turnMs = 200;
const inputRate = 16_000;
const outputRate = 24_000;
/** The service takes about one image a second. */
const imageMs = 1000;
/** Sound of a reply that was cut is dropped until `turnComplete`; a service that forgets to send it is heard again after this. */
const longestCutMs = 2000;
/** Words that come so soon after the end of a reply may still be of it ... */
const lateWordsMs = 1000;
/** ... unless sound follows within this: words come before the sound of their reply (seen in recordings of 2.5 and 3.1). */
const earlyWordsMs = 600;
const maxEarlyLength = 4096;
/** A connection that is about to end is left so long before. */
const leaveAheadMs = 3000;

/**
 * An engine over Gemini Live, at the developer API or Vertex AI.
 *
 * @throws TypeError for options that do not go together, such as an `apiKey` in a page; RangeError for one out of its range
 * @see docs/remote.md
 * @example
 * const engine = geminiLiveEngine({ model: "gemini-3.1-flash-live-preview", apiKey: process.env.GEMINI_API_KEY });
 */
export function geminiLiveEngine(options: GeminiLiveOptions): Engine {
  checkGeminiOptions(options);
  return pacedEngine("geminiLiveEngine", () => new GeminiLiveWire(options), options);
}

type Fields = Readonly<Record<string, unknown>>;

/** The codec of one session. */
export class GeminiLiveWire implements Wire {
  readonly capabilities: EngineCapabilities;
  readonly reserveMs = 100;
  // A whole reply comes as fast as it is made.
  readonly maxReplyMs = 300_000;
  readonly #options: GeminiLiveOptions;
  readonly #setup: Fields;
  readonly #calls: GeminiCalls;
  readonly #pcm = new Pcm16Stream();
  readonly #decoder = new TextDecoder();
  #events: WireEvents | undefined;
  #ready = false;
  #connections = 0;
  /** Was in the last request; must not come out. */
  #secret = "";
  /** The last state of the session that another connection can take up. */
  #handle: string | undefined;
  /** The handle that this connection was set up with, and has not been accepted. */
  #trying = false;
  /** Answers that this connection waits for, as it goes on from a state before them. */
  #answers: readonly Fields[] = [];
  /** This connection ends at this time of ours. */
  #leaveAtMs: number | undefined;
  /** Time of ours: micro-turns that went by. */
  #nowMs = 0;
  #replies = 0;
  /** The reply whose sound or words come now. */
  #reply: string | undefined;
  /** The reply before, and when it was over: its last words may come later. */
  #last: { readonly reply: string; readonly overMs: number } | undefined;
  /** Words of the reply before or of the next, and when they are taken for those of the one before. */
  #early: { words: string; readonly untilMs: number } | undefined;
  /** Sound of a reply has come, and the service has not said that its turn is over. */
  #speaking = false;
  /** What comes of the reply is dropped until its end, or until this time. */
  #cutUntilMs: number | undefined;
  #image: ImageFrame | undefined;
  #imageSentMs = Number.NEGATIVE_INFINITY;

  constructor(options: GeminiLiveOptions) {
    this.#options = options;
    this.#setup = geminiSetup(options);
    this.#calls = new GeminiCalls(options.tools ?? []);
    const { baseUrl, vertex, model, tools = [], setup = {} } = options;
    const place =
      baseUrl === undefined ? (vertex === undefined ? "" : ` at Vertex AI, ${vertex.location}`) : " elsewhere";
    this.capabilities = {
      ...{ turnDurationMs: turnMs, inputSampleRate: inputRate, outputSampleRate: outputRate },
      ...{ inputs: ["audio", "video", "text"], saysText: false, hearsText: false, outputs: ["audio", "text", "heard"] },
      ...{ decisions: false, delegation: tools.length > 0 || setup.tools !== undefined, truncates: false },
      ...{ snapshots: false, deterministic: false, maxSessions: 1 },
      identity: { model, backend: `Gemini Live${place}` },
    };
  }

  async request(): Promise<SocketRequest> {
    const { request, secret } = await geminiRequest(this.#options);
    this.#secret = secret;
    return request;
  }

  opened(events: WireEvents): void {
    const { resume = true } = this.#options;
    this.#events = events;
    this.#ready = false;
    this.#leaveAtMs = undefined;
    // What the last connection had begun does not go on.
    this.#endReply();
    this.#tellLate();
    this.#speaking = false;
    this.#cutUntilMs = undefined;
    if (this.#connections++ > 0) {
      this.#answers = this.#calls.reconnected(this.#handle !== undefined);
      if (this.#handle === undefined) events.note({ type: "lost", what: "the conversation so far" });
    }
    this.#trying = this.#handle !== undefined;
    const resumption = this.#handle === undefined ? {} : { handle: this.#handle };
    this.#send({ setup: { ...this.#setup, ...(resume ? { sessionResumption: resumption } : {}) } });
  }

  receive(message: SocketMessage): void {
    // The service sends its JSON in binary messages; text is taken as well.
    const value = parse(typeof message === "string" ? message : this.#decoder.decode(message));
    let known = false;
    for (const key of Object.keys(value)) if (knownMessages.has(key)) known = true;
    if (!known || !this.#take(value)) this.#events?.note({ type: "raw", message: value });
  }

  /** @returns whether all of it was understood */
  #take(message: Fields): boolean {
    const { setupComplete, serverContent, toolCall, toolCallCancellation, sessionResumptionUpdate, goAway } = message;
    if (setupComplete !== undefined) this.#beReady();
    if (!this.#ready) return setupComplete !== undefined;
    // Several kinds may share a message: what ends something comes before what begins something.
    let understood = true;
    if (toolCallCancellation !== undefined) understood &&= this.#cancelCalls(toolCallCancellation);
    if (serverContent !== undefined) understood &&= this.#content(serverContent);
    if (toolCall !== undefined) understood &&= this.#call(toolCall);
    if (goAway !== undefined) this.#goAway(goAway);
    if (sessionResumptionUpdate !== undefined) understood &&= this.#keepHandle(sessionResumptionUpdate);
    return understood;
  }

  // --- what the service says ---

  #beReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#trying = false;
    this.#respond(this.#answers);
    this.#answers = [];
    this.#events?.ready();
  }

  #content(content: unknown): boolean {
    if (!isFields(content)) return false;
    if (content.interrupted === true) this.#interrupted();
    const heard = textOf(content.inputTranscription);
    if (heard !== "") this.#events?.heard(heard);
    let understood = true;
    for (const part of partsOf(content.modelTurn)) understood = this.#part(part) && understood;
    const said = textOf(content.outputTranscription);
    if (said !== "") this.#words(said);
    if (content.generationComplete === true) this.#endReply();
    if (content.turnComplete === true) this.#endTurn();
    return understood && Object.keys(content).some((key) => knownContent.has(key));
  }

  #part(part: unknown): boolean {
    if (!isFields(part)) return false;
    // A thought is not said. Nor is text: a session that speaks has its words as a transcript.
    if (typeof part.text === "string") return true;
    const { inlineData } = part;
    if (!isFields(inlineData) || typeof inlineData.data !== "string") return false;
    const type = typeof inlineData.mimeType === "string" ? inlineData.mimeType : "audio/pcm";
    if (!/^audio\/(pcm|l16)\b/i.test(type)) return false;
    const rate = Number(/rate=(\d+)/.exec(type)?.[1] ?? outputRate);
    if (rate !== outputRate) {
      throw violation(`expected sound at ${outputRate} Hz, got ${rate} Hz; update this package`);
    }
    const bytes = decodeBase64(inlineData.data);
    if (bytes === undefined) throw violation("expected sound in base64, got other characters");
    if (this.#isCut()) return true;
    const reply = this.#begin();
    this.#speaking = true;
    this.#events?.audio(this.#pcm.push(bytes), reply);
    return true;
  }

  #words(text: string): void {
    if (this.#isCut()) return;
    const last = this.#last;
    if (this.#reply !== undefined || last === undefined) this.#events?.text(text, this.#begin());
    else if (this.#speaking) {
      this.#events?.text(text, last.reply);
      this.#events?.replyEnd(last.reply);
    } else if (this.#early !== undefined) this.#early.words = (this.#early.words + text).slice(0, maxEarlyLength);
    else if (this.#nowMs - last.overMs <= lateWordsMs) {
      this.#early = { words: text, untilMs: this.#nowMs + earlyWordsMs };
    } else this.#events?.text(text, this.#begin());
  }

  /** No sound has followed: the words were of the reply before. */
  #tellLate(): void {
    const [early, last] = [this.#early, this.#last];
    this.#early = undefined;
    if (early === undefined || last === undefined) return;
    this.#events?.text(early.words, last.reply);
    this.#events?.replyEnd(last.reply);
  }

  #begin(): string {
    if (this.#reply === undefined) {
      this.#reply = `reply-${++this.#replies}`;
      this.#pcm.reset();
      const early = this.#early;
      this.#early = undefined;
      if (early !== undefined) this.#events?.text(early.words, this.#reply);
    }
    return this.#reply;
  }

  #endReply(): void {
    if (this.#reply === undefined) return;
    this.#events?.replyEnd(this.#reply);
    this.#last = { reply: this.#reply, overMs: this.#nowMs };
    this.#reply = undefined;
  }

  #endTurn(): void {
    this.#tellLate();
    this.#endReply();
    if (this.#last !== undefined) this.#last = { ...this.#last, overMs: this.#nowMs };
    this.#speaking = false;
    this.#cutUntilMs = undefined;
  }

  #interrupted(): void {
    this.#events?.flush();
    // It may come when nothing is said, or twice: then no `turnComplete` follows.
    if (this.#speaking) this.#cut(this.#nowMs + longestCutMs);
  }

  #cut(untilMs: number): void {
    this.#cutUntilMs = untilMs;
    this.#reply = undefined;
    this.#last = undefined;
    this.#early = undefined;
  }

  #isCut(): boolean {
    if (this.#cutUntilMs !== undefined && this.#nowMs >= this.#cutUntilMs) this.#cutUntilMs = undefined;
    return this.#cutUntilMs !== undefined;
  }

  #call(toolCall: unknown): boolean {
    if (!isFields(toolCall) || !Array.isArray(toolCall.functionCalls)) return false;
    const taken = this.#calls.take(toolCall.functionCalls);
    if (taken === undefined) return false;
    for (const id of taken.givenUp) this.#events?.delegationCancelled(id);
    this.#respond(taken.responses);
    for (const delegation of taken.delegations) this.#events?.delegation(delegation);
    return true;
  }

  #cancelCalls(cancellation: unknown): boolean {
    if (!isFields(cancellation) || !Array.isArray(cancellation.ids)) return false;
    for (const id of cancellation.ids) {
      if (typeof id !== "string") continue;
      this.#respond(this.#calls.cancel(id));
      this.#events?.delegationCancelled(id);
    }
    return true;
  }

  #keepHandle(update: unknown): boolean {
    if (!isFields(update)) return false;
    const { newHandle, resumable } = update;
    // While the model speaks or calls, there is none: the last good one stays.
    if (resumable !== true || typeof newHandle !== "string" || newHandle === "") return true;
    this.#handle = newHandle;
    this.#calls.save();
    // Now another connection forgets nothing.
    if (this.#leaveAtMs !== undefined && !this.#speaking) this.#leave();
    return true;
  }

  #goAway(goAway: unknown): void {
    const timeLeft = isFields(goAway) && typeof goAway.timeLeft === "string" ? goAway.timeLeft : "";
    const leftMs = Number.parseFloat(timeLeft) * 1000;
    this.#leaveAtMs = this.#nowMs + (leftMs > leaveAheadMs ? leftMs - leaveAheadMs : 0);
  }

  #leave(): void {
    const error = new DuplexError("NETWORK_FAILED", "Gemini Live: the service is about to end the connection", {
      details: { announced: true },
    });
    this.#events?.fail(error, true);
  }

  // --- what is said to it ---

  sendUnit(unit: WireUnit): void {
    this.#nowMs = (unit.index + 1) * turnMs;
    if (this.#early !== undefined && this.#nowMs >= this.#early.untilMs) this.#tellLate();
    for (const text of unit.text) this.#sendText(text);
    const image = unit.images.at(-1);
    // Kept until its second has come; whoever gave it may use its memory again.
    if (image !== undefined) this.#image = { ...image, data: image.data.slice() };
    if (this.#image !== undefined && this.#nowMs - this.#imageSentMs >= imageMs) {
      this.#realtime({ video: { data: encodeBase64(encodeJpeg(this.#image)), mimeType: "image/jpeg" } });
      this.#imageSentMs = this.#nowMs;
      this.#image = undefined;
    }
    this.#realtime({ audio: { data: encodeBase64(encodePcm16(unit.audio)), mimeType: `audio/pcm;rate=${inputRate}` } });
    if (this.#leaveAtMs !== undefined && this.#nowMs >= this.#leaveAtMs) this.#leave();
  }

  #sendText({ source, text, silent = false, delegation }: TextInput): void {
    if (source === "user") {
      this.#realtime({ text });
      return;
    }
    const answer = this.#calls.answer(text, delegation, silent);
    if (answer.kind === "responses") this.#respond(answer.responses);
    else if (answer.kind === "late") {
      const code = "tool_call_cancelled";
      this.#events?.note({ type: "swallowed", code, message: "a result came after its call was cancelled" });
    } else {
      // The service has no place for it but the user's turn: it says that the user has not said it.
      const from = answer.name === undefined ? "information from the background" : `result of ${answer.name}`;
      const told = `[${from}, not said by the user] ${text}`;
      if (!silent) this.#realtime({ text: told });
      else this.#send({ clientContent: { turns: [{ role: "user", parts: [{ text: told }] }], turnComplete: false } });
    }
  }

  #respond(responses: readonly Fields[]): void {
    if (responses.length === 0) return;
    this.#calls.sent(responses);
    this.#send({ toolResponse: { functionResponses: responses } });
  }

  #realtime(realtimeInput: Fields): void {
    this.#send({ realtimeInput });
  }

  #send(message: Fields): void {
    this.#events?.send(JSON.stringify(message));
  }

  /** The service cannot be told: what it still sends of the reply is dropped. */
  interrupt(): void {
    if (this.#speaking) this.#cut(Number.POSITIVE_INFINITY);
  }

  /** The service takes it that a reply is heard as it would be in real time, and is told nothing. */
  truncate(): void {}

  closed(end: SocketEnd): CloseVerdict {
    const announced = this.#leaveAtMs !== undefined;
    const verdict = geminiVerdict(end, { secret: this.#secret, setup: this.#setup, announced });
    if (this.#trying && (end.code === 1007 || end.code === 1008) && verdict.error.code === "UNSUPPORTED") {
      // A handle that is too old, or was never good: the session goes on without its past.
      this.#handle = undefined;
      return { ...verdict, retry: true };
    }
    return verdict;
  }

  goodbye(): void {}
}

const knownMessages = new Set([
  ...["setupComplete", "serverContent", "toolCall", "toolCallCancellation", "sessionResumptionUpdate", "goAway"],
  ...["usageMetadata", "voiceActivity", "voiceActivityDetectionSignal"],
]);

const knownContent = new Set([
  ...["modelTurn", "inputTranscription", "interimInputTranscription", "outputTranscription", "interrupted"],
  ...["generationComplete", "turnComplete", "turnCompleteReason", "waitingForInput", "interactionStatus"],
  ...["groundingMetadata", "urlContextMetadata"],
]);

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw violation("expected JSON, got something else; check baseUrl");
  }
  if (!isFields(value)) throw violation("expected a JSON object, got something else; check baseUrl");
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(transcription: unknown): string {
  return isFields(transcription) && typeof transcription.text === "string" ? transcription.text : "";
}

function partsOf(turn: unknown): readonly unknown[] {
  return isFields(turn) && Array.isArray(turn.parts) ? turn.parts : [];
}

function violation(what: string): DuplexError {
  return new DuplexError("PROTOCOL_VIOLATION", `Gemini Live: ${what}`);
}
