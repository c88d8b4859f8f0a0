// The contract of a vocoder: speech frames in, PCM out, at a fixed latency; and the geometry of the one that `mini` uses.
// Source-filter synthesis after Engel et al. 2020, "DDSP", arXiv:2001.04643; the trained twin is training/microturn_training/vocoder.py.

/**
 * Turns `dmel-speech` frames into 16 kHz PCM while they come in.
 *
 * A frame gives `hopSamples` samples at once; what is heard lags the frames by `latencySamples`.
 */
export interface Vocoder {
  /** Samples per frame. */
  readonly hopSamples: number;
  /** Samples by which the PCM lags the frames: the first this many of a stream come before its beginning. */
  readonly latencySamples: number;
  /**
   * Takes the next frames of the stream.
   *
   * @param levels - dMel levels 0 to 15, shape `[frames, 80]`; a frame of zeros is silence
   * @returns PCM, `hopSamples` per frame, in an array of its own
   * @throws DuplexError `SHAPE_MISMATCH` if the length is not a whole number of frames
   * @throws RangeError if a level is above 15
   */
  push(levels: Uint8Array | Int32Array): Float32Array;
  /** Ends the stream: returns its last `latencySamples` samples and resets. */
  flush(): Float32Array;
  /** Forgets the stream, as if newly made. */
  reset(): void;
}

/** Geometry of the source-filter vocoder; see the fields of {@link sourceFilterGeometry}. */
export const sourceFilterGeometry = {
  /** Hz. */
  sampleRate: 16000,
  /** Mel bins of a frame. */
  melBins: 80,
  /** Levels of a mel bin. */
  levels: 16,
  /** Samples per frame. */
  hopSamples: 400,
  /** Sub-frames per frame, each with controls of its own. */
  subFrames: 2,
  /** Samples from one sub-frame to the next; its window is twice as long. */
  subHopSamples: 200,
  /** The second sub-frame of frame k is centred this many samples after sample 400 k, the first 200 samples earlier. */
  centreOffsetSamples: 100,
  /** Size of the Fourier transform that filters a sub-frame. */
  fftSize: 512,
  /** Points of an envelope, 0 to 8000 Hz in equal steps. */
  envelopePoints: 65,
  /** Controls of a sub-frame: pitch, voicing, log amplitudes of the pulses, log amplitudes of the noise. */
  controlsPerSubFrame: 132,
  /** Controls of a frame. */
  controlsPerFrame: 264,
  /** Hz that the lowest pitch control stands for. */
  lowestPitch: 60,
  /** Octaves from the lowest to the highest pitch. */
  pitchOctaves: 3,
  /** Hz above which the pulses have no harmonics. */
  highestHarmonic: 7600,
  /** Log amplitudes are clamped to this range. */
  logAmplitude: { lowest: -12, highest: 1 },
  /** Samples above this are bent so that they stay within 1; speech at the assistant's level stays below 0.6. */
  limitFrom: 0.8,
} as const;
