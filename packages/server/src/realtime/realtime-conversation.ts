// A conversation on the JSON wire: events of the client go into a DuplexSession, its micro-turns come out as events of OpenAI
// Realtime and of the duplex superset. The model owns the turns; responses and items are derived from what it does.

import type { Clock, DuplexSession, FlushEvent, TurnRecord } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import { RateLimit } from "../access/rate-limit.js";
import { jpegPixels } from "../images/decode-jpeg.js";
import { ActiveResponse } from "./active-response.js";
import { readRate } from "./audio-format.js";
import { ConversationItems, type Place, shownItem } from "./conversation-items.js";
import {
  countAt,
  decodeBase64,
  type Fields,
  fieldsOf,
  idAt,
  invalidType,
  invalidValue,
  jsonLength,
  objectAt,
  passingBase64At,
  stringAt,
} from "./fields.js";
import { argumentsFor, chooseTool, OpenCalls, spokenOutput } from "./function-tools.js";
import { InputAudio } from "./input-audio.js";
import type { ItemSound } from "./item-sound.js";
import { type ItemInput, readItem } from "./read-item.js";
import { RealtimeError } from "./realtime-error.js";
import type { SessionSettings } from "./session-settings.js";
import { nameOf, type Tell } from "./tell.js";
import { UserSpeech } from "./user-speech.js";

/** The service refuses to commit less than this, ms. */
const leastCommitMs = 100;
/** A response that was asked for ends without output after so many micro-turns in which nobody says anything. */
const silentTurns = 15;
/** After anything that happens, the conversation goes on for so many micro-turns without the client's sound. */
const livelyTurns = 25;
/** Images: as many at once, and as many a second. */
const imageBurst = 8;
const imagesPerSecond = 5;
/** Images are decoded in this thread, some 20 ns a pixel: pixels at once, and a second. */
const pixelBurst = 4_000_000;
const pixelsPerSecond = 1_000_000;
/** What an image counts at least. */
const leastPixels = 10_000;
const maxWaitingOutputs = 64;
const maxMetadataCharacters = 16_384;
/** What the resampler adds to the end of a reply is shorter than this, ms; players count it. */
const tailMs = 10;

export interface ConversationOptions {
  readonly duplex: DuplexSession;
  readonly settings: SessionSettings;
  readonly tell: Tell;
  readonly clock: Clock;
  /** How far the client's sound may be ahead, ms. */
  readonly maxAheadMs: number;
  readonly decodeImage: DecodeImage;
  /** Something failed here while the session went on. */
  readonly onFailure: (error: unknown) => void;
}

type Handler = (event: Fields) => void;

export class RealtimeConversation {
  readonly input: InputAudio;
  readonly #options: ConversationOptions;
  readonly #duplex: DuplexSession;
  readonly #settings: SessionSettings;
  readonly #tell: Tell;
  readonly #items = new ConversationItems();
  readonly #calls = new OpenCalls();
  readonly #user: UserSpeech;
  readonly #images: RateLimit;
  readonly #pixels: RateLimit;
  /** Results of functions that wait for the client's `response.create`. */
  #outputs: { readonly text: string; readonly delegation: string | undefined }[] = [];
  #active: ActiveResponse | undefined;
  #epoch = 0;
  /** Results that were handed over and have not entered. */
  #delivering = 0;
  #quiet = 0;
  #livelyUntil: number;
  #hasSpoken = false;

  constructor(options: ConversationOptions) {
    const { duplex, settings, tell, clock, maxAheadMs } = options;
    this.#options = options;
    this.#duplex = duplex;
    this.#settings = settings;
    this.#tell = tell;
    this.input = new InputAudio(duplex, clock, maxAheadMs);
    this.#livelyUntil = duplex.turnIndex;
    this.#images = new RateLimit(imagesPerSecond, imageBurst, clock.now());
    this.#pixels = new RateLimit(pixelsPerSecond, pixelBurst, clock.now());
    this.#user = new UserSpeech({
      ...{ tell, items: this.#items, turnMs: duplex.capabilities.turnDurationMs },
      inputMs: (turnIndex) => this.input.atTurn(turnIndex),
      transcribes: () => settings.transcribes,
      epoch: () => this.#epoch,
      onCommit: () => this.input.clearBuffer(),
    });
    duplex.on("flush", (event) => this.#guard(() => this.#flushed(event)));
    duplex.on("turn-end", ({ turn }) => this.#guard(() => this.#takeTurn(turn)));
  }

  /** Sound with a lower fence must not be played any more. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Once per micro-turn while the client is there: time goes on though its sound does not, where there is a reason. */
  tick(): void {
    const lively = this.#duplex.turnIndex < this.#livelyUntil;
    if (!lively && this.#active === undefined && this.#delivering === 0 && !this.#user.unfinished) return;
    this.#guard(() => this.input.fill());
  }

  /** What is thrown into a timer or an event of the session would end the process, and every session in it. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  /** Whether a type of event is one of the conversation. */
  handles(type: string): boolean {
    return Object.hasOwn(this.#handlers, type);
  }

  /** Takes an event. @throws RealtimeError, DuplexError; the session goes on */
  receive(type: string, event: Fields): void {
    this.#handlers[type](event);
  }

  /** Ends what is under way, because the session does. */
  fail(code: string, message: string): void {
    const active = this.#active;
    this.#active = undefined;
    active?.end({ status: "failed", error: { code, message } });
  }

  // --- events of the client ---

  readonly #handlers: Readonly<Record<string, Handler>> = {
    "session.update": (event) => {
      this.#settings.update(objectAt(event, "session"), this.#hasSpoken);
      this.#tell("session.updated", { session: this.#settings.shown() });
    },
    "input_audio_buffer.append": (event) => this.#append(event),
    "input_audio_buffer.commit": () => this.#commit(),
    "input_audio_buffer.clear": () => {
      this.input.clearBuffer();
      this.input.reset();
      this.#tell("input_audio_buffer.cleared", { epoch: this.#epoch });
    },
    "conversation.item.create": (event) => this.#createItem(event),
    "conversation.item.retrieve": (event) => {
      const item = this.#itemOf(event, "item_retrieve_invalid_item_id");
      this.#tell("conversation.item.retrieved", { item: shownItem(item) });
    },
    "conversation.item.delete": (event) => {
      const { id } = this.#itemOf(event, "item_delete_invalid_item_id");
      this.#items.remove(id);
      this.#tell("conversation.item.deleted", { item_id: id });
    },
    "conversation.item.truncate": (event) => this.#truncate(event),
    "response.create": (event) => this.#create(event),
    "response.cancel": (event) => {
      const wanted = idAt(event, "response_id");
      if (this.#active === undefined || (wanted !== undefined && wanted !== this.#active.id)) {
        throw new RealtimeError("response_cancel_not_active", "Cancellation failed: no active response found");
      }
      this.#interrupt();
    },
    "output_audio_buffer.clear": () => {
      this.#interrupt();
      this.#tell("output_audio_buffer.cleared", { epoch: this.#epoch });
    },
    barge_in: () => this.#interrupt(),
    "turn.signal": (event) => {
      if (event.event !== "barge_in") throw invalidValue("event", "expected 'barge_in'");
      this.#interrupt();
    },
    "playback.ack": (event) => this.#acknowledge(event),
  };

  #append(event: Fields): void {
    const bytes = passingBase64At(event, "audio");
    const frames = event.video_frames ?? [];
    if (!Array.isArray(frames)) throw invalidType("video_frames", "an array");
    if (frames.length > imageBurst) throw invalidValue("video_frames", `expected at most ${imageBurst}`);
    const format = this.#settings.inputFormat;
    const { sample_rate_hz: other } = event;
    const rate = other === undefined || other === null ? format.rate : readRate(other, "sample_rate_hz");
    const images = frames.map((frame, index) => {
      const param = `video_frames[${index}]`;
      if (typeof frame !== "string") throw invalidType(param, "a string");
      return this.#decodeImage({ jpeg: decodeBase64(frame, param), width: 0, height: 0, timeMs: 0 });
    });
    this.input.append(bytes, { type: format.type, rate });
    for (const image of images) this.#duplex.writeImage(image);
  }

  #commit(): void {
    const { bufferedMs } = this.input;
    if (bufferedMs < leastCommitMs) {
      throw new RealtimeError(
        "input_audio_buffer_commit_empty",
        `Error committing input audio buffer: buffer too small. Expected at least ${leastCommitMs}ms of audio, but buffer only has ${bufferedMs.toFixed(2)}ms of audio.`,
      );
    }
    this.#user.commit(this.#duplex.turnIndex);
    this.#keepLively();
  }

  #createItem(event: Fields): void {
    const previous = idAt(event, "previous_item_id");
    const { id, type, role, shown, inputs } = readItem(objectAt(event, "item"), this.#decodeImage);
    const place: Place = previous;
    this.#items.checkPlace(id, place);
    for (const input of inputs) this.#bring(input);
    const item = { id, type, ...(role === undefined ? {} : { role }), status: "completed" as const, shown };
    const previous_item_id = this.#items.add(item, place);
    this.#tell("conversation.item.added", { item: shownItem(item), previous_item_id });
    this.#tell("conversation.item.done", { item: shownItem(item), previous_item_id });
  }

  #bring(input: ItemInput): void {
    this.#keepLively();
    switch (input.kind) {
      case "text":
        this.#duplex.sendText(input.text);
        return;
      case "image":
        this.#duplex.writeImage(input.image);
        return;
      case "audio":
        this.input.append(input.bytes, this.#settings.inputFormat);
        return;
      case "output": {
        if (this.#outputs.length >= maxWaitingOutputs) {
          throw new RealtimeError("input_backpressure", "Too many outputs wait for a response.create.", {
            type: "rate_limit_error",
          });
        }
        const { delegation } = this.#calls.answer(input.callId);
        this.#outputs.push({ text: spokenOutput(input.output), delegation });
      }
    }
  }

  #create(event: Fields): void {
    if (this.#active !== undefined) {
      throw new RealtimeError(
        "conversation_already_has_active_response",
        `Conversation already has an active response in progress: ${this.#active.id}. Wait until the response is finished before creating a new one.`,
      );
    }
    const options = event.response === undefined || event.response === null ? {} : fieldsOf(event.response);
    if (options === undefined) throw invalidType("response", "an object");
    if (options.conversation !== undefined && options.conversation !== "auto") {
      throw invalidValue("response.conversation", "there is one conversation; expected 'auto'");
    }
    if (Array.isArray(options.input) && options.input.length > 0) {
      throw invalidValue("response.input", "a response answers the conversation; create items instead");
    }
    const metadata = options.metadata === undefined || options.metadata === null ? null : fieldsOf(options.metadata);
    if (metadata === undefined || jsonLength(metadata, "response.metadata") > maxMetadataCharacters) {
      throw invalidValue("response.metadata", "expected an object of at most 16 pairs");
    }
    this.#deliverOutputs();
    this.#begin(metadata);
    this.#quiet = 0;
    this.#keepLively();
  }

  /** All results of functions that have come since the last response enter the conversation. */
  #deliverOutputs(): void {
    for (const { text, delegation } of this.#outputs.splice(0)) {
      if (text.trim() === "") continue;
      const entered = this.#duplex.deliver(text, "when-quiet", { delegation });
      this.#delivering++;
      void entered.then(() => {
        this.#delivering--;
      });
    }
  }

  #truncate(event: Fields): void {
    const item = this.#itemOf(event, "item_truncate_invalid_item_id");
    if (event.content_index !== undefined && event.content_index !== 0) {
      throw invalidValue("content_index", "expected 0");
    }
    const wantedMs = countAt(event, "audio_end_ms");
    const { sound } = item;
    if (sound === undefined) {
      throw new RealtimeError("unsupported_content_type", "Only model output audio messages can be truncated");
    }
    if (wantedMs > sound.lengthMs + tailMs) {
      throw invalidValue("audio_end_ms", `Audio content of ${sound.lengthMs}ms is already shorter than ${wantedMs}ms`);
    }
    const endMs = Math.min(wantedMs, sound.lengthMs);
    this.#played(sound, endMs);
    sound.truncate(endMs);
    item.shown = { content: [{ type: "output_audio", transcript: sound.words }] };
    this.#tell("conversation.item.truncated", { item_id: item.id, content_index: 0, audio_end_ms: endMs });
  }

  #acknowledge(event: Fields): void {
    const responseId = idAt(event, "response_id");
    // A response has one message: its name is enough.
    const item =
      event.item_id === undefined && responseId !== undefined
        ? this.#items.messageOf(responseId)
        : this.#items.get(stringAt(event, "item_id"));
    const sound = item?.sound;
    if (item === undefined || sound === undefined) {
      throw new RealtimeError("playback_item_not_found", "There is no sound of this item.", { param: "item_id" });
    }
    if (sound.cut) {
      throw new RealtimeError("playback_ack_too_late", "The item was truncated before.", { param: "item_id" });
    }
    const playedMs = countAt(event, "played_ms");
    const committedMs = event.committed_ms === undefined ? playedMs : countAt(event, "committed_ms");
    if (playedMs > sound.lengthMs + tailMs || committedMs > playedMs) {
      throw invalidValue("played_ms", `expected committed_ms <= played_ms <= ${sound.lengthMs}`);
    }
    sound.acknowledge(Math.min(playedMs, sound.lengthMs), Math.min(committedMs, sound.lengthMs));
    this.#played(sound, sound.playedMs);
    if (event.truncate === true) {
      sound.truncate(sound.playedMs);
      item.shown = { content: [{ type: "output_audio", transcript: sound.words }] };
    }
    const generated = sound.lengthMs;
    this.#tell("playback.acknowledged", {
      event: {
        ...{ response_id: responseId ?? item.responseId ?? null, item_id: item.id, epoch: this.#epoch },
        playback: { generated, sent: generated, played: sound.playedMs, committed: sound.committedMs },
        history_committed: sound.committedMs >= generated || sound.cut,
      },
    });
  }

  /** A position in an item is a position on the session clock. */
  #played(sound: ItemSound, ms: number): void {
    const place = sound.placeOf(ms);
    if (place === undefined) return;
    const { outputSampleRate, turnDurationMs } = this.#duplex.capabilities;
    const samples = Math.round((place.share * outputSampleRate * turnDurationMs) / 1000);
    this.#duplex.played({ turnIndex: place.turnIndex, samples, fence: place.fence });
  }

  #interrupt(): void {
    this.#duplex.interrupt();
  }

  /** @throws RealtimeError if images come too fast */
  readonly #decodeImage: DecodeImage = (image) => {
    const nowMs = this.#options.clock.now();
    const pixels = Math.max(leastPixels, jpegPixels(image.jpeg) ?? 0);
    if (!this.#images.take(1, nowMs) || !this.#pixels.take(Math.min(pixelBurst, pixels), nowMs)) {
      throw new RealtimeError(
        "input_backpressure",
        `Expected at most ${imagesPerSecond} images and ${pixelsPerSecond / 1e6} megapixel a second; the model sees no more.`,
        { type: "rate_limit_error" },
      );
    }
    return this.#options.decodeImage(image);
  };

  #itemOf(event: Fields, code: string) {
    const id = stringAt(event, "item_id");
    const item = this.#items.get(id);
    if (item !== undefined) return item;
    throw new RealtimeError(code, "The item of 'item_id' does not exist.", { param: "item_id" });
  }

  // --- what the session does ---

  #flushed({ fence, reason }: FlushEvent): void {
    this.#epoch = fence;
    if (reason !== "interrupt") return;
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    this.#tellListen("interrupted", active);
    active.end({ status: "cancelled", reason: "client_cancelled" });
  }

  #takeTurn({ index, output }: TurnRecord): void {
    const { heard, text, speech, decision, fence, yielded, skipped, delegation } = output;
    // What was under way when it was interrupted is not heard any more.
    const stale = fence < this.#epoch;
    const speaking = this.#active?.speaking === true;
    this.#user.take(heard, index, speaking);
    if (heard !== "" || decision === "speak") this.#keepLively();
    if (yielded && !stale) this.#yielded(index);
    else if (decision === "speak" && !stale) {
      this.#speak({ turnIndex: index, fence, speech, words: text });
    } else if (speaking && !skipped && !stale) {
      this.#complete("end_of_turn");
      this.#user.assistantFinished();
    }
    if (delegation !== undefined && !stale) this.#delegate(delegation);
    const waits = this.#active !== undefined && !this.#active.speaking;
    this.#quiet = waits && heard === "" && this.#delivering === 0 ? this.#quiet + 1 : 0;
    if (this.#quiet >= silentTurns) this.#complete("model_listens");
  }

  #speak(turn: Parameters<ActiveResponse["speak"]>[0]): void {
    if (this.#active?.speaking !== true) this.#user.seal(turn.turnIndex);
    const active = this.#active ?? this.#begin();
    this.#hasSpoken = true;
    active.speak(turn);
  }

  #yielded(turnIndex: number): void {
    const active = this.#active?.speaking === true ? this.#active : undefined;
    // Clients drop what they have not played when they are told that the user speaks.
    this.#user.yielded(turnIndex);
    if (active === undefined) return;
    this.#active = undefined;
    this.#tellListen("yielded", active);
    active.end({ status: "cancelled", reason: "turn_detected" });
  }

  #complete(reason: "end_of_turn" | "model_listens"): void {
    const active = this.#active;
    this.#active = undefined;
    active?.end({ status: "completed" });
    this.#quiet = 0;
    this.#tellListen(reason);
  }

  #delegate(delegation: NonNullable<TurnRecord["output"]["delegation"]>): void {
    const tool = chooseTool(this.#settings.tools, this.#settings.toolChoice, delegation);
    if (tool === undefined) return;
    const alone = this.#active?.speaking !== true;
    const active = this.#active ?? this.#begin();
    const callId = nameOf("call");
    this.#calls.add(callId, delegation.id);
    active.call(callId, tool.name, argumentsFor(tool, delegation));
    if (!alone) return;
    this.#active = undefined;
    active.end({ status: "completed" });
  }

  #begin(metadata: Fields | null = null): ActiveResponse {
    const { outputFormat: format, voice, textOnly } = this.#settings;
    const { turnDurationMs, outputSampleRate } = this.#duplex.capabilities;
    this.#active = new ActiveResponse({
      ...{ tell: this.#tell, items: this.#items, turnMs: turnDurationMs, engineRate: outputSampleRate },
      ...{ format, voice, textOnly, metadata, epoch: () => this.#epoch },
    });
    return this.#active;
  }

  /** @param active - the response in whose middle the model listens; what of it was not played is dropped */
  #tellListen(reason: string, active?: ActiveResponse): void {
    const of = active === undefined ? {} : { id: active.id };
    this.#tell("response.listen", {
      epoch: this.#epoch,
      response: { ...of, status: "listening", metadata: { reason, epoch: this.#epoch } },
    });
  }

  #keepLively(): void {
    this.#livelyUntil = this.#duplex.turnIndex + livelyTurns;
  }
}
