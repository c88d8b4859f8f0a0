// What the double of vLLM-Omni makes of one message with sound or with what was heard: refused as the service refuses it. Where it
// counts what the service believes, it says so.

import type { OmniMessage, OmniSession } from "./vllm-omni-session.js";

export const bytesPerSample: Readonly<Record<string, number>> = { pcm16: 2, pcm_f32le: 4 };

/** One message of a client in a session. */
export class OmniCall {
  readonly session: OmniSession;
  readonly message: OmniMessage;
  readonly #violate: (what: string) => void;

  /** @param violate - told of what no right client does */
  constructor(session: OmniSession, message: OmniMessage, violate: (what: string) => void) {
    this.session = session;
    this.message = message;
    this.#violate = violate;
  }

  /** Refuses it: the client did wrong. */
  refuse(code: string, text: string): void {
    this.#violate(`${this.message.type}: ${code}`);
    this.race(code, text);
  }

  /** Refuses it for what no client can rule out. */
  race(code: string, message: string, type = "invalid_request_error"): void {
    this.session.emit("error", { error: { type, code, message, event_id: this.message.event_id } });
  }

  /** Sound, and images with it. */
  append(): { readonly pcm?: Int16Array; readonly frames: readonly string[] } {
    const { session, message } = this;
    const { audio, duration_ms: durationMs, audio_end_ms: endMs, video_frames: frames } = message;
    const { format = message.input_audio_format ?? session.inputFormat, sample_rate_hz: told = session.inputRate } =
      message;
    if (typeof audio !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(audio) || audio.length % 4 !== 0) {
      this.refuse("bad_audio", "input audio is not valid base64");
      return { frames: [] };
    }
    const bytes = Buffer.from(audio, "base64");
    const size = bytesPerSample[String(format)];
    if (
      size === undefined ||
      format !== session.inputFormat ||
      told !== session.inputRate ||
      bytes.length % size !== 0
    ) {
      this.refuse("unsupported_audio_format", `Unsupported: ${format} at ${told} Hz`);
      return { frames: [] };
    }
    const samples = bytes.length / size;
    const before = session.inputMs;
    session.inputMs += (1000 * samples) / session.inputRate;
    // The service believes what it is told; the double counts.
    if (durationMs !== undefined && durationMs !== Math.round(session.inputMs - before))
      this.#violate(`duration_ms is ${durationMs}`);
    if (endMs !== undefined && endMs !== Math.round(session.inputMs)) {
      this.#violate(`audio_end_ms is ${endMs}, expected ${Math.round(session.inputMs)}`);
    }
    const pcm = Int16Array.from({ length: samples }, (_, i) =>
      size === 2 ? bytes.readInt16LE(2 * i) : Math.round(bytes.readFloatLE(4 * i) * 32768),
    );
    return { pcm, frames: frames === undefined ? [] : this.#images(before, frames) };
  }

  /** Frames ride the append that closes a unit of the model; elsewhere they are not bound to its sound. */
  #images(beforeMs: number, frames: unknown): readonly string[] {
    const { session } = this;
    if (
      !Array.isArray(frames) ||
      frames.some((frame) => typeof frame !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(frame))
    ) {
      this.refuse("invalid_video_frames", "video_frames must be a list of bare base64 images");
      return [];
    }
    const { periodMs } = session.model;
    const closes = Math.floor(session.inputMs / periodMs) > Math.floor(beforeMs / periodMs);
    if (!closes) this.#violate(`video_frames at ${session.inputMs} ms, which closes no unit of ${periodMs} ms`);
    if (frames.some((frame) => !frame.startsWith("/9j/"))) this.#violate("a frame is no JPEG");
    return frames;
  }

  /** How much of a response was heard. */
  playback(): void {
    const { session, message } = this;
    const { response_id, item_id, played_ms: played, committed_ms: committed = played, truncate = false } = message;
    const response = session.responses.get(String(response_id));
    if (item_id !== undefined && item_id !== `item_${response_id}`) {
      this.refuse("playback_item_mismatch", "playback.ack item_id must match item_<response_id>.");
      return;
    }
    if (response === undefined) {
      this.refuse("playback_item_not_found", `No assistant response item is registered for ${response_id}.`);
      return;
    }
    if (typeof played !== "number") {
      this.refuse("bad_event", "playback.ack requires played_ms");
      return;
    }
    if (response.playedMs === 0 && session.commits > response.commits) {
      this.race("playback_ack_too_late", "a later user input was committed");
      return;
    }
    // The service takes these; no right client does them.
    if (!Number.isInteger(played) || !Number.isInteger(committed)) this.#violate(`playback.ack with ${played} ms`);
    if (played < response.playedMs) this.#violate(`playback.ack falls from ${response.playedMs} to ${played}`);
    if (played > Math.floor(response.generatedMs))
      this.#violate(`playback.ack of ${played}, of ${response.generatedMs} ms`);
    if (response.truncated) this.#violate("playback.ack after a truncating one");
    if (truncate === true && !session.model.truncates)
      this.#violate("playback.ack truncates, which the model does not");
    response.playedMs = Math.max(response.playedMs, played);
    response.truncated ||= truncate === true;
    session.emit("playback.acknowledged", {
      event: {
        ...{
          type: "playback.acknowledged",
          session_id: session.id,
          epoch: session.epoch,
          item_id: `item_${response_id}`,
        },
        ...{ played_ms: played, committed_ms: committed, truncate, history_committed: truncate },
        playback: { generated_ms: response.generatedMs, sent_ms: response.generatedMs, played_ms: played },
      },
    });
  }
}
