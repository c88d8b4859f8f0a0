// The duplex wire of vLLM-Omni, which our own server speaks as well: OpenAI Realtime's events, and beside them decisions of the
// model, an epoch that counts interruptions, what was heard, and sessions that outlive a connection.
// Facts: `docs/serving/realtime_duplex_api.md` of vLLM-Omni, and its server and client of version 0.30.

import { DuplexError, type Engine, type EngineCapabilities, type TextInput } from "@microturn/core";
import { decodeBase64 } from "../codec/base64.js";
import { functionCall } from "../codec/function-call.js";
import { OpenCalls } from "../codec/open-calls.js";
import { OrderedTranscripts } from "../codec/ordered-transcripts.js";
import { pacedEngine } from "../paced/paced-engine.js";
import type { SocketEnd, SocketMessage, SocketRequest } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireDelegation, WireEvents, WirePlayed, WireUnit } from "../wire.js";
import { redactKeys } from "./openai-realtime-errors.js";
import { type Fields, fieldsOf, textOf } from "./openai-realtime-messages.js";
import { checkOmniOutput, OmniCapabilities } from "./vllm-omni-capabilities.js";
import { OmniContinuity, receivedAppends } from "./vllm-omni-continuity.js";
import { endedError, isLost, replacedError, verdictOfOmniEnd, verdictOfOmniError } from "./vllm-omni-errors.js";
import { OmniInput } from "./vllm-omni-input.js";
import {
  countOf,
  itemOf,
  nameOf,
  type OmniError,
  type OmniEvent,
  omniViolation,
  passedOver,
  readOmniError,
  readOmniEvent,
  responseOf,
} from "./vllm-omni-messages.js";
import {
  checkOmniOptions,
  omniInputRates,
  omniOutputRate,
  omniRequest,
  omniSession,
  type VllmOmniOptions,
} from "./vllm-omni-options.js";
import { PlaybackLedger } from "./vllm-omni-playback.js";
import { OmniReplies } from "./vllm-omni-replies.js";
import { type OmniResult, OmniResults } from "./vllm-omni-results.js";

const turnMs = 200;
/** The wire has no timer: a sign of life every 30 s of sound. */
const heartbeatUnits = 150;
/** Characters of base64 in one message beyond which it is taken for broken: a minute of sound. */
const maxDeltaLength = 60 * omniOutputRate * 2 * 1.4;
const maxTextLength = 8192;
const maxCalls = 64;

/**
 * An engine over a duplex model that vLLM-Omni serves, or over `/v1/realtime` of `@microturn/server`.
 *
 * @throws TypeError for options that do not go together, or a key in a page; RangeError for a number out of its range
 * @example
 * const engine = vllmOmniEngine({ url: "ws://127.0.0.1:8099", model: "openbmb/MiniCPM-o-4_5", refAudio, inputs: ["video"] });
 * const session = await DuplexSession.open({ engine });
 * session.on("speech", (pcm) => player.write(pcm));
 */
export function vllmOmniEngine(options: VllmOmniOptions): Engine {
  checkOmniOptions(options);
  return pacedEngine("vllmOmniEngine", () => new VllmOmniWire(options), options);
}

/** The codec of one session. */
export class VllmOmniWire implements Wire {
  readonly capabilities: EngineCapabilities;
  readonly reserveMs: number;
  readonly maxReplyMs = 120_000;
  readonly #options: VllmOmniOptions;
  readonly #replies = new OmniReplies();
  readonly #ledger = new PlaybackLedger();
  readonly #calls = new OpenCalls();
  readonly #results = new OmniResults();
  readonly #transcripts = new OrderedTranscripts();
  readonly #continuity = new OmniContinuity();
  readonly #input: OmniInput;
  /** Calls of responses whose end has not come, by response. */
  readonly #called = new Map<string, WireDelegation[]>();
  #server = new OmniCapabilities({});
  #secrets: readonly string[] = [];
  #events: WireEvents | undefined;
  #ready = false;
  #leaving = false;
  #sent = 0;
  #units = 0;
  /** Results of calls wait for a response. */
  #wantsResponse = false;

  constructor(options: VllmOmniOptions) {
    const { url, model = "the server's own", inputFormat = "pcm16", inputs = [], tools = [] } = options;
    const { truncates = false, reserveMs = 160 } = options;
    this.#options = options;
    this.reserveMs = reserveMs;
    this.#input = new OmniInput(inputFormat, (fields) => this.#send("input_audio_buffer.append", fields));
    const text = inputs.includes("text") || tools.length > 0;
    this.capabilities = {
      ...{ turnDurationMs: turnMs, inputSampleRate: omniInputRates[inputFormat], outputSampleRate: omniOutputRate },
      inputs: [
        "audio",
        ...(inputs.includes("video") ? (["video"] as const) : []),
        ...(text ? (["text"] as const) : []),
      ],
      outputs: ["audio", "text", "heard"],
      ...{ saysText: false, hearsText: false, decisions: true, delegation: tools.length > 0, snapshots: false },
      ...{ deterministic: false, truncates, maxSessions: 1 },
      identity: { model, backend: new URL(url).host },
    };
  }

  async request(): Promise<SocketRequest> {
    const { request, secrets } = await omniRequest(this.#options);
    this.#secrets = secrets;
    return request;
  }

  opened(events: WireEvents): void {
    this.#events = events;
    this.#ready = false;
    const request = this.#continuity.opened();
    if (request === undefined) this.#send("session.update", { session: omniSession(this.#options) });
    else this.#send("session.resume", request);
  }

  receive(message: SocketMessage): void {
    const event = readOmniEvent(message);
    const { type, fields, sequence, epoch } = event;
    if (type === "session.created") this.#create(event);
    else {
      // The answer to a resumption has the number of the last event that we have.
      if (type !== "session.resumed" && !this.#continuity.take(sequence)) return;
      if (epoch !== undefined && this.#replies.see(epoch)) this.#events?.flush();
      if (Object.hasOwn(this.#takers, type)) this.#takers[type](event);
      else if (!passedOver.has(type)) this.#events?.note({ type: "raw", message: fields });
    }
  }

  sendUnit({ audio, images, text, played = [] }: WireUnit): void {
    // One acknowledgement for all that came in a micro-turn.
    const sequence = this.#continuity.acknowledge();
    if (sequence !== undefined) this.#send("session.event_ack", { server_event_seq: sequence });
    for (const one of played) this.#tellPlayed(one);
    this.#replies.tick();
    for (const result of this.#results.unit()) this.#sendResult(result);
    this.#input.unit(audio, images.at(-1));
    if (this.#units++ % heartbeatUnits === heartbeatUnits - 1) this.#send("session.heartbeat", {});
    for (const one of text) this.#tell(one);
  }

  /**
   * Cancels the response that is under way. Every model takes that; `barge_in` stops no more, and drops what the user has said
   * since the last unit of the model.
   */
  interrupt(): void {
    const active = this.#replies.live.at(-1);
    if (active === undefined) return;
    this.#replies.cutAll();
    this.#replies.expectRise();
    this.#send("response.cancel", { response_id: active.id }, "interrupt");
  }

  truncate(reply: string, heardMs: number): void {
    const ack = this.#ledger.cut(reply, heardMs);
    if (ack === undefined) return;
    const truncates = this.#server.truncates ? { truncate: true } : {};
    this.#send("playback.ack", {
      ...{ response_id: reply, item_id: ack.item, played_ms: ack.ms, committed_ms: ack.ms, ...truncates },
    });
  }

  closed(end: SocketEnd): CloseVerdict {
    this.#ready = false;
    return verdictOfOmniEnd(end, this.#secrets);
  }

  goodbye(): void {
    this.#leaving = true;
    // Without it the server would keep the session for one who comes back.
    this.#send("session.close", {});
  }

  // --- the session ---

  #create({ fields, epoch = 0 }: OmniEvent): void {
    if (this.#ready || this.#continuity.resuming) return;
    const session = fieldsOf(fields.session);
    const told = fieldsOf(session?.capabilities);
    if (session === undefined || told === undefined) {
      throw new DuplexError(
        "UNSUPPORTED",
        "open: expected the capabilities of a duplex session, the server tells none; give url of a server with session_mode: duplex, or use openaiRealtimeEngine",
      );
    }
    this.#server = new OmniCapabilities(told);
    this.#server.check(this.capabilities);
    checkOmniOutput(session);
    this.#begin(epoch);
    if (this.#continuity.created(fields, session, this.#server.resumes)) {
      this.#events?.note({ type: "lost", what: "the conversation so far" });
    }
    this.#ready = true;
    this.#events?.ready();
  }

  /** Nothing of an earlier session counts. */
  #begin(epoch: number): void {
    this.#input.begin(this.#server.periodMs);
    this.#replies.reset(epoch);
    this.#ledger.clear();
    this.#called.clear();
    this.#transcripts.clear();
    this.#wantsResponse = false;
    this.#results.begin();
    for (const id of this.#calls.clear()) this.#events?.delegationCancelled(id, true);
  }

  #resumed({ fields }: OmniEvent): void {
    if (!this.#continuity.resuming) return;
    this.#continuity.resumed(fields);
    const received = receivedAppends(fields);
    const missing = received === undefined ? 0 : this.#input.resend(received);
    if (missing > 0) this.#events?.note({ type: "input-dropped", units: missing });
    this.#results.resumed();
    this.#ready = true;
    this.#events?.ready();
  }

  #resync({ fields }: OmniEvent): void {
    const reason = textOf(fields.reason).slice(0, 100);
    if (!this.#continuity.resuming) {
      this.#lose(`the way back: if the connection breaks, the conversation starts anew (${reason})`);
      this.#continuity.forget();
      return;
    }
    const request = this.#continuity.less(fields);
    if (request === undefined) {
      this.#startAnew(`the conversation so far: the server cannot replay what was missed (${reason})`);
      return;
    }
    this.#lose(`some of what the server told while the connection was broken (${reason})`);
    this.#send("session.resume", request);
  }

  #lose(what: string): void {
    if (this.#continuity.lose()) this.#events?.note({ type: "lost", what });
  }

  /** The session cannot be taken up: another connection begins one. */
  #startAnew(what: string, error = endedError("session.resume", what)): void {
    this.#lose(what);
    this.#continuity.forget();
    this.#events?.fail(error, true);
  }

  #ended({ type, fields }: OmniEvent): void {
    // Once the session is to end, that is the last word, and no failure.
    if (this.#leaving) return;
    const reason = textOf(fields.reason).slice(0, 100);
    if (this.#continuity.resuming && type === "session.expired") {
      this.#startAnew(`the conversation so far: ${reason}`);
      return;
    }
    this.#continuity.forget();
    const passing = type === "session.closed" && passingEnds.has(reason);
    this.#events?.fail(type === "session.replaced" ? replacedError() : endedError(type, reason), passing);
  }

  #error({ fields }: OmniEvent): void {
    const error = readOmniError(fields, (text) => redactKeys(text, this.#secrets));
    const verdict = verdictOfOmniError(error, this.#ready);
    if (isLost(error)) {
      this.#startAnew(`the conversation so far: ${error.code}`, verdict?.error);
      return;
    }
    if (verdict !== undefined) {
      this.#events?.fail(verdict.error, verdict.retry);
      return;
    }
    this.#swallow(error);
    if (this.#input.refused(error.eventId)) this.#events?.note({ type: "input-dropped", units: 1 });
    if (notActive.has(error.code) || error.eventId.startsWith("interrupt-")) this.#replies.noRise();
    if (error.code === "conversation_already_has_active_response") this.#wantsResponse = true;
  }

  #swallow({ code, type, message }: Pick<OmniError, "code" | "type" | "message">): void {
    this.#events?.note({ type: "swallowed", code: code || type, message });
  }

  // --- what comes ---

  readonly #takers: Readonly<Record<string, (event: OmniEvent) => void>> = {
    "session.resumed": (event) => this.#resumed(event),
    "session.resync_required": (event) => this.#resync(event),
    "session.replaced": (event) => this.#ended(event),
    "session.expired": (event) => this.#ended(event),
    "session.closed": (event) => this.#ended(event),
    "session.draining": ({ fields }) =>
      this.#events?.note({ type: "draining", leftMs: Math.min(countOf(fields.left_ms) ?? 0, 86_400_000) }),
    error: (event) => this.#error(event),
    "response.created": ({ fields, epoch }) => void this.#replies.wanted(responseOf(fields), epoch),
    "response.output_audio.delta": (event) => this.#takeSound(event),
    "response.output_audio_transcript.delta": (event) => this.#takeWords(event),
    "response.output_text.delta": (event) => this.#takeText(event),
    "response.output_item.done": (event) => this.#itemDone(event),
    "response.done": (event) => this.#responseDone(event),
    "response.listen": ({ fields }) => this.#listen(fields),
    "overlap.decision": ({ fields }) => {
      if (fields.action === "barge_in") this.#cutAll();
    },
    "output_audio_buffer.cleared": ({ fields }) => this.#cut(textOf(fields.response_id)),
    "conversation.item.added": ({ fields }) => this.#results.shown(fieldsOf(fields.item)),
    "conversation.item.created": ({ fields }) => this.#results.shown(fieldsOf(fields.item)),
    "conversation.item.input_audio_transcription.delta": ({ fields }) =>
      this.#heard(this.#transcripts.add(itemOf(fields), textOf(fields.delta))),
    "conversation.item.input_audio_transcription.completed": ({ fields }) =>
      this.#heard(this.#transcripts.done(itemOf(fields), textOf(fields.transcript))),
    "duplex.function_call.done": () =>
      this.#swallow({
        code: "duplex.function_call.done",
        type: "",
        message: "the model made a call that is malformed",
      }),
  };

  #takeSound({ fields, epoch }: OmniEvent): void {
    const id = nameOf(fields, "response_id");
    const { delta, format = "pcm16", sample_rate_hz: rate = omniOutputRate } = fields;
    if (typeof delta !== "string" || delta.length > maxDeltaLength) {
      throw omniViolation("expected delta of a response's sound to be base64, at most a minute");
    }
    if (rate !== omniOutputRate || !/^(pcm16|pcm_s16le|s16le|pcm)$/.test(textOf(format))) {
      const got = `${textOf(format).slice(0, 20)} at ${typeof rate === "number" ? rate : "no rate"}`;
      throw omniViolation(`expected sound as pcm16 at ${omniOutputRate} Hz, got ${got}`);
    }
    const reply = this.#replies.wanted(id, epoch);
    if (reply === undefined) return;
    const bytes = decodeBase64(delta);
    if (bytes === undefined) throw omniViolation("expected delta of a response's sound to be base64");
    const pcm = reply.pcm.push(bytes);
    reply.sounded = true;
    const ms = (1000 * pcm.length) / omniOutputRate;
    const fromMs = this.#ledger.sound(id, textOf(fields.item_id) || `item_${id}`, ms);
    reply.text.mark(fieldsOf(fields.metadata)?.audio_text_marks, fromMs);
    this.#events?.audio(pcm, id);
  }

  #takeWords({ fields, epoch }: OmniEvent): void {
    const reply = this.#replies.wanted(nameOf(fields, "response_id"), epoch);
    if (reply === undefined) return;
    for (const { text, atMs } of reply.text.add(textOf(fields.delta).slice(0, maxTextLength))) {
      this.#events?.text(text, reply.id, atMs);
    }
  }

  /** Words of a response without sound; those of one that sounds are in its transcript. */
  #takeText({ fields, epoch }: OmniEvent): void {
    const reply = this.#replies.wanted(nameOf(fields, "response_id"), epoch);
    if (reply === undefined || reply.sounded) return;
    this.#events?.text(textOf(fields.delta).slice(0, maxTextLength), reply.id);
  }

  #itemDone({ fields }: OmniEvent): void {
    const item = fieldsOf(fields.item);
    if (item?.type !== "function_call") return;
    const id = textOf(fields.response_id);
    const calls = this.#called.get(id) ?? [];
    if (calls.length >= maxCalls || (calls.length === 0 && this.#called.size >= maxCalls)) return;
    this.#called.set(id, [...calls, functionCall(nameOf(item, "call_id"), textOf(item.name), textOf(item.arguments))]);
  }

  #responseDone({ fields }: OmniEvent): void {
    const id = responseOf(fields);
    const response = fieldsOf(fields.response);
    const status = textOf(response?.status) || "completed";
    const called = this.#called.get(id) ?? [];
    this.#called.delete(id);
    if (status === "completed" && called.length > 0) {
      this.#calls.add(called);
      for (const call of called) this.#events?.delegation(call);
    }
    if (status === "failed") {
      const reason = textOf(fieldsOf(response?.status_details)?.reason).slice(0, 100);
      this.#swallow({ code: reason, type: "failed", message: "a response failed" });
    }
    if (status === "cancelled") this.#cut(id);
    const reply = this.#replies.known(id);
    if (reply !== undefined) reply.live = false;
    this.#events?.replyEnd(id);
    if (this.#wantsResponse) this.#askForResponse();
  }

  /**
   * The model gives up the floor in mid-response where it names one that sounds and has not ended. Without a name it is idle,
   * or has decided of something else.
   */
  #listen(fields: Fields): void {
    const id = textOf(fields.response_id) || textOf(fieldsOf(fields.response)?.id);
    const reply = this.#replies.known(id);
    const metadata = fieldsOf(fieldsOf(fields.response)?.metadata);
    // Not the model's own: the server is at its bound, or waits for sound.
    if (metadata?.model_listen === false) return;
    if (reply?.live === true && reply.sounded) this.#cut(id);
  }

  /** A response is cut. Those that came after it are not. */
  #cut(id: string): void {
    if (this.#replies.known(id) === undefined) return;
    const isLast = this.#replies.last?.id === id;
    this.#replies.cut(id);
    if (isLast) this.#events?.flush();
  }

  #cutAll(): void {
    this.#replies.cutAll();
    this.#events?.flush();
  }

  #heard(words: string): void {
    if (words !== "") this.#events?.heard(words);
  }

  // --- what goes ---

  #tellPlayed({ reply, heardMs }: WirePlayed): void {
    const ack = this.#ledger.heard(reply, heardMs);
    if (ack === undefined) return;
    const { item, ms } = ack;
    this.#send("playback.ack", { response_id: reply, item_id: item, played_ms: ms, committed_ms: ms });
  }

  #tell(input: TextInput): void {
    if (input.source === "user") {
      if (input.text.trim() === "") return;
      this.#say("user", input.text);
      if (this.#server.answersText) this.#send("response.create", {});
      return;
    }
    const { id, goesOn, text } = this.#calls.answer(input);
    if (id === undefined) {
      this.#say("system", text);
      return;
    }
    this.#sendResult({ id, text, goesOn });
  }

  #sendResult(result: OmniResult): void {
    const { id, text, goesOn } = result;
    this.#results.sent(result);
    this.#send("conversation.item.create", { item: { type: "function_call_output", call_id: id, output: text } });
    if (goesOn && this.#server.answersCalls) this.#askForResponse();
  }

  /** One at a time: after the one that is under way. */
  #askForResponse(): void {
    this.#wantsResponse = this.#replies.live.length > 0;
    if (!this.#wantsResponse) this.#send("response.create", {});
  }

  #say(role: "user" | "system", text: string): void {
    this.#send("conversation.item.create", {
      item: { type: "message", role, content: [{ type: "input_text", text }] },
    });
  }

  /** Every message has a name: an error of the service says which it means. */
  #send(type: string, fields: Fields, name = "mt"): string {
    const event_id = `${name}-${++this.#sent}`;
    this.#events?.send(JSON.stringify({ type, event_id, ...fields }));
    return event_id;
  }
}

/** The server stops, or lost us: another may take us. */
const passingEnds: ReadonlySet<string> = new Set(["shutdown", "drained", "disconnect", "transport_error", "lost"]);
/** There was nothing to cancel. */
const notActive: ReadonlySet<string> = new Set(["response_not_active", "response_cancel_not_active"]);
