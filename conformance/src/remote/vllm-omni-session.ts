// A session of the double of vLLM-Omni: it outlives its connections, numbers its events and keeps those that are not
// acknowledged. Rules: `docs/serving/realtime_duplex_api.md` of vLLM-Omni and its server of version 0.30; where the double is
// stricter, it says so.

import type { WebSocket } from "ws";

export type Fields = Record<string, unknown>;

/** A message of the client. */
export interface OmniMessage extends Fields {
  readonly type: string;
}

/** What a served model can do. */
export interface OmniModel {
  readonly periodMs: number;
  readonly resumes: boolean;
  readonly bargeIn: boolean;
  readonly truncates: boolean;
  readonly video: boolean;
  readonly textTurns: boolean;
  readonly tools: boolean;
}

/** The three models of the service's table, and one that can do all, to which our own server is closest. */
export const omniModels = {
  "minicpm-o": model({ periodMs: 1000, resumes: true, bargeIn: true, truncates: true, video: true }),
  personaplex: model({ periodMs: 80 }),
  nemotron: model({ periodMs: 80, resumes: true, tools: true }),
  all: model({
    periodMs: 200,
    resumes: true,
    bargeIn: true,
    truncates: true,
    video: true,
    textTurns: true,
    tools: true,
  }),
};

function model(can: Partial<OmniModel>): OmniModel {
  return {
    ...{
      periodMs: 1000,
      resumes: false,
      bargeIn: false,
      truncates: false,
      video: false,
      textTurns: false,
      tools: false,
    },
    ...can,
  };
}

/** A response of the model. */
export interface OmniResponse {
  readonly id: string;
  readonly epoch: number;
  status: "in_progress" | "completed" | "cancelled" | "failed";
  generatedMs: number;
  playedMs: number;
  /** A truncating ack has come. */
  truncated: boolean;
  spoke: boolean;
  characters: number;
  transcript: string;
  /** Inputs that had been committed when it began. */
  readonly commits: number;
}

export class OmniSession {
  readonly id: string;
  readonly model: OmniModel;
  /** Of its first `session.update`. */
  config: Fields;
  socket: WebSocket | undefined;
  epoch = 0;
  generation = 1;
  token: string;
  readonly responses = new Map<string, OmniResponse>();
  /** Calls, and whether they have their result. */
  readonly calls = new Map<string, boolean>();
  commits = 0;
  /** Sound that came, ms. */
  inputMs = 0;
  over = false;
  /** Whether a replay begins with what was acknowledged last, as duplicates. */
  replaysDuplicates = false;
  overflowed = false;
  #sequence = 0;
  #acknowledged = 0;
  #journal: { readonly sequence: number; readonly text: string }[] = [];
  /** Kept only to be sent twice. */
  #past: string[] = [];

  constructor(id: string, served: OmniModel, config: Fields) {
    this.id = id;
    this.model = served;
    this.config = config;
    this.token = `rt_${id}_1`;
  }

  get active(): OmniResponse | undefined {
    return [...this.responses.values()].findLast((response) => response.status === "in_progress");
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** Sends an event with its number, and keeps it while it is not acknowledged. */
  emit(type: string, fields: Fields = {}): void {
    const text = JSON.stringify({ type, ...fields, server_event_seq: ++this.#sequence });
    if (this.model.resumes && !this.overflowed) this.#journal.push({ sequence: this.#sequence, text });
    this.#past = [...this.#past.slice(-4), text];
    this.socket?.send(text);
  }

  /** Sends an event that has no number. */
  tell(type: string, fields: Fields): void {
    this.socket?.send(JSON.stringify({ type, ...fields }));
  }

  /** @returns what is wrong with it */
  acknowledge(sequence: unknown): string | undefined {
    if (!Number.isInteger(sequence) || (sequence as number) < 0) return "it is no whole number";
    const count = sequence as number;
    if (count > this.#sequence) return `it is newer than the last event, ${this.#sequence}`;
    // The service takes it; no right client does it.
    if (count < this.#acknowledged) return `it falls, from ${this.#acknowledged}`;
    this.#acknowledged = count;
    this.#journal = this.#journal.filter((event) => event.sequence > count);
    return undefined;
  }

  /** @returns whether what came after an event can be told again */
  canReplay(sequence: number): boolean {
    return !this.overflowed && sequence >= this.#acknowledged && sequence <= this.#sequence;
  }

  replay(sequence: number): void {
    const missed = this.#journal.filter((event) => event.sequence > sequence).map(({ text }) => text);
    const all = this.replaysDuplicates ? [...this.#past.filter((text) => !missed.includes(text)), ...missed] : missed;
    for (const text of all) this.socket?.send(text);
  }

  /** The session as the client is told of it. */
  shown(): Fields {
    const { periodMs, resumes, bargeIn, truncates, video, textTurns } = this.model;
    return {
      ...{ object: "realtime.session", type: "realtime", id: this.id, model: this.config.model, state: "open" },
      ...{ turn_state: "idle", epoch: this.epoch, turn_id: 0, active_response_id: this.active?.id ?? null },
      audio: {
        input: { format: { type: "audio/pcm", rate: this.inputRate }, sample_rate_hz: this.inputRate },
        output: { format: { type: "audio/pcm", rate: 24_000 } },
      },
      playback_commit_policy: this.config.playback_commit_policy ?? "commit_all_on_done",
      playback: { generated_ms: 0, sent_ms: 0, played_ms: 0, committed_ms: 0 },
      capabilities: {
        ...{ implementation_level: "model_native_duplex", supports_input_append: true, supports_barge_in: bargeIn },
        ...{ supports_session_resume: resumes, supports_audio_truncate: truncates, chunk_period_ms: periodMs },
        ...{ supports_text_only_turn: textTurns, input_modes: ["append_audio_chunk"] },
        required_input_modalities: ["audio"],
        optional_input_modalities: video ? ["video"] : [],
      },
    };
  }

  get inputFormat(): string {
    return String(this.config.input_audio_format ?? "pcm16");
  }

  get inputRate(): number {
    return Number(this.config.sample_rate_hz ?? 16_000);
  }

  begin(id: string): OmniResponse {
    const response: OmniResponse = {
      ...{ id, epoch: this.epoch, status: "in_progress", generatedMs: 0, playedMs: 0, truncated: false, spoke: false },
      ...{ characters: 0, transcript: "", commits: this.commits },
    };
    this.responses.set(id, response);
    const item = { id: `item_${id}`, object: "realtime.item", type: "message", role: "assistant" };
    this.emit("response.created", {
      response_id: id,
      response: {
        ...{ id, object: "realtime.response", status: "in_progress", status_details: null, output: [] },
        metadata: { duplex_event: { type: "response.created", response_id: id, epoch: this.epoch, turn_id: 1 } },
      },
    });
    for (const type of ["conversation.item.added", "conversation.item.created"]) {
      this.emit(type, { previous_item_id: null, item: { ...item, status: "in_progress", content: [] } });
    }
    const at = { response_id: id, output_index: 0 };
    this.emit("response.output_item.added", { ...at, item: { ...item, status: "in_progress", content: [] } });
    this.emit("response.content_part.added", {
      ...{ ...at, item_id: item.id, content_index: 0 },
      part: { type: "audio", transcript: "" },
    });
    return response;
  }

  /** One piece of a response: sound, and exactly one piece of transcript with it. */
  delta(response: OmniResponse, delta: string, ms: number, text: string, marked = true): void {
    const { id, epoch } = response;
    const at = { response_id: id, item_id: `item_${id}`, output_index: 0, content_index: 0 };
    if (!response.spoke) {
      response.spoke = true;
      this.emit("response.speak", { ...at, metadata: { session_id: this.id, epoch, model_speak: true } });
    }
    response.generatedMs += ms;
    response.characters += [...text].length;
    response.transcript += text;
    const durationMs = Math.floor(response.generatedMs);
    const marks = [{ text_chars: response.characters, audio_end_ms: durationMs }];
    this.emit("response.output_audio.delta", {
      ...{ ...at, delta, format: "pcm16", sample_rate_hz: 24_000 },
      metadata: {
        ...{ session_id: this.id, epoch, model_speak: true, end_of_turn: false, audio_duration_ms: durationMs },
        ...(marked ? { audio_text_marks: marks } : {}),
        playback: { generated_ms: durationMs, sent_ms: durationMs, played_ms: response.playedMs, committed_ms: 0 },
      },
    });
    this.emit("response.output_audio_transcript.delta", { ...at, delta: text });
  }

  /** The last events of a response. @param epoch - of the session, once it has ended */
  end(response: OmniResponse, status: "completed" | "cancelled" | "failed", reason?: string): void {
    if (response.status !== "in_progress") return;
    response.status = status;
    const { id, transcript } = response;
    const at = { response_id: id, item_id: `item_${id}`, output_index: 0, content_index: 0 };
    const item = {
      ...{ id: `item_${id}`, object: "realtime.item", type: "message", role: "assistant", status },
      content: [{ type: "output_audio", transcript }],
    };
    if (response.spoke) {
      this.emit("response.output_audio.done", at);
      this.emit("response.output_audio_transcript.done", { ...at, transcript });
    }
    this.emit("response.content_part.done", { ...at, part: { type: "audio", transcript } });
    this.emit("response.output_item.done", { response_id: id, output_index: 0, item });
    this.emit("conversation.item.done", { previous_item_id: null, item });
    this.emit("response.done", {
      response_id: id,
      response: {
        ...{ id, object: "realtime.response", status, output: [item] },
        status_details: reason === undefined ? null : { type: status, reason },
        metadata: {
          type: status === "cancelled" ? "audio.cancelled" : "response.done",
          response_id: id,
          epoch: this.epoch,
        },
      },
    });
    this.emit("rate_limits.updated", { rate_limits: [] });
  }

  /** Whatever is under way ends, and the epoch counts it. */
  interrupt(reason: string): void {
    const { active } = this;
    this.epoch++;
    if (active !== undefined) this.end(active, "cancelled", reason);
  }
}
