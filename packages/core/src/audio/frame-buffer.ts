// Cuts a stream of samples into overlapping windows, exactly, for chunks of any size.
// Positions are whole samples since the stream began, so frames never drift against time.

/** How windows lie on the stream. */
export interface Framing {
  readonly windowSamples: number;
  readonly hopSamples: number;
  /** See {@link DmelPreset.framing}. */
  readonly framing: "causal" | "centred";
}

/** Everything a frame buffer remembers; safe to keep, to copy and to store. */
export interface FrameBufferState {
  /** Samples since the stream began. */
  readonly samples: number;
  /** The samples that coming windows still need. */
  readonly history: Float32Array;
}

/** Explicit state of framing: fill it, read `window` when it is full, advance by one hop, and so on. */
export class FrameBuffer {
  /** The current window, `[windowSamples]`; complete while {@link full} holds. */
  readonly window: Float32Array;
  readonly #framing: Framing;
  /** What a window can be mirrored from: one sample before it, then the window. */
  readonly #buffer: Float32Array;
  #filled = 0;
  #samples = 0;
  #frames = 0;

  /** @throws RangeError if the window or the hop is not a positive whole number, or the window is shorter than the hop */
  constructor(framing: Framing) {
    const { windowSamples, hopSamples } = framing;
    if (!Number.isInteger(windowSamples) || !Number.isInteger(hopSamples) || hopSamples < 1) {
      throw new RangeError(`frames: expected whole window and hop samples, got ${windowSamples} and ${hopSamples}`);
    }
    if (windowSamples < hopSamples || (framing.framing === "centred" && windowSamples % 2 !== 0)) {
      throw new RangeError(
        `frames: expected a window of at least the hop, even when centred; got ${windowSamples} and hop ${hopSamples}`,
      );
    }
    this.#framing = framing;
    this.#buffer = new Float32Array(windowSamples + 1);
    this.window = this.#buffer.subarray(1);
    this.reset();
  }

  /** Samples since the stream began. */
  get samples(): number {
    return this.#samples;
  }

  get full(): boolean {
    return this.#filled === this.window.length;
  }

  /** Frames that are complete once `samples` more have come, beyond those already given. */
  framesAfter(samples: number): number {
    const { windowSamples, hopSamples, framing } = this.#framing;
    const total = this.#samples + samples;
    // Samples that the first frame waits for; each further frame waits for one hop more.
    const first = framing === "causal" ? hopSamples : windowSamples / 2;
    return Math.max(0, Math.floor((total - first) / hopSamples) + 1) - this.#frames;
  }

  /** Takes samples from position `from` on until the window is full; returns the position after the last one taken. */
  fill(samples: Float32Array, from: number): number {
    const window = this.window;
    const at = this.#filled;
    const count = Math.min(samples.length - from, window.length - at);
    for (let i = 0; i < count; i++) window[at + i] = samples[from + i];
    this.#filled += count;
    this.#samples += count;
    if (this.full && this.#frames === 0 && this.#framing.framing === "centred") this.#mirrorStart();
    return from + count;
  }

  /** Moves on by one hop; call it once per full window. */
  advance(): void {
    const { hopSamples } = this.#framing;
    this.#buffer.copyWithin(0, hopSamples);
    this.#filled -= hopSamples;
    this.#frames++;
  }

  /**
   * What the stream must be followed by so that every frame it still owes becomes complete. Fill these in, then reset.
   *
   * Causal: zeros up to a whole hop. Centred: the end of the stream mirrored around its last sample; where a very short
   * stream has nothing to mirror, zeros.
   */
  tail(): Float32Array {
    const { windowSamples, hopSamples, framing } = this.#framing;
    if (framing === "causal") return new Float32Array((hopSamples - (this.#samples % hopSamples)) % hopSamples);
    if (this.#samples === 0) return new Float32Array(0);
    const lastCentre = Math.floor(this.#samples / hopSamples) * hopSamples;
    const tail = new Float32Array(Math.max(0, lastCentre + windowSamples / 2 - this.#samples));
    const last = this.#filled; // position of the newest sample in #buffer
    for (let i = 0; i < tail.length; i++) {
      const from = last - 1 - i;
      if (from >= 0 && i + 1 < this.#samples) tail[i] = this.#buffer[from];
    }
    return tail;
  }

  /** Back to the beginning of a stream. */
  reset(): void {
    const { windowSamples, hopSamples, framing } = this.#framing;
    this.#buffer.fill(0);
    this.#filled = framing === "causal" ? windowSamples - hopSamples : windowSamples / 2;
    this.#samples = 0;
    this.#frames = 0;
  }

  /** A copy of the state. */
  snapshot(): FrameBufferState {
    return { samples: this.#samples, history: this.#buffer.slice(0, this.#filled + 1) };
  }

  /** @throws RangeError if the state is of another framing */
  restore(state: FrameBufferState): void {
    const { windowSamples, hopSamples, framing } = this.#framing;
    const { samples, history } = state;
    const start = framing === "causal" ? windowSamples - hopSamples : windowSamples / 2;
    const frames = Math.max(0, Math.floor((start + samples - windowSamples) / hopSamples) + 1);
    const filled = start + samples - frames * hopSamples;
    if (!Number.isSafeInteger(samples) || samples < 0 || history.length !== filled + 1) {
      throw new RangeError(
        `frames: expected a state of ${filled + 1} samples of history at sample ${samples}, got ${history.length}; it belongs to another preset`,
      );
    }
    this.#buffer.fill(0);
    this.#buffer.set(history);
    this.#filled = filled;
    this.#samples = samples;
    this.#frames = frames;
  }

  // The first window reaches before the stream; there it shows what comes as far after the first sample.
  // Its very first position has no partner in the window yet and stays 0: the periodic window gives it weight 0.
  #mirrorStart(): void {
    const middle = this.window.length / 2;
    for (let i = 1; i < middle; i++) this.window[middle - i] = this.window[middle + i];
  }
}
