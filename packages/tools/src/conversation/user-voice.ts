// What the user has said goes along with what is handed over, as he said it: a model that knows few words hands over what it has
// misheard. As a WAV file, and as text by the application's own recogniser.

import { type Clock, DuplexError, type DuplexSession, WavWriter } from "@microturn/core";
import type { DelegationContext } from "../jobs/job.js";
import type { Redaction } from "../redaction/redaction.js";
import { othersTurn, pause } from "../waiting.js";
import { toBase64 } from "./base64.js";
import { HeardSound, type Sound } from "./heard-sound.js";

/** The sound of what the user has asked for. */
export interface SpokenRequest {
  /** A WAV file: 16 bits, mono. */
  readonly wav: Uint8Array<ArrayBuffer>;
  /** Hz, that of the session's engine. */
  readonly sampleRate: number;
  readonly durationMs: number;
  /** Fires when the text is not wanted any more: the work was given up, or it takes longer than 10 s. */
  readonly signal: AbortSignal;
}

/** Writes down what was said; an empty text if that cannot be told. */
export type Transcribe = (request: SpokenRequest) => string | PromiseLike<string>;

/** What becomes of the user's sound. */
export interface VoiceSettings {
  readonly clock: Clock;
  readonly redaction: Redaction;
  /** How much is kept, ms; more than 0. */
  readonly maxAudioMs: number;
  /** Whether it goes along itself. */
  readonly audio: boolean;
  readonly transcribe: Transcribe | undefined;
}

/** What goes along, and why nothing was written down. */
export interface Spoken extends Pick<DelegationContext, "audio" | "transcription"> {
  readonly error?: unknown;
}

/** Longer than that nobody who waits for an answer should wait for its question. */
const transcribeMs = 10_000;
/** Written before others get a turn: half a millisecond. */
const samplesAtOnce = 49_152;
/** Longest text, in characters. */
const maxLength = 4000;

/** The user's voice in a session. */
export class UserVoice {
  readonly #settings: VoiceSettings;
  readonly sound: HeardSound;

  constructor(session: DuplexSession, settings: VoiceSettings) {
    this.#settings = settings;
    this.sound = new HeardSound(session.capabilities, settings.maxAudioMs);
  }

  /**
   * What was said last. Never rejects: what cannot be written down does not hold up the work.
   *
   * @param offsetMs - from the clock of the session to that of the conversation
   * @param signal - the work was given up
   */
  async request(offsetMs: number, signal: AbortSignal): Promise<Spoken> {
    // A delegation is told before the end of its own micro-turn, whose sound belongs to it.
    await undefined;
    const sound = this.sound.request();
    if (sound === undefined) return {};
    const { samples, sampleRate, startMs } = sound;
    const wav = await wavOf(sound);
    const durationMs = (1000 * samples.length) / sampleRate;
    const { audio, transcribe, clock, redaction } = this.#settings;
    const given = audio ? { audio: { wav: await toBase64(wav), timeMs: startMs + offsetMs, durationMs } } : {};
    if (transcribe === undefined || signal.aborted) return given;
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    try {
      const text = await Promise.race([
        transcribe({ wav, sampleRate, durationMs, signal: until }),
        pause(transcribeMs, clock, until).then(() => {
          throw new DuplexError("BACKGROUND_FAILED", `transcribe: expected a text within ${transcribeMs} ms`);
        }),
      ]);
      if (typeof text !== "string") throw new TypeError(`transcribe: expected a text, got ${typeof text}`);
      const transcription = String(redaction.recorded(text)).trim().slice(0, maxLength);
      return transcription === "" ? given : { ...given, transcription };
    } catch (error) {
      return signal.aborted ? given : { ...given, error };
    } finally {
      over.abort();
    }
  }
}

/** In pieces, so that a micro-turn is not kept waiting. */
async function wavOf({ samples, sampleRate }: Sound): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new WavWriter({ sampleRate });
  const file = new Uint8Array(44 + 2 * samples.length);
  for (let at = 0; at < samples.length; at += samplesAtOnce) {
    file.set(writer.encode(samples.subarray(at, at + samplesAtOnce)), 44 + 2 * at);
    await othersTurn();
  }
  file.set(writer.closedHeader());
  return file;
}
