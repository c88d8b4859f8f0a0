// dMel: speech as one small integer per mel bin and frame, with no codec to learn.
// Bai et al. 2024, "dMel: Speech Tokenization made Simple", arXiv:2407.15835; geometries in dmel-presets.ts.

import { DuplexError } from "../errors.js";
import type { DmelPreset } from "./dmel-presets.js";
import { RealFft } from "./fft.js";
import { FrameBuffer, type FrameBufferState } from "./frame-buffer.js";
import { MelFilterbank } from "./mel.js";
import { checkFinite } from "./pcm.js";

/** Everything a {@link DmelEncoder} remembers; safe to keep, to copy and to store. */
export interface DmelEncoderState extends FrameBufferState {
  /** Name of the preset it belongs to. */
  readonly preset: string;
}

/**
 * Turns a stream of samples into dMel levels, frame by frame; chunks of any size give the same bits.
 *
 * Pushing allocates nothing. The levels are those of a float64 computation; see `dmel-plain.ts` for what is computed.
 *
 * @example
 * const encoder = new DmelEncoder(dmel20);
 * const levels = new Uint8Array(4 * 80);
 * encoder.push(new Float32Array(3200), levels); // 200 ms at 16 kHz: 4 frames
 */
export class DmelEncoder {
  readonly preset: DmelPreset;
  readonly #frames: FrameBuffer;
  readonly #hann: Float64Array;
  readonly #fft: RealFft;
  readonly #filterbank: MelFilterbank;
  /** Energies halfway between neighbouring levels; above threshold j means above level j. */
  readonly #thresholds: Float64Array;
  readonly #spectrum: Float64Array;
  readonly #energies: Float64Array;

  /** @throws RangeError if the preset describes an impossible geometry */
  constructor(preset: DmelPreset) {
    const { windowSamples, fftSize, levels } = preset;
    if (windowSamples > fftSize) {
      throw new RangeError(`dmel: expected a window of at most ${fftSize} samples (fftSize), got ${windowSamples}`);
    }
    if (!Number.isInteger(levels) || levels < 2 || levels > 256) {
      throw new RangeError(`dmel: expected 2 to 256 levels, got ${levels}`);
    }
    this.preset = preset;
    this.#frames = new FrameBuffer(preset);
    this.#hann = periodicHann(windowSamples);
    this.#fft = new RealFft(fftSize);
    this.#filterbank = new MelFilterbank(preset);
    this.#thresholds = new Float64Array(levels - 1);
    for (let j = 0; j < levels - 1; j++) this.#thresholds[j] = 10 ** (preset.low + preset.step * (j + 0.5));
    this.#spectrum = new Float64Array(this.#fft.bins);
    this.#energies = new Float64Array(preset.melBins);
  }

  /** Samples taken in since the stream began. */
  get samples(): number {
    return this.#frames.samples;
  }

  /** Frames that pushing `samples` more would give. */
  framesAfter(samples: number): number {
    return this.#frames.framesAfter(samples);
  }

  /**
   * Takes samples in and writes every frame they complete.
   *
   * @param samples - mono PCM at the preset's rate, any count
   * @param levels - receives frames one after the other, `[frames, melBins]`; room for {@link framesAfter} of them
   * @returns frames written; 0 when more samples are needed
   * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite; nothing was taken in then
   * @throws RangeError if `levels` has too little room; nothing was taken in then
   */
  push(samples: Float32Array, levels: Uint8Array): number {
    const expected = this.framesAfter(samples.length);
    this.#checkRoom(expected, levels);
    checkFinite("dmel", samples, this.samples);
    return this.#take(samples, levels);
  }

  /**
   * Ends the stream: writes the frames it still owes, and starts anew. Causal presets fill the last hop with zeros,
   * centred ones mirror the end. Room for `windowSamples / hopSamples + 1` frames is always enough.
   *
   * @returns frames written
   * @throws RangeError if `levels` has too little room; the stream goes on then
   */
  flush(levels: Uint8Array): number {
    const tail = this.#frames.tail();
    this.#checkRoom(this.framesAfter(tail.length), levels);
    const frames = this.#take(tail, levels);
    this.reset();
    return frames;
  }

  /** Back to the beginning of a stream. */
  reset(): void {
    this.#frames.reset();
  }

  /** A copy of the state, for sessions that fork and rewind. */
  snapshot(): DmelEncoderState {
    return { preset: this.preset.name, ...this.#frames.snapshot() };
  }

  /** Goes on from a state. @throws RangeError if it is of another preset */
  restore(state: DmelEncoderState): void {
    if (state.preset !== this.preset.name) {
      throw new RangeError(`dmel: expected a state of ${this.preset.name}, got one of ${state.preset}`);
    }
    this.#frames.restore(state);
  }

  #checkRoom(frames: number, levels: Uint8Array): void {
    const needed = frames * this.preset.melBins;
    if (levels.length < needed) {
      throw new RangeError(
        `dmel: expected room for ${frames} frames of ${this.preset.melBins} levels (${needed}), got ${levels.length}`,
      );
    }
  }

  #take(samples: Float32Array, levels: Uint8Array): number {
    let frames = 0;
    let position = 0;
    while (position < samples.length) {
      position = this.#frames.fill(samples, position);
      if (this.#frames.full) {
        this.#analyse(this.#frames.window);
        this.#quantise(levels, frames * this.preset.melBins);
        this.#frames.advance();
        frames++;
      }
    }
    return frames;
  }

  #analyse(window: Float32Array): void {
    const spectrum = this.#spectrum;
    this.#fft.power(window, this.#hann, spectrum);
    const floor = this.preset.magnitudeFloor ** 2;
    for (let k = 0; k < spectrum.length; k++) spectrum[k] = Math.sqrt(Math.max(spectrum[k], floor));
    this.#filterbank.apply(spectrum, this.#energies);
  }

  // The nearest level without a logarithm: the count of thresholds below the energy. On a threshold, the lower level.
  #quantise(levels: Uint8Array, offset: number): void {
    const thresholds = this.#thresholds;
    const energies = this.#energies;
    for (let mel = 0; mel < energies.length; mel++) {
      const energy = energies[mel];
      let low = 0;
      let high = thresholds.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (energy > thresholds[middle]) low = middle + 1;
        else high = middle;
      }
      levels[offset + mel] = low;
    }
  }
}

/**
 * dMel levels of a whole recording: what {@link DmelEncoder} gives for it, the end included.
 *
 * @param samples - mono PCM at the preset's rate
 * @returns levels, `[frames, melBins]`
 * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite
 */
export function encodeDmel(samples: Float32Array, preset: DmelPreset): Uint8Array {
  const encoder = new DmelEncoder(preset);
  const owed = Math.ceil(preset.windowSamples / preset.hopSamples) + 1;
  const levels = new Uint8Array((encoder.framesAfter(samples.length) + owed) * preset.melBins);
  const frames = encoder.push(samples, levels);
  const tail = encoder.flush(levels.subarray(frames * preset.melBins));
  return levels.slice(0, (frames + tail) * preset.melBins);
}

/**
 * The log10 mel magnitudes that levels stand for: `low + step * level`.
 *
 * @param levels - any count, each below the preset's `levels`
 * @param output - receives as many values; made when left out
 * @throws DuplexError `AUDIO_INVALID` if a level is out of range
 * @throws RangeError if `output` is shorter
 */
export function decodeDmel(
  levels: Uint8Array,
  preset: DmelPreset,
  output = new Float32Array(levels.length),
): Float32Array {
  if (output.length < levels.length) {
    throw new RangeError(`decodeDmel: expected room for ${levels.length} values, got ${output.length}`);
  }
  for (let i = 0; i < levels.length; i++) {
    if (levels[i] >= preset.levels) {
      throw new DuplexError(
        "AUDIO_INVALID",
        `decodeDmel: expected levels 0 to ${preset.levels - 1}, got ${levels[i]} at index ${i}`,
        { details: { index: i, level: levels[i] } },
      );
    }
    output[i] = preset.low + preset.step * levels[i];
  }
  return output;
}

/** `0.5 - 0.5 cos(2πi/size)`: the Hann window that repeats every `size` samples. */
export function periodicHann(size: number): Float64Array {
  const window = new Float64Array(size);
  for (let i = 0; i < size; i++) window[i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size);
  return window;
}
