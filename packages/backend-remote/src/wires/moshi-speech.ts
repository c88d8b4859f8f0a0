// Moshi sends sound without end, silence too, and says nowhere when it speaks. What is loud enough, or comes with words, is
// cut out of it as replies.

/** Where replies go: the part of a wire's events that is needed here. */
export interface ReplyEvents {
  audio(pcm: Float32Array, reply: string): void;
  text(text: string, reply: string, atMs: number): void;
  replyEnd(reply: string): void;
}

/** Samples at 24 kHz of one step of the model: 80 ms. */
export const moshiStepSamples = 1920;
const samplesPerMs = 24;

/** The energy gate. While it is open every sample is passed on as it came. */
export class MoshiSpeech {
  readonly #events: ReplyEvents;
  readonly #gatePower: number;
  readonly #hangoverSamples: number;
  readonly #names: () => string;
  /** The reply under way. */
  #reply: string | undefined;
  #replySamples = 0;
  #quietSamples = 0;
  /** The last 80 ms while there is no reply, so that its first sound is whole. */
  #before: Float32Array[] = [];
  #beforeSamples = 0;
  /** What is still said of a reply that nobody wants any more is passed over, up to its next pause. */
  #muted = false;
  readonly #pieces = new PieceReader();

  /**
   * @param names - gives each reply its name
   * @param options.gateDb - a packet at least this loud is speech, dB of full scale (RMS)
   * @param options.hangoverMs - quiet that ends a reply
   */
  constructor(
    events: ReplyEvents,
    names: () => string,
    options: { readonly gateDb: number; readonly hangoverMs: number },
  ) {
    this.#events = events;
    this.#names = names;
    this.#gatePower = 10 ** (options.gateDb / 10);
    this.#hangoverSamples = options.hangoverMs * samplesPerMs;
  }

  /** @param pcm - sound of one packet; is kept */
  addSound(pcm: Float32Array): void {
    const loud = powerOf(pcm) >= this.#gatePower;
    this.#quietSamples = loud ? 0 : this.#quietSamples + pcm.length;
    const over = this.#quietSamples >= this.#hangoverSamples;
    if (this.#muted) {
      this.#muted = !over;
      return;
    }
    if (this.#reply === undefined) {
      this.#before.push(pcm);
      this.#beforeSamples += pcm.length;
      while (this.#beforeSamples - this.#before[0].length >= moshiStepSamples) {
        this.#beforeSamples -= (this.#before.shift() as Float32Array).length;
      }
      if (loud) this.#begin();
      return;
    }
    this.#replySamples += pcm.length;
    this.#events.audio(pcm, this.#reply);
    if (over) this.end();
  }

  /** @param piece - of a token, spaces in place; said in the step whose sound came last */
  addText(piece: string): void {
    if (this.#muted) return;
    const text = this.#pieces.read(piece);
    if (text === "") return;
    // The model writes a word before it says it: the floor is taken.
    const reply = this.#reply ?? this.#begin();
    this.#events.text(text, reply, Math.max(0, this.#replySamples - moshiStepSamples) / samplesPerMs);
  }

  /** Drops what is still said of the reply under way. */
  mute(): void {
    if (this.#reply === undefined) return;
    this.end();
    this.#muted = true;
  }

  /** All of the reply under way has come. */
  end(): void {
    if (this.#reply === undefined) return;
    this.#events.replyEnd(this.#reply);
    this.#reply = undefined;
  }

  #begin(): string {
    const reply = this.#names();
    this.#reply = reply;
    this.#quietSamples = 0;
    this.#replySamples = this.#beforeSamples;
    for (const pcm of this.#before) this.#events.audio(pcm, reply);
    this.#before = [];
    this.#beforeSamples = 0;
    return reply;
  }
}

/**
 * The text of SentencePiece pieces. The Python server sends pieces, not text: of what has no piece of its own it sends
 * bytes, spelled `<0xE2>`.
 */
class PieceReader {
  #decoder = new TextDecoder();
  #bytes = false;

  read(piece: string): string {
    const spelled = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece);
    if (spelled !== null) {
      this.#bytes = true;
      return this.#decoder.decode(Uint8Array.of(Number.parseInt(spelled[1], 16)), { stream: true });
    }
    const left = this.#bytes ? this.#decoder.decode() : "";
    this.#bytes = false;
    return left + piece.replaceAll("▁", " ");
  }
}

function powerOf(pcm: Float32Array): number {
  let sum = 0;
  for (const sample of pcm) sum += sample * sample;
  return pcm.length === 0 ? 0 : sum / pcm.length;
}
