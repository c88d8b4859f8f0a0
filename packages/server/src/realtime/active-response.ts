// One response: what the assistant says from where it takes the floor to where it gives it up, and the functions it calls
// meanwhile, told in the order that clients of OpenAI Realtime rely on.

import { Resampler } from "@microturn/core";
import { type AudioFormat, encodeAudio, speechQuality } from "./audio-format.js";
import { type ConversationItem, type ConversationItems, shownItem } from "./conversation-items.js";
import type { Fields } from "./fields.js";
import { ItemSound } from "./item-sound.js";
import { Scratch } from "./scratch.js";
import { nameOf, type Tell } from "./tell.js";

const resampled = new Scratch();

/** How a response is told. */
export interface ResponseOptions {
  readonly tell: Tell;
  readonly items: ConversationItems;
  readonly turnMs: number;
  /** Rate of the engine's sound, Hz. */
  readonly engineRate: number;
  readonly format: AudioFormat;
  readonly voice: string;
  readonly textOnly: boolean;
  /** The client's own, of its `response.create`. */
  readonly metadata?: Fields | null;
  /** The fence as it is now. */
  readonly epoch: () => number;
}

/** What was said in one micro-turn. */
export interface SpokenTurn {
  readonly turnIndex: number;
  readonly fence: number;
  readonly speech: Float32Array;
  readonly words: string;
}

export type ResponseEnd =
  | { readonly status: "completed" }
  | { readonly status: "cancelled"; readonly reason: "turn_detected" | "client_cancelled" }
  | { readonly status: "failed"; readonly error: { readonly code: string; readonly message: string } };

const noUsage = {
  ...{ total_tokens: 0, input_tokens: 0, output_tokens: 0 },
  input_token_details: { cached_tokens: 0, text_tokens: 0, audio_tokens: 0, image_tokens: 0 },
  output_token_details: { text_tokens: 0, audio_tokens: 0 },
};

interface Message {
  readonly item: ConversationItem;
  readonly sound: ItemSound;
  readonly outputIndex: number;
  readonly before: string | null;
}

export class ActiveResponse {
  readonly id = nameOf("resp");
  readonly #options: ResponseOptions;
  readonly #resampler: Resampler | undefined;
  readonly #output: ConversationItem[] = [];
  #message: Message | undefined;
  #transcript = "";
  #ended = false;

  constructor(options: ResponseOptions) {
    this.#options = options;
    const { engineRate, format, textOnly } = options;
    if (engineRate !== format.rate && !textOnly) {
      this.#resampler = new Resampler({ inputRate: engineRate, outputRate: format.rate, quality: speechQuality });
    }
    options.tell("response.created", { response: this.#shown("in_progress") });
  }

  /** Whether anything was said in it. */
  get speaking(): boolean {
    return this.#message !== undefined;
  }

  /** The item that the assistant says. */
  get itemId(): string | undefined {
    return this.#message?.item.id;
  }

  /** One more micro-turn of it: one delta of sound, and one of words, which may be empty. */
  speak(turn: SpokenTurn): void {
    if (this.#ended) return;
    this.#message ??= this.#begin();
    const { sound, item } = this.#message;
    const fromMs = sound.add(turn.turnIndex, turn.fence, turn.words);
    const words = turn.words === "" ? "" : `${this.#transcript === "" ? "" : " "}${turn.words}`;
    this.#transcript += words;
    item.shown = { content: [this.#part("item")] };
    if (this.#options.textOnly) {
      if (words !== "") this.#options.tell("response.output_text.delta", { ...this.#place(), delta: words });
      return;
    }
    const pcm = this.#resample(turn.speech);
    this.#delta(pcm, words, {
      ...{ epoch: turn.fence, turn_index: turn.turnIndex, model_speak: true, end_of_turn: false },
      ...{ audio_start_ms: fromMs, audio_end_ms: sound.lengthMs },
      audio_text_marks: words === "" ? [] : [{ text_chars: this.#transcript.length, audio_end_ms: sound.lengthMs }],
    });
  }

  /** The model hands work over: the client is asked to call a function. */
  call(callId: string, name: string, json: string): void {
    if (this.#ended) return;
    const { tell, items } = this.#options;
    const shown = { call_id: callId, name, arguments: "" };
    const item: ConversationItem = { id: nameOf("item"), type: "function_call", status: "in_progress", shown };
    const output_index = this.#output.push(item) - 1;
    const at = { response_id: this.id, output_index };
    tell("response.output_item.added", { ...at, item: shownItem(item) });
    const previous_item_id = items.add(item);
    tell("conversation.item.added", { item: shownItem(item), previous_item_id });
    const of = { ...at, item_id: item.id, call_id: callId };
    tell("response.function_call_arguments.delta", { ...of, delta: json });
    tell("response.function_call_arguments.done", { ...of, name, arguments: json });
    item.status = "completed";
    item.shown = { ...shown, arguments: json };
    tell("conversation.item.done", { item: shownItem(item), previous_item_id });
    tell("response.output_item.done", { ...at, item: shownItem(item) });
  }

  /** Ends it. The `.done` events come in every case. */
  end(end: ResponseEnd): void {
    if (this.#ended) return;
    if (this.#message !== undefined) this.#endMessage(this.#message, end);
    this.#ended = true;
    const { reason, error } = { reason: undefined, error: undefined, ...end };
    const details =
      end.status === "completed"
        ? null
        : { type: end.status, ...(reason === undefined ? {} : { reason }), ...(error === undefined ? {} : { error }) };
    this.#options.tell("response.done", { response: this.#shown(end.status, details) });
  }

  #begin(): Message {
    const { tell, items, turnMs, epoch } = this.#options;
    const sound = new ItemSound(turnMs);
    const item: ConversationItem = {
      ...{ id: nameOf("item"), type: "message", role: "assistant", status: "in_progress", sound, responseId: this.id },
      shown: { content: [] },
    };
    const outputIndex = this.#output.push(item) - 1;
    const at = { response_id: this.id, output_index: outputIndex };
    tell("response.speak", { epoch: epoch(), response_id: this.id, item_id: item.id });
    tell("response.output_item.added", { ...at, item: shownItem(item) });
    const before = items.add(item);
    tell("conversation.item.added", { item: shownItem(item), previous_item_id: before });
    this.#message = { item, sound, outputIndex, before };
    tell("response.content_part.added", { ...this.#place(), part: this.#part("part") });
    return this.#message;
  }

  #endMessage({ item, sound, outputIndex, before }: Message, end: ResponseEnd): void {
    const { tell, textOnly } = this.#options;
    const place = this.#place();
    const completed = end.status === "completed";
    if (textOnly) tell("response.output_text.done", { ...place, text: this.#transcript });
    else {
      const tail = completed ? this.#tail() : undefined;
      if (tail !== undefined) {
        const { lengthMs } = sound;
        this.#delta(tail, "", {
          ...{ epoch: this.#options.epoch(), model_speak: true, end_of_turn: true },
          ...{ audio_start_ms: lengthMs, audio_end_ms: lengthMs, audio_text_marks: [] },
        });
      }
      tell("response.output_audio.done", place);
      tell("response.output_audio_transcript.done", { ...place, transcript: this.#transcript });
    }
    tell("response.content_part.done", { ...place, part: this.#part("part") });
    item.status = completed ? "completed" : "incomplete";
    item.shown = { content: [this.#part("item")] };
    tell("conversation.item.done", { item: shownItem(item), previous_item_id: before });
    tell("response.output_item.done", { response_id: this.id, output_index: outputIndex, item: shownItem(item) });
  }

  #delta(pcm: Float32Array, words: string, metadata: Fields): void {
    const { tell, format } = this.#options;
    const place = this.#place();
    const told = { ...metadata, audio_duration_ms: Math.round((1000 * pcm.length) / format.rate) };
    const sound = encodeAudio(pcm, format.type);
    tell("response.output_audio.delta", { ...place, sample_rate_hz: format.rate, metadata: told }, sound);
    tell("response.output_audio_transcript.delta", { ...place, delta: words });
  }

  #resample(speech: Float32Array): Float32Array {
    const resampler = this.#resampler;
    if (resampler === undefined) return speech;
    const out = resampled.floats(resampler.outputsAfter(speech.length));
    return out.subarray(0, resampler.push(speech, out));
  }

  /** What is still in the resampler: a few ms. */
  #tail(): Float32Array | undefined {
    const resampler = this.#resampler;
    if (resampler === undefined || resampler.delaySamples === 0) return undefined;
    const out = new Float32Array(resampler.delaySamples);
    return out.subarray(0, resampler.flush(out));
  }

  #place(): Fields {
    const { item, outputIndex } = this.#message as Message;
    return { response_id: this.id, item_id: item.id, output_index: outputIndex, content_index: 0 };
  }

  /** The content of the message, as parts of a response or items spell it. */
  #part(of: "part" | "item"): Fields {
    if (this.#options.textOnly) return { type: of === "part" ? "text" : "output_text", text: this.#transcript };
    return { type: of === "part" ? "audio" : "output_audio", transcript: this.#transcript };
  }

  #shown(status: string, details: Fields | null = null): Fields {
    const { format, voice, textOnly, metadata } = this.#options;
    return {
      ...{ object: "realtime.response", id: this.id, status, status_details: details },
      ...{ output: this.#output.map(shownItem), conversation_id: "conv_default" },
      ...{ output_modalities: [textOnly ? "text" : "audio"], max_output_tokens: "inf" },
      ...{ audio: { output: { format, voice } }, metadata: metadata ?? null },
      usage: status === "in_progress" ? null : noUsage,
    };
  }
}
