// dMel step by step as the formulas read: the reference that the fast encoder is tested and measured against.
// Same definition, other means: the whole recording at once, a textbook transform, a dense filterbank, a real logarithm.

import { periodicHann } from "./dmel.js";
import type { DmelPreset } from "./dmel-presets.js";
import { melMatrix } from "./mel.js";

/**
 * Log10 mel magnitudes of a whole recording.
 *
 * @param samples - mono PCM at the preset's rate; more than half a window when the preset is centred
 * @returns one array of `melBins` values per frame
 */
export function logMelPlain(samples: Float32Array, preset: DmelPreset): Float64Array[] {
  const { windowSamples, hopSamples, fftSize, framing, magnitudeFloor } = preset;
  const hann = periodicHann(windowSamples);
  const matrix = melMatrix(preset);
  const causal = framing === "causal";
  const frameCount = causal ? Math.ceil(samples.length / hopSamples) : Math.floor(samples.length / hopSamples) + 1;
  const before = causal ? windowSamples - hopSamples : windowSamples / 2;
  const frames: Float64Array[] = [];
  for (let frame = 0; frame < frameCount; frame++) {
    const re = new Float64Array(fftSize);
    for (let i = 0; i < windowSamples; i++) {
      let position = frame * hopSamples - before + i;
      if (!causal && position < 0) position = -position;
      if (!causal && position >= samples.length) position = 2 * (samples.length - 1) - position;
      re[i] = (samples[position] ?? 0) * hann[i];
    }
    const spectrum = textbookFft(re, new Float64Array(fftSize));
    const magnitudes = new Float64Array(fftSize / 2 + 1);
    for (let k = 0; k < magnitudes.length; k++) {
      magnitudes[k] = Math.max(magnitudeFloor, Math.hypot(spectrum.re[k], spectrum.im[k]));
    }
    frames.push(
      Float64Array.from(matrix, (row) => {
        let energy = 0;
        for (let k = 0; k < row.length; k++) energy += row[k] * magnitudes[k];
        return Math.log10(Math.max(1e-10, energy));
      }),
    );
  }
  return frames;
}

/**
 * dMel levels of a whole recording, as {@link encodeDmel} gives them, computed plainly.
 *
 * @returns levels, `[frames, melBins]`
 */
export function encodeDmelPlain(samples: Float32Array, preset: DmelPreset): Uint8Array {
  const frames = logMelPlain(samples, preset);
  const levels = new Uint8Array(frames.length * preset.melBins);
  frames.forEach((logMel, frame) => {
    logMel.forEach((value, mel) => {
      let nearest = 0;
      for (let j = 1; j < preset.levels; j++) {
        const centre = preset.low + preset.step * j;
        if (Math.abs(value - centre) < Math.abs(value - (preset.low + preset.step * nearest))) nearest = j;
      }
      levels[frame * preset.melBins + mel] = nearest;
    });
  });
  return levels;
}

interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

// Cooley and Tukey 1965: split by the smallest prime factor, transform the parts, put them together.
function textbookFft(re: Float64Array, im: Float64Array): Spectrum {
  const size = re.length;
  let radix = 2;
  while (radix <= size && size % radix !== 0) radix++;
  if (size === 1) return { re, im };
  const part = size / radix;
  const parts: Spectrum[] = [];
  for (let r = 0; r < radix; r++) {
    const partRe = new Float64Array(part);
    const partIm = new Float64Array(part);
    for (let i = 0; i < part; i++) {
      partRe[i] = re[i * radix + r];
      partIm[i] = im[i * radix + r];
    }
    parts.push(textbookFft(partRe, partIm));
  }
  const out = { re: new Float64Array(size), im: new Float64Array(size) };
  for (let k = 0; k < size; k++) {
    for (let r = 0; r < radix; r++) {
      const angle = (-2 * Math.PI * k * r) / size;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const [partRe, partIm] = [parts[r].re[k % part], parts[r].im[k % part]];
      out.re[k] += partRe * cos - partIm * sin;
      out.im[k] += partRe * sin + partIm * cos;
    }
  }
  return out;
}
