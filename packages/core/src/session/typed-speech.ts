// Text that the user typed, for a model that reads none: it is spoken into the model's ear, beside whatever the microphone
// hears, in the voice that the model reads out with.

import type { AcousticModel, Utterance } from "../audio/acoustic-model.js";
import type { SourceFilterVocoder, SourceFilterVocoderState } from "../audio/source-filter-vocoder.js";
import { sourceFilterGeometry } from "../audio/vocoder.js";
import { spokenForm } from "../text/spoken-form.js";
import { sentencesOf } from "./told-speech.js";

/** What a typed text is spoken with. */
export interface EarVoice {
  readonly acoustic: AcousticModel;
  /** A fresh vocoder. */
  vocoder(): SourceFilterVocoder;
}

/** Where a text stands: plain data. */
export interface TypedPlace {
  readonly sentence: number;
  readonly frame: number;
  readonly vocoder: SourceFilterVocoderState;
  /** Sound of the last frame that was not given yet. */
  readonly sound: Float32Array;
}

/** Silence after each sentence, frames: 300 ms. */
const gapFrames = 12;
const noSound = new Float32Array(0);

/** Speaks one text, as many samples at a time as are asked for. */
export class TypedSpeech {
  /** The text it was made of. */
  readonly text: string;
  readonly #voice: EarVoice;
  readonly #sentences: readonly string[];
  readonly #levels = new Int32Array(sourceFilterGeometry.melBins);
  /** Made when the text begins: many may wait. */
  #vocoder: SourceFilterVocoder | undefined;
  #utterance: Utterance | undefined;
  #sentence = 0;
  #frame = 0;
  #sound: Float32Array = noSound;

  /** @param place - where it goes on, for a snapshot that is restored */
  constructor(voice: EarVoice, text: string, place?: TypedPlace) {
    this.text = text;
    this.#voice = voice;
    this.#sentences = sentencesOf(spokenForm(text));
    if (place === undefined) return;
    this.#vocoder = voice.vocoder();
    this.#vocoder.restore(place.vocoder);
    this.#sentence = place.sentence;
    this.#frame = place.frame;
    this.#sound = place.sound;
  }

  /** Whether everything has been spoken, or there is nothing to speak. */
  get done(): boolean {
    return this.#sentence >= this.#sentences.length && this.#sound.length === 0;
  }

  /** Whether some of it was spoken. */
  get begun(): boolean {
    return this.#vocoder !== undefined;
  }

  /** Undefined before it begins. */
  get place(): TypedPlace | undefined {
    if (this.#vocoder === undefined) return undefined;
    return {
      sentence: this.#sentence,
      frame: this.#frame,
      vocoder: this.#vocoder.snapshot(),
      sound: this.#sound.slice(),
    };
  }

  /**
   * Adds the next samples to mono PCM at 16 kHz.
   *
   * @returns samples that were spoken: fewer than there is room for at the end of the text
   */
  addTo(audio: Float32Array): number {
    let at = 0;
    while (at < audio.length && !this.done) {
      if (this.#sound.length === 0) this.#nextFrame();
      const count = Math.min(audio.length - at, this.#sound.length);
      for (let i = 0; i < count; i++) audio[at + i] += this.#sound[i];
      this.#sound = this.#sound.subarray(count);
      at += count;
    }
    return at;
  }

  #nextFrame(): void {
    this.#vocoder ??= this.#voice.vocoder();
    this.#utterance ??= this.#voice.acoustic.say(this.#sentences[this.#sentence]);
    this.#levels.fill(0);
    if (this.#frame < this.#utterance.frames) this.#utterance.frame(this.#frame, this.#levels);
    this.#sound = this.#vocoder.push(this.#levels);
    this.#frame++;
    if (this.#frame < this.#utterance.frames + gapFrames) return;
    this.#sentence++;
    this.#frame = 0;
    this.#utterance = undefined;
  }
}
