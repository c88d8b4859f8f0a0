// Published geometries of dMel: how samples become frames, frames mel energies, and energies levels.
// The settings are not interchangeable (codes of two presets differ nearly everywhere), so each has a name and a source.

import { DuplexError } from "../errors.js";

/** How samples become dMel levels. Everything a stored level means is in here. */
export interface DmelPreset {
  /** As manifests and traces state it. */
  readonly name: string;
  /** Hz. */
  readonly sampleRate: number;
  /** Length of the periodic Hann window, samples; at most `fftSize`. */
  readonly windowSamples: number;
  /** Distance between frames, samples. */
  readonly hopSamples: number;
  /** Points of the transform; the window is padded with zeros up to it. Even, a product of 2, 3 and 5. */
  readonly fftSize: number;
  /**
   * `causal`: the stream begins with `windowSamples - hopSamples` zeros; frame k is complete with sample `hop (k + 1)`.
   * `centred`: frame k is centred on sample `hop k`, and the stream is mirrored at its ends.
   */
  readonly framing: "causal" | "centred";
  /** Bands of the Slaney filterbank. */
  readonly melBins: number;
  /** Lower and upper edge of the filterbank, Hz. */
  readonly lowHz: number;
  readonly highHz: number;
  /** Magnitudes below this count as this, so silence is a level and not minus infinity. */
  readonly magnitudeFloor: number;
  /** Levels per mel bin: level j stands for log10 mel magnitude `low + step j`. */
  readonly levels: number;
  /** log10 mel magnitude of level 0. */
  readonly low: number;
  /** log10 mel magnitude between two levels. */
  readonly step: number;
}

/**
 * dMel as the Inkling models hear it: 100 ms windows, 20 frames a second, 4 frames to a micro-turn of 200 ms.
 *
 * Silence is level 2; levels 0 and 1 are out of reach of the magnitude floor.
 *
 * @see Hugging Face transformers, `InklingFeatureExtractor` and `InklingProcessor`
 */
export const dmel20: DmelPreset = Object.freeze({
  name: "dmel-20",
  sampleRate: 16_000,
  windowSamples: 1600,
  hopSamples: 800,
  fftSize: 1600,
  framing: "causal",
  melBins: 80,
  lowHz: 0,
  highHz: 8000,
  magnitudeFloor: 1e-5,
  levels: 16,
  low: -7,
  step: 0.6,
});

/**
 * dMel as in the code published with the paper, at its default of 40 frames a second. Needs 25 ms of look-ahead.
 *
 * @see Bai et al. 2024, "dMel: Speech Tokenization made Simple", arXiv:2407.15835, and its code, v1.0 (apple/dmel)
 */
export const dmel40: DmelPreset = Object.freeze({
  ...dmel20,
  name: "dmel-40",
  windowSamples: 800,
  hopSamples: 400,
  fftSize: 1024,
  framing: "centred",
  lowHz: 80,
  highHz: 7600,
});

/** {@link dmel40} at 80 frames a second, the denser setting of the paper. */
export const dmel80: DmelPreset = Object.freeze({ ...dmel40, name: "dmel-80", hopSamples: 200 });

/**
 * Frames that `mini` speaks: causal, 40 a second, 8 to a micro-turn, in the range of one voice.
 *
 * Level 0 is silence. The manifest of a model fixes `low` and `step`; see docs/models.md.
 *
 * @param options.low - log10 mel magnitude of level 0
 * @param options.step - log10 mel magnitude between levels, above 0; default 0.3
 * @throws RangeError if a number is out of range
 */
export function dmelSpeech(options: { low: number; step?: number }): DmelPreset {
  const { low, step = 0.3 } = options;
  if (!Number.isFinite(low)) throw new RangeError(`dmelSpeech: expected a finite low, got ${low}`);
  if (!(Number.isFinite(step) && step > 0)) throw new RangeError(`dmelSpeech: expected a step above 0, got ${step}`);
  return Object.freeze({
    ...dmel20,
    name: "dmel-speech",
    windowSamples: 800,
    hopSamples: 400,
    fftSize: 1024,
    low,
    step,
  });
}

/**
 * The preset that a manifest names: `dmel-20`, `dmel-40` or `dmel-80`.
 *
 * @throws DuplexError `UNSUPPORTED` for any other name
 */
export function dmelPreset(name: string): DmelPreset {
  const preset = [dmel20, dmel40, dmel80].find((candidate) => candidate.name === name);
  if (preset !== undefined) return preset;
  throw new DuplexError(
    "UNSUPPORTED",
    `dmelPreset: expected dmel-20, dmel-40 or dmel-80, got "${name}"; dmel-speech needs its range, see dmelSpeech`,
  );
}
