// Where a voice sounds, from its level every 10 ms: enough to time turns, cheap enough for hours of audio.
// The rule (fixed floor, hangover, minimum length) follows the usual energy detectors; it is not a model.

/** Frames per second of {@link LevelMeter}. */
export const FRAMES_PER_SECOND = 100;

/** A stretch of sound, ms from the start of the session. */
export interface SpeechSegment {
  readonly startMs: number;
  readonly endMs: number;
}

/** Collects the RMS level of a voice, one value per 10 ms, however its samples are cut. */
export class LevelMeter {
  readonly #frameSamples: number;
  #levels = new Float32Array(6_000);
  #count = 0;
  #sum = 0;
  #filled = 0;

  /** @param sampleRate - Hz, a multiple of 100 */
  constructor(sampleRate: number) {
    this.#frameSamples = sampleRate / FRAMES_PER_SECOND;
  }

  push(samples: Float32Array): void {
    for (let i = 0; i < samples.length; i++) {
      this.#sum += samples[i] * samples[i];
      if (++this.#filled === this.#frameSamples) {
        if (this.#count === this.#levels.length) {
          const grown = new Float32Array(this.#levels.length * 2);
          grown.set(this.#levels);
          this.#levels = grown;
        }
        this.#levels[this.#count++] = Math.sqrt(this.#sum / this.#frameSamples);
        this.#sum = 0;
        this.#filled = 0;
      }
    }
  }

  /** RMS per 10 ms so far; a view, valid until the next push. */
  get levels(): Float32Array {
    return this.#levels.subarray(0, this.#count);
  }
}

/**
 * Stretches in which a voice sounds.
 *
 * A frame sounds at 5 % of the level that the loudest twentieth of the frames reaches, and never below `floor`.
 * Gaps shorter than `gapMs` belong to the stretch; stretches shorter than `minimumMs` are clicks and are dropped.
 *
 * @param levels - RMS per 10 ms
 * @param options.floor - RMS below which nothing counts; default 0.003 (about -50 dBFS)
 */
export function speechSegments(
  levels: Float32Array,
  { floor = 0.003, gapMs = 300, minimumMs = 60 }: { floor?: number; gapMs?: number; minimumMs?: number } = {},
): SpeechSegment[] {
  const frameMs = 1000 / FRAMES_PER_SECOND;
  const threshold = Math.max(floor, 0.05 * loudLevel(levels));
  const segments: SpeechSegment[] = [];
  let start = -1;
  let last = -1;
  const close = () => {
    const segment = { startMs: start * frameMs, endMs: (last + 1) * frameMs };
    if (segment.endMs - segment.startMs >= minimumMs) segments.push(segment);
    start = -1;
  };
  for (let i = 0; i < levels.length; i++) {
    if (levels[i] < threshold) continue;
    if (start >= 0 && (i - last - 1) * frameMs >= gapMs) close();
    if (start < 0) start = i;
    last = i;
  }
  if (start >= 0) close();
  return segments;
}

/** The level that the loudest twentieth of the frames reaches. */
function loudLevel(levels: Float32Array): number {
  if (levels.length === 0) return 0;
  const sorted = Float32Array.from(levels).sort();
  return sorted[Math.floor(0.95 * (sorted.length - 1))];
}
