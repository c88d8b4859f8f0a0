// Plays both voices from the samples in the page, a few seconds ahead of the cursor, so that an hour needs no big buffer.

import type { SessionView, Voice } from "./session-view.js";

const chunkSeconds = 2;
const aheadSeconds = 6;

/** Sound of a session. */
export class Player {
  readonly #view: SessionView;
  #context: AudioContext | undefined;
  #gains: readonly GainNode[] = [];
  #sources = new Set<AudioBufferSourceNode>();
  /** Session time and context time at which playing began. */
  #startMs = 0;
  #contextStart = 0;
  #queuedMs = 0;
  #playing = false;
  #audible = [true, true];

  constructor(view: SessionView) {
    this.#view = view;
  }

  get playing(): boolean {
    return this.#playing;
  }

  /** Time that sounds now, ms. */
  get timeMs(): number {
    if (!this.#playing || this.#context === undefined) return this.#startMs;
    const elapsed = Math.max(0, this.#context.currentTime - this.#contextStart) * 1000;
    return Math.min(this.#view.durationMs, this.#startMs + elapsed);
  }

  play(fromMs: number): void {
    this.stop();
    this.#context ??= new AudioContext({ sampleRate: this.#view.assistant.sampleRate });
    if (this.#gains.length === 0) {
      this.#gains = [0, 1].map(() => new GainNode(this.#openContext(), { gain: 1 }));
      for (const gain of this.#gains) gain.connect(this.#openContext().destination);
      this.#applyAudible();
    }
    void this.#context.resume();
    this.#startMs = fromMs;
    this.#queuedMs = fromMs;
    this.#contextStart = this.#context.currentTime + 0.05;
    this.#playing = true;
    this.tick();
  }

  /** Stops and keeps the time reached. */
  stop(): void {
    this.#startMs = this.timeMs;
    this.#playing = false;
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
  }

  /** Lets a voice (0 user, 1 assistant) be heard or not. */
  setAudible(voice: 0 | 1, audible: boolean): void {
    this.#audible[voice] = audible;
    this.#applyAudible();
  }

  /** Queues what is due; to be called on every frame of the display while playing. */
  tick(): void {
    if (!this.#playing) return;
    if (this.timeMs >= this.#view.durationMs) {
      this.stop();
      return;
    }
    while (this.#queuedMs < Math.min(this.#view.durationMs, this.timeMs + aheadSeconds * 1000)) {
      this.#queue(this.#view.user, 0);
      this.#queue(this.#view.assistant, 1);
      this.#queuedMs += chunkSeconds * 1000;
    }
  }

  #queue(voice: Voice, index: number): void {
    const context = this.#openContext();
    const from = Math.round((this.#queuedMs / 1000) * voice.sampleRate);
    const samples = voice.samples.subarray(from, from + chunkSeconds * voice.sampleRate);
    if (samples.length === 0) return;
    const buffer = context.createBuffer(1, samples.length, voice.sampleRate);
    buffer.copyToChannel(new Float32Array(samples), 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(this.#gains[index]);
    source.start(this.#contextStart + (this.#queuedMs - this.#startMs) / 1000);
    source.onended = () => this.#sources.delete(source);
    this.#sources.add(source);
  }

  #applyAudible(): void {
    this.#gains.forEach((gain, i) => {
      gain.gain.value = this.#audible[i] ? 1 : 0;
    });
  }

  #openContext(): AudioContext {
    if (this.#context === undefined) throw new Error("play: the audio context is not open");
    return this.#context;
  }
}
