// Source-filter synthesis: controls of the vocoder network to PCM. Pulses and noise, each shaped by an envelope, frame by frame.
// The same arithmetic, in plain form, is `Synthesis` in training/microturn_training/vocoder.py; the fixture vocoder-parity compares them.

import { DuplexError } from "../errors.js";
import { ComplexFft } from "./fft.js";
import { sourceFilterGeometry as geometry } from "./vocoder.js";

const { sampleRate, melBins, hopSamples, subFrames, subHopSamples, centreOffsetSamples, fftSize } = geometry;
const { envelopePoints, controlsPerSubFrame, controlsPerFrame, lowestPitch, pitchOctaves, highestHarmonic, limitFrom } =
  geometry;

const windowSamples = 2 * subHopSamples;
const bins = fftSize / 2;
const binsPerPoint = bins / (envelopePoints - 1);
const windowStart = (fftSize - windowSamples) / 2;
/** From the next sample to leave to the last one that a frame can reach. */
const reachSamples = hopSamples + centreOffsetSamples + fftSize / 2;
/** Silent frames until the last sound has died away. */
const framesToDieAway = Math.ceil((reachSamples - hopSamples) / hopSamples);
const noiseScale = Math.sqrt(3);

/** Everything that {@link SourceFilterSynthesis} remembers between frames; plain data, safe to copy and store. */
export interface SynthesisState {
  readonly seed: number;
  /** Samples of source passed so far, modulo 2^32; places the noise. */
  readonly sample: number;
  readonly sounding: boolean;
  /** Cycles, 0 to 1. */
  readonly phase: number;
  /** Hz at the end of the newest half window. */
  readonly pitch: number;
  readonly framesToSilence: number;
  /** Source of the newest half window. */
  readonly pulses: Float64Array;
  readonly noise: Float64Array;
  /** Sound already made for samples that have not left yet. */
  readonly tail: Float64Array;
}

/**
 * Turns controls into PCM and carries phase, noise and overlap from call to call. Calls of any size give the same samples.
 *
 * A frame whose levels are all 0 is silence: it costs next to nothing, and once the last sound has died away, 22 ms after
 * the PCM of its last frame, the samples are exactly 0. Sound begins and ends with half a Hann window, 12.5 ms. The PCM
 * lags the frames by 400 samples.
 * Infinite controls are clamped like all that are out of range, and no sample leaves [-1, 1]. `render` allocates nothing.
 *
 * @see Engel et al. 2020, "DDSP: Differentiable Digital Signal Processing", arXiv:2001.04643
 */
export class SourceFilterSynthesis {
  /** Samples by which the PCM lags the frames. */
  readonly latencySamples = hopSamples;

  #seed: number;
  #sample = 0;
  #sounding = false;
  #phase = 0;
  #pitch = 0;
  #framesToSilence = 0;
  #pulses = new Float64Array(subHopSamples);
  #noise = new Float64Array(subHopSamples);
  #pulsesBefore = new Float64Array(subHopSamples);
  #noiseBefore = new Float64Array(subHopSamples);
  readonly #tail = new Float64Array(reachSamples);

  // Scratch of one frame, not state. The two sub-frames leave the inverse transform as its real and imaginary part.
  readonly #fft = new ComplexFft(fftSize);
  readonly #re = new Float64Array(fftSize);
  readonly #im = new Float64Array(fftSize);
  readonly #sumRe = new Float64Array(fftSize);
  readonly #sumIm = new Float64Array(fftSize);
  readonly #harmonic = new Float64Array(envelopePoints);
  readonly #breath = new Float64Array(envelopePoints);
  readonly #window = Float64Array.from(
    { length: windowSamples },
    (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / windowSamples),
  );

  /**
   * @param options - none is needed
   * @param options.seed - of the noise, an integer 0 to 2^32 - 1; default 1
   * @throws RangeError if the seed is outside its range
   */
  constructor({ seed = 1 }: { readonly seed?: number } = {}) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`source-filter synthesis: expected a seed of 0 to 4294967295, got ${seed}`);
    }
    this.#seed = seed;
  }

  /**
   * Makes the PCM of the next frames.
   *
   * @param controls - raw controls, shape `[frames, 264]`; those of silent frames are not looked at
   * @param levels - the dMel levels they were made from, shape `[frames, 80]`
   * @param out - receives the PCM, `[400 * frames]`
   * @throws DuplexError `SHAPE_MISMATCH` if the lengths do not belong together, `BACKEND_FAILED` if a control of a sounding
   *   frame is NaN; then nothing has been changed
   */
  render(controls: Float32Array, levels: Uint8Array | Int32Array, out: Float32Array): void {
    const frames = levels.length / melBins;
    if (
      !Number.isInteger(frames) ||
      controls.length !== frames * controlsPerFrame ||
      out.length !== frames * hopSamples
    ) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `source-filter synthesis: expected levels [frames, ${melBins}], controls [frames, ${controlsPerFrame}] and ${hopSamples} samples of PCM per frame, got ${levels.length}, ${controls.length} and ${out.length} values`,
      );
    }
    for (let frame = 0; frame < frames; frame++) {
      if (sounds(levels, frame)) refuseNaN(controls, frame);
    }
    for (let frame = 0; frame < frames; frame++) {
      const sounding = sounds(levels, frame);
      if (sounding) this.#addFrame(controls, frame * controlsPerFrame);
      else {
        this.#sounding = false;
        this.#sample = (this.#sample + hopSamples) >>> 0;
      }
      this.#emit(out, frame * hopSamples);
      this.#framesToSilence = sounding ? framesToDieAway : Math.max(0, this.#framesToSilence - 1);
    }
  }

  /**
   * Ends the stream: gives the samples still to come and resets.
   *
   * @param out - receives the last PCM, `[400]`
   * @throws DuplexError `SHAPE_MISMATCH` if `out` has another length
   */
  flush(out: Float32Array): void {
    if (out.length !== hopSamples) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `source-filter synthesis: expected ${hopSamples} samples to flush into, got ${out.length}`,
      );
    }
    this.#emit(out, 0);
    this.reset();
  }

  /** Forgets all sound and starts the noise anew. */
  reset(): void {
    this.#sample = 0;
    this.#sounding = false;
    this.#phase = 0;
    this.#pitch = 0;
    this.#framesToSilence = 0;
    this.#tail.fill(0);
  }

  /** A copy of the state; the synthesis may go on. */
  snapshot(): SynthesisState {
    return {
      seed: this.#seed,
      sample: this.#sample,
      sounding: this.#sounding,
      phase: this.#phase,
      pitch: this.#pitch,
      framesToSilence: this.#framesToSilence,
      pulses: this.#pulses.slice(),
      noise: this.#noise.slice(),
      tail: this.#tail.slice(),
    };
  }

  /**
   * Goes back to a state, also one of another instance: what follows is the same to the bit.
   *
   * @throws DuplexError `SHAPE_MISMATCH` if an array of the state has another length
   */
  restore(state: SynthesisState): void {
    const fits = state.pulses.length === subHopSamples && state.noise.length === subHopSamples;
    if (!fits || state.tail.length !== reachSamples) {
      throw new DuplexError("SHAPE_MISMATCH", "source-filter synthesis: the state to restore has another geometry");
    }
    this.#seed = state.seed;
    this.#sample = state.sample;
    this.#sounding = state.sounding;
    this.#phase = state.phase;
    this.#pitch = state.pitch;
    this.#framesToSilence = state.framesToSilence;
    this.#pulses.set(state.pulses);
    this.#noise.set(state.noise);
    this.#tail.set(state.tail);
  }

  // --- one frame ---

  #addFrame(controls: Float32Array, start: number): void {
    this.#sumRe.fill(0);
    this.#sumIm.fill(0);
    for (let sub = 0; sub < subFrames; sub++) {
      const at = start + sub * controlsPerSubFrame;
      this.#advanceSource(lowestPitch * 2 ** (pitchOctaves * sigmoid(controls[at])));
      this.#transformSource();
      amplitudes(controls, at + 2, sigmoid(controls[at + 1]), this.#harmonic);
      amplitudes(controls, at + 2 + envelopePoints, 1, this.#breath);
      this.#filter(sub === 1);
    }
    this.#fft.inverse(this.#sumRe, this.#sumIm);
    this.#overlap(this.#sumRe, 0);
    this.#overlap(this.#sumIm, 1);
  }

  // Makes the second half of the window; the first half is what the sub-frame before made last.
  #advanceSource(pitch: number): void {
    if (!this.#sounding) {
      this.#sounding = true;
      this.#phase = 0;
      this.#pitch = pitch;
      this.#makePulses(this.#pulses, pitch);
      this.#makeNoise(this.#noise, this.#sample);
    }
    const pulses = this.#pulsesBefore;
    const noise = this.#noiseBefore;
    this.#pulsesBefore = this.#pulses;
    this.#noiseBefore = this.#noise;
    this.#pulses = pulses;
    this.#noise = noise;
    this.#makePulses(pulses, pitch);
    this.#sample = (this.#sample + subHopSamples) >>> 0;
    this.#makeNoise(noise, this.#sample);
  }

  // Band-limited pulses of unit power, the pitch gliding from where it was. The sum of all cosines has a closed form; the
  // harmonic that is about to fit below the highest frequency fades in, so that a glide never clicks. Sines and cosines are
  // turned on from sample to sample and made afresh when the number of harmonics changes. A phase that wraps flips the
  // sign of all four, which no product or ratio of two notices.
  #makePulses(out: Float64Array, pitch: number): void {
    const glide = (pitch - this.#pitch) / subHopSamples;
    let phase = this.#phase;
    let harmonics = -1;
    let sine = 0;
    let cosine = 0;
    let upperSine = 0;
    let upperCosine = 0;
    let turnSine = 0;
    let turnCosine = 0;
    let upperTurnSine = 0;
    let upperTurnCosine = 0;
    let glideSine = 0;
    let glideCosine = 0;
    let upperGlideSine = 0;
    let upperGlideCosine = 0;
    for (let i = 0; i < subHopSamples; i++) {
      const hertz = this.#pitch + glide * (i + 1);
      phase += hertz / sampleRate;
      if (phase >= 1) phase -= 1;
      const ratio = highestHarmonic / hertz;
      const whole = Math.floor(ratio);
      if (whole === harmonics) {
        let turned = turnCosine * glideCosine - turnSine * glideSine;
        turnSine = turnSine * glideCosine + turnCosine * glideSine;
        turnCosine = turned;
        turned = upperTurnCosine * upperGlideCosine - upperTurnSine * upperGlideSine;
        upperTurnSine = upperTurnSine * upperGlideCosine + upperTurnCosine * upperGlideSine;
        upperTurnCosine = turned;
        turned = cosine * turnCosine - sine * turnSine;
        sine = sine * turnCosine + cosine * turnSine;
        cosine = turned;
        turned = upperCosine * upperTurnCosine - upperSine * upperTurnSine;
        upperSine = upperSine * upperTurnCosine + upperCosine * upperTurnSine;
        upperCosine = turned;
      } else {
        harmonics = whole;
        const order = 2 * whole + 1;
        const half = Math.PI * phase;
        const turn = (Math.PI * hertz) / sampleRate;
        const faster = (Math.PI * glide) / sampleRate;
        sine = Math.sin(half);
        cosine = Math.cos(half);
        upperSine = Math.sin(order * half);
        upperCosine = Math.cos(order * half);
        turnSine = Math.sin(turn);
        turnCosine = Math.cos(turn);
        upperTurnSine = Math.sin(order * turn);
        upperTurnCosine = Math.cos(order * turn);
        glideSine = Math.sin(faster);
        glideCosine = Math.cos(faster);
        upperGlideSine = Math.sin(order * faster);
        upperGlideCosine = Math.cos(order * faster);
      }
      const next = upperCosine * cosine - upperSine * sine;
      const series = Math.abs(sine) < 1e-4 ? whole : (upperSine / sine - 1) / 2;
      out[i] = (series + (ratio - whole) * next) * Math.sqrt(2 / ratio);
    }
    this.#phase = phase;
    this.#pitch = pitch;
  }

  // Uniform noise of unit power: mulberry32 as a function of seed and sample number.
  #makeNoise(out: Float64Array, first: number): void {
    let state = (this.#seed + Math.imul(first, 0x6d2b79f5)) | 0;
    for (let i = 0; i < subHopSamples; i++) {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) | 0;
      out[i] = (((mixed ^ (mixed >>> 14)) >>> 0) / 0x80000000 - 1) * noiseScale;
    }
  }

  // Pulses go into the real part and noise into the imaginary part of one transform.
  #transformSource(): void {
    this.#re.fill(0);
    this.#im.fill(0);
    for (let i = 0; i < subHopSamples; i++) {
      const rise = this.#window[i];
      const fall = this.#window[subHopSamples + i];
      this.#re[windowStart + i] = this.#pulsesBefore[i] * rise;
      this.#im[windowStart + i] = this.#noiseBefore[i] * rise;
      this.#re[windowStart + subHopSamples + i] = this.#pulses[i] * fall;
      this.#im[windowStart + subHopSamples + i] = this.#noise[i] * fall;
    }
    this.#fft.forward(this.#re, this.#im);
  }

  // Separates the two spectra, weighs them, and adds their sum Y to the frame's spectrum: as Y, or as iY if `imaginary`.
  #filter(imaginary: boolean): void {
    const harmonic = this.#harmonic;
    const breath = this.#breath;
    this.#filterBin(0, harmonic[0], breath[0], imaginary);
    for (let point = 0; point < envelopePoints - 1; point++) {
      const harmonicStep = (harmonic[point + 1] - harmonic[point]) / binsPerPoint;
      const breathStep = (breath[point + 1] - breath[point]) / binsPerPoint;
      for (let i = point === 0 ? 1 : 0; i < binsPerPoint; i++) {
        const bin = point * binsPerPoint + i;
        this.#filterBin(bin, harmonic[point] + i * harmonicStep, breath[point] + i * breathStep, imaginary);
      }
    }
    this.#filterBin(bins, harmonic[envelopePoints - 1], breath[envelopePoints - 1], imaginary);
  }

  #filterBin(bin: number, harmonic: number, breath: number, imaginary: boolean): void {
    const re = this.#re;
    const im = this.#im;
    const sumRe = this.#sumRe;
    const sumIm = this.#sumIm;
    const mirror = (fftSize - bin) & (fftSize - 1);
    const outRe = 0.5 * (harmonic * (re[bin] + re[mirror]) + breath * (im[bin] + im[mirror]));
    const outIm = 0.5 * (harmonic * (im[bin] - im[mirror]) + breath * (re[mirror] - re[bin]));
    sumRe[bin] += imaginary ? -outIm : outRe;
    sumIm[bin] += imaginary ? outRe : outIm;
    if (mirror === bin) return;
    sumRe[mirror] += imaginary ? outIm : outRe;
    sumIm[mirror] += imaginary ? outRe : -outIm;
  }

  // A piece begins after the next sample to leave: nothing comes too late.
  #overlap(piece: Float64Array, sub: number): void {
    const start = subHopSamples * (1 + sub) + centreOffsetSamples - fftSize / 2;
    for (let i = 0; i < fftSize; i++) this.#tail[start + i] += piece[i];
  }

  #emit(out: Float32Array, at: number): void {
    if (!this.#sounding && this.#framesToSilence === 0) {
      out.fill(0, at, at + hopSamples);
      return;
    }
    for (let i = 0; i < hopSamples; i++) out[at + i] = limit(this.#tail[i]);
    this.#tail.copyWithin(0, hopSamples);
    this.#tail.fill(0, reachSamples - hopSamples);
  }
}

function sounds(levels: Uint8Array | Int32Array, frame: number): boolean {
  for (let i = frame * melBins; i < (frame + 1) * melBins; i++) if (levels[i] !== 0) return true;
  return false;
}

function refuseNaN(controls: Float32Array, frame: number): void {
  for (let i = frame * controlsPerFrame; i < (frame + 1) * controlsPerFrame; i++) {
    if (Number.isNaN(controls[i])) {
      throw new DuplexError(
        "BACKEND_FAILED",
        `source-filter synthesis: expected numbers, got NaN as control ${i - frame * controlsPerFrame} of frame ${frame}; the weights are damaged or the execution provider computes wrongly`,
        { details: { frame, control: i - frame * controlsPerFrame } },
      );
    }
  }
}

function limit(sample: number): number {
  const size = Math.abs(sample);
  if (size <= limitFrom) return sample;
  return Math.sign(sample) * (limitFrom + (1 - limitFrom) * Math.tanh((size - limitFrom) / (1 - limitFrom)));
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function amplitudes(controls: Float32Array, start: number, gain: number, out: Float64Array): void {
  const { lowest, highest } = geometry.logAmplitude;
  for (let point = 0; point < envelopePoints; point++) {
    out[point] = gain * Math.exp(Math.min(highest, Math.max(lowest, controls[start + point])));
  }
}
