// Text that the user typed, for a model that reads none: it is spoken into the model's ear, beside whatever the microphone
// hears, in the voice that the model reads out with.

import type { AcousticModel, Utterance } from "../audio/acoustic-model.js";
import type { SourceFilterVocoder } from "../audio/source-filter-vocoder.js";
import { sourceFilterGeometry } from "../audio/vocoder.js";
import { spokenForm } from "../text/spoken-form.js";
import { sentencesOf } from "./told-speech.js";

/** What a typed text is spoken with. */
export interface EarVoice {
  readonly acoustic: AcousticModel;
  /** A fresh vocoder. */
  vocoder(): SourceFilterVocoder;
}

/** Silence between two sentences and after the last, frames: 300 ms. */
const gapFrames = 12;

/** Speaks one text, as many samples at a time as are asked for. */
export class TypedSpeech {
  /** The text it was made of. */
  readonly text: string;
  readonly #voice: EarVoice;
  readonly #sentences: readonly string[];
  readonly #levels = new Int32Array(sourceFilterGeometry.melBins);
  readonly #vocoder: SourceFilterVocoder;
  #utterance: Utterance | undefined;
  #sentence = 0;
  #frame = 0;
  /** Sound of the last frame, and how much of it was given. */
  #sound: Float32Array = new Float32Array(0);
  #taken = 0;
  #position = 0;

  /** @param position - samples that were given before, for a snapshot that is restored */
  constructor(voice: EarVoice, text: string, position = 0) {
    this.text = text;
    this.#voice = voice;
    this.#sentences = sentencesOf(spokenForm(text));
    this.#vocoder = voice.vocoder();
    if (position > 0) this.addTo(new Float32Array(position));
  }

  /** Whether everything has been spoken, or there is nothing to speak. */
  get done(): boolean {
    return this.#sentence >= this.#sentences.length && this.#taken >= this.#sound.length;
  }

  /** Samples given so far. */
  get position(): number {
    return this.#position;
  }

  /** Adds the next samples to mono PCM at 16 kHz; leaves it as it is from the end of the text on. */
  addTo(audio: Float32Array): void {
    for (let at = 0; at < audio.length && !this.done; ) {
      if (this.#taken >= this.#sound.length) this.#nextFrame();
      const count = Math.min(audio.length - at, this.#sound.length - this.#taken);
      for (let i = 0; i < count; i++) audio[at + i] += this.#sound[this.#taken + i];
      at += count;
      this.#taken += count;
      this.#position += count;
    }
  }

  #nextFrame(): void {
    this.#utterance ??= this.#voice.acoustic.say(this.#sentences[this.#sentence]);
    this.#levels.fill(0);
    if (this.#frame < this.#utterance.frames) this.#utterance.frame(this.#frame, this.#levels);
    this.#sound = this.#vocoder.push(this.#levels);
    this.#taken = 0;
    this.#frame++;
    if (this.#frame < this.#utterance.frames + gapFrames) return;
    this.#sentence++;
    this.#frame = 0;
    this.#utterance = undefined;
  }
}
