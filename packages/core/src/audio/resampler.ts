// Sample rate conversion that never drifts: a ratio of whole numbers, the position between inputs a whole number too.
// One row of filter taps per phase (resampler-filter.ts); streaming, with explicit state.

import { atOnce } from "./keep-recent.js";
import { checkFinite, checkRoom } from "./pcm.js";
import {
  defaultResamplerQuality,
  designPolyphase,
  type PolyphaseFilter,
  type ResamplerQuality,
} from "./resampler-filter.js";
import { blockSamples, plainKernel, type ResamplerKernel } from "./resampler-kernel.js";
import { simdKernel } from "./resampler-simd.js";

/** Rates and quality of a {@link Resampler}. */
export interface ResamplerOptions {
  /** Whole Hz, 8000 to 192000. */
  readonly inputRate: number;
  /** Whole Hz, 8000 to 192000. */
  readonly outputRate: number;
  /** Default {@link defaultResamplerQuality}. */
  readonly quality?: Partial<ResamplerQuality> | undefined;
}

/** Everything a {@link Resampler} remembers; safe to keep, to copy and to store. */
export interface ResamplerState {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly quality: ResamplerQuality;
  /** Input samples since the stream began. */
  readonly samples: number;
  /** The inputs that coming outputs still need. */
  readonly history: Float64Array;
  /** Coming inputs to pass over before the one that the next output has to wait for. */
  readonly skip: number;
  /** How far beyond that input the next output lies, in steps of `1 / up` input samples. */
  readonly phase: number;
}

/**
 * Converts a stream of mono samples to another rate; chunks of any size give the same bits.
 *
 * After n inputs exactly `ceil(n * outputRate / inputRate)` outputs have come, so 9600 samples at 48 kHz, or 8820 at
 * 44.1 kHz, give 3200 at 16 kHz, for ever. Outputs are `delaySamples` late, and finite: where the filter overshoots the
 * range of 32-bit floats they stop at its end. Equal rates pass samples on unchanged.
 *
 * @example
 * const resampler = new Resampler({ inputRate: 48_000, outputRate: 16_000 });
 * const output = new Float32Array(resampler.outputsAfter(9600)); // 3200
 * resampler.push(new Float32Array(9600), output);
 */
export class Resampler {
  readonly inputRate: number;
  readonly outputRate: number;
  /** How late outputs are, in output samples: 32 (2 ms) for 48 to 16 kHz; 0 when the rates are equal. */
  readonly delaySamples: number;
  readonly #quality: ResamplerQuality;
  readonly #filter: PolyphaseFilter | undefined;
  readonly #kernel: ResamplerKernel;
  /** `taps - 1` past inputs. */
  readonly #history: Float64Array;
  #samples = 0;
  /** Where the next output lies; see {@link ResamplerState}. */
  #skip = 0;
  #phase = 0;

  /** @throws RangeError if a rate or a quality figure is out of range */
  constructor(options: ResamplerOptions) {
    const { inputRate, outputRate, quality } = options;
    checkRates(inputRate, outputRate);
    this.inputRate = inputRate;
    this.outputRate = outputRate;
    this.#quality = { ...defaultResamplerQuality, ...quality };
    if (inputRate !== outputRate) this.#filter = atOnce(designPolyphase(inputRate, outputRate, this.#quality));
    this.delaySamples = this.#filter?.delaySamples ?? 0;
    this.#kernel = (this.#filter && simdKernel(this.#filter)) ?? plainKernel;
    this.#history = new Float64Array(this.#filter === undefined ? 0 : this.#filter.taps - 1);
  }

  /** Input samples since the stream began. */
  get samples(): number {
    return this.#samples;
  }

  /** Output samples that pushing `inputs` more would give. */
  outputsAfter(inputs: number): number {
    if (this.#filter === undefined) return inputs;
    const { up, down } = this.#filter;
    // Outputs k = 0, 1, … with skip + (phase + k down) / up < inputs, floors taken of whole numbers only.
    const reach = (inputs - this.#skip) * up - this.#phase;
    return reach <= 0 ? 0 : Math.ceil(reach / down);
  }

  /**
   * Takes samples in and writes every output that they complete. Makes no arrays of its own.
   *
   * @param input - mono samples, any count
   * @param output - room for {@link outputsAfter} of them
   * @returns outputs written
   * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite; nothing was taken in then
   * @throws RangeError if `output` has too little room; nothing was taken in then
   */
  push(input: Float32Array, output: Float32Array): number {
    const expected = this.outputsAfter(input.length);
    checkRoom("resampler", expected, output.length);
    checkFinite("resampler", input, this.#samples);
    if (this.#filter === undefined) output.set(input);
    else this.#take(this.#filter, input, output, expected);
    this.#samples += input.length;
    return expected;
  }

  /**
   * Ends the stream: writes the `delaySamples` outputs that are still inside, and starts anew.
   *
   * @param output - room for `delaySamples`
   * @returns outputs written
   * @throws RangeError if `output` has too little room; the stream goes on then
   */
  flush(output: Float32Array): number {
    checkRoom("resampler", this.delaySamples, output.length);
    if (this.#filter !== undefined) {
      const silence = new Float32Array(Math.ceil(((this.delaySamples + 1) * this.#filter.down) / this.#filter.up) + 1);
      this.#take(this.#filter, silence, output, this.delaySamples);
    }
    this.reset();
    return this.delaySamples;
  }

  /** Back to the beginning of a stream. */
  reset(): void {
    this.#history.fill(0);
    this.#samples = 0;
    this.#skip = 0;
    this.#phase = 0;
  }

  /** A copy of the state, for sessions that fork and rewind. */
  snapshot(): ResamplerState {
    const { inputRate, outputRate } = this;
    const quality = { ...this.#quality };
    const history = this.#history.slice();
    return { inputRate, outputRate, quality, samples: this.#samples, history, skip: this.#skip, phase: this.#phase };
  }

  /** Goes on from a state. @throws RangeError if it is of other rates or another quality */
  restore(state: ResamplerState): void {
    if (state.inputRate !== this.inputRate || state.outputRate !== this.outputRate) {
      throw new RangeError(
        `resampler: expected a state of ${this.inputRate} to ${this.outputRate} Hz, got ${state.inputRate} to ${state.outputRate} Hz`,
      );
    }
    const past = this.#history.length;
    if (state.history.length !== past) {
      throw new RangeError(`resampler: expected a state of ${past} samples of history, got ${state.history.length}`);
    }
    for (const figure of ["zeroCrossings", "beta", "cutoff"] as const) {
      const [expected, got] = [this.#quality[figure], state.quality[figure]];
      // Equal rates pass samples on: their quality means nothing.
      if (this.#filter !== undefined && got !== expected) {
        throw new RangeError(`resampler: expected a state of ${figure} ${expected}, got ${got}`);
      }
    }
    this.#history.set(state.history);
    this.#samples = state.samples;
    this.#skip = state.skip;
    this.#phase = state.phase;
  }

  /** Runs `input` through the filter until `count` outputs are written or the input is used up. */
  #take(filter: PolyphaseFilter, input: Float32Array, output: Float32Array, count: number): void {
    const { up, down } = filter;
    let written = 0;
    for (let from = 0; from < input.length; from += blockSamples) {
      const block = input.subarray(from, from + blockSamples);
      const outputs = Math.min(count - written, this.outputsAfter(block.length));
      const state = { history: this.#history, input: block, skip: this.#skip, phase: this.#phase };
      this.#kernel.run(filter, state, output.subarray(written, written + outputs));
      written += outputs;
      const reach = this.#phase + outputs * down;
      this.#skip += Math.floor(reach / up) - block.length;
      this.#phase = reach % up;
      push(this.#history, block);
    }
  }
}

/**
 * A whole recording at another rate: `ceil(n * outputRate / inputRate)` samples, not late.
 *
 * @throws DuplexError `AUDIO_INVALID` if a sample is NaN or infinite
 * @throws RangeError as {@link Resampler}
 */
export function resample(samples: Float32Array, options: ResamplerOptions): Float32Array {
  const resampler = new Resampler(options);
  const length = resampler.outputsAfter(samples.length);
  const output = new Float32Array(length + resampler.delaySamples);
  resampler.push(samples, output);
  resampler.flush(output.subarray(length));
  return output.slice(resampler.delaySamples);
}

/** The newest samples, after as many of those before as there is room for. */
function push(history: Float64Array, samples: Float32Array): void {
  const kept = Math.max(0, history.length - samples.length);
  history.copyWithin(0, history.length - kept);
  history.set(samples.subarray(Math.max(0, samples.length - history.length)), kept);
}

/** @throws RangeError if a rate is out of range */
export function checkRates(...rates: readonly number[]): void {
  for (const rate of rates) {
    if (!Number.isInteger(rate) || rate < 8000 || rate > 192_000) {
      throw new RangeError(`resampler: expected whole rates of 8000 to 192000 Hz, got ${rate}`);
    }
  }
}
