// Minimum and maximum of a voice over any stretch in a few steps, so that an hour draws as fast as a second.

const baseSamples = 64;
const fanOut = 4;

interface Level {
  readonly low: Float32Array;
  readonly high: Float32Array;
  readonly blockSamples: number;
}

/** Min/max pyramid over PCM: blocks of 64 samples, then four blocks to one. */
export class Pyramid {
  readonly #samples: Float32Array;
  readonly #levels: Level[] = [];
  /** Largest magnitude of the whole voice. */
  readonly peak: number;

  constructor(samples: Float32Array) {
    this.#samples = samples;
    let level = baseLevel(samples);
    this.#levels.push(level);
    while (level.low.length > fanOut) {
      level = nextLevel(level);
      this.#levels.push(level);
    }
    let peak = 0;
    for (let i = 0; i < level.low.length; i++) peak = Math.max(peak, -level.low[i], level.high[i]);
    this.peak = peak;
  }

  /** `[minimum, maximum]` of the samples in [start, end); `[0, 0]` outside the voice. Coarser than 256 samples it may include neighbours. */
  range(start: number, end: number, into: [number, number]): [number, number] {
    const first = Math.max(0, Math.floor(start));
    const last = Math.min(this.#samples.length, Math.max(first + 1, Math.ceil(end)));
    into[0] = 0;
    into[1] = 0;
    if (first >= last || end <= 0) return into;
    const span = last - first;
    let level: Level | undefined;
    for (const candidate of this.#levels) if (candidate.blockSamples * 4 <= span) level = candidate;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    if (level === undefined) {
      for (let i = first; i < last; i++) {
        const value = this.#samples[i];
        if (value < low) low = value;
        if (value > high) high = value;
      }
    } else {
      const to = Math.min(level.low.length, Math.ceil(last / level.blockSamples));
      for (let i = Math.floor(first / level.blockSamples); i < to; i++) {
        if (level.low[i] < low) low = level.low[i];
        if (level.high[i] > high) high = level.high[i];
      }
    }
    into[0] = low;
    into[1] = high;
    return into;
  }
}

function baseLevel(samples: Float32Array): Level {
  const count = Math.ceil(samples.length / baseSamples);
  const level = { low: new Float32Array(count), high: new Float32Array(count), blockSamples: baseSamples };
  for (let block = 0; block < count; block++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    const end = Math.min(samples.length, (block + 1) * baseSamples);
    for (let i = block * baseSamples; i < end; i++) {
      const value = samples[i];
      if (value < low) low = value;
      if (value > high) high = value;
    }
    level.low[block] = low;
    level.high[block] = high;
  }
  return level;
}

function nextLevel(below: Level): Level {
  const count = Math.ceil(below.low.length / fanOut);
  const level = {
    low: new Float32Array(count),
    high: new Float32Array(count),
    blockSamples: below.blockSamples * fanOut,
  };
  for (let block = 0; block < count; block++) {
    level.low[block] = Math.min(...below.low.subarray(block * fanOut, (block + 1) * fanOut));
    level.high[block] = Math.max(...below.high.subarray(block * fanOut, (block + 1) * fanOut));
  }
  return level;
}
