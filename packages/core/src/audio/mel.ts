// Slaney's mel filterbank: triangles in Hz between edges equally spaced in mel, each of unit area.
// Slaney 1998, "Auditory Toolbox" (Interval Research TR 1998-010); as librosa's default `filters.mel` computes it.

/** Where a filterbank lies and how fine it is. */
export interface MelOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Points of the transform whose magnitudes come in. */
  readonly fftSize: number;
  readonly melBins: number;
  /** Lower and upper edge, Hz; `0 <= lowHz < highHz <= sampleRate / 2`. */
  readonly lowHz: number;
  readonly highHz: number;
}

/** Mel of a frequency in Hz: linear below 1 kHz, logarithmic above. */
export function hzToMel(hz: number): number {
  return hz < 1000 ? (3 * hz) / 200 : 15 + (27 * Math.log(hz / 1000)) / Math.log(6.4);
}

/** Frequency in Hz of a mel value; undoes {@link hzToMel}. */
export function melToHz(mel: number): number {
  return mel < 15 ? (200 * mel) / 3 : 1000 * Math.exp((Math.log(6.4) * (mel - 15)) / 27);
}

/**
 * The filterbank as a matrix, the plain reference of {@link MelFilterbank}.
 *
 * @returns weights, `melBins` rows of `fftSize / 2 + 1`
 * @throws RangeError if an edge or a count is out of range
 */
export function melMatrix(options: MelOptions): Float64Array[] {
  const { sampleRate, fftSize, melBins, lowHz, highHz } = options;
  if (!(lowHz >= 0 && lowHz < highHz && highHz <= sampleRate / 2)) {
    throw new RangeError(`mel: expected 0 <= low < high <= ${sampleRate / 2} Hz, got ${lowHz} to ${highHz} Hz`);
  }
  if (!Number.isInteger(melBins) || melBins < 1) throw new RangeError(`mel: expected 1 bin or more, got ${melBins}`);
  const lowMel = hzToMel(lowHz);
  const stepMel = (hzToMel(highHz) - lowMel) / (melBins + 1);
  const edge = (index: number) => melToHz(lowMel + stepMel * index);
  const rows: Float64Array[] = [];
  for (let mel = 0; mel < melBins; mel++) {
    const [low, centre, high] = [edge(mel), edge(mel + 1), edge(mel + 2)];
    const row = new Float64Array(fftSize / 2 + 1);
    for (let k = 0; k < row.length; k++) {
      const hz = (k * sampleRate) / fftSize;
      const rising = (hz - low) / (centre - low);
      const falling = (high - hz) / (high - centre);
      row[k] = (Math.max(0, Math.min(rising, falling)) * 2) / (high - low);
    }
    rows.push(row);
  }
  return rows;
}

/** The filterbank with its zeros left out: each mel bin is one run of neighbouring frequencies. */
export class MelFilterbank {
  readonly melBins: number;
  /** First and one past the last frequency that any mel bin hears. */
  readonly firstBin: number;
  readonly endBin: number;
  /** Weights of all mel bins, one run after the other. */
  readonly #weights: Float64Array;
  /** Per mel bin: its first frequency, and where its run ends in `#weights`. */
  readonly #first: Int32Array;
  readonly #end: Int32Array;

  /** @throws RangeError as {@link melMatrix} */
  constructor(options: MelOptions) {
    const rows = melMatrix(options);
    this.melBins = rows.length;
    this.#first = new Int32Array(rows.length);
    this.#end = new Int32Array(rows.length);
    this.#weights = new Float64Array(rows.reduce((count, row) => count + row.filter((weight) => weight > 0).length, 0));
    let at = 0;
    let firstBin = rows[0].length;
    let endBin = 0;
    rows.forEach((row, mel) => {
      // A narrow triangle may fall between two frequencies: its run is empty and its energy 0.
      const first = Math.max(
        0,
        row.findIndex((weight) => weight > 0),
      );
      let k = first;
      while (k < row.length && row[k] > 0) this.#weights[at++] = row[k++];
      this.#first[mel] = first;
      this.#end[mel] = at;
      if (k > first) {
        firstBin = Math.min(firstBin, first);
        endBin = Math.max(endBin, k);
      }
    });
    this.firstBin = Math.min(firstBin, endBin);
    this.endBin = endBin;
  }

  /**
   * Mel energies of one spectrum; allocates nothing.
   *
   * @param spectrum - magnitudes, `[fftSize / 2 + 1]`; only `firstBin` … `endBin - 1` are read
   * @param energies - receives `[melBins]`
   */
  apply(spectrum: Float64Array, energies: Float64Array): void {
    const weights = this.#weights;
    const firsts = this.#first;
    const ends = this.#end;
    let at = 0;
    for (let mel = 0; mel < ends.length; mel++) {
      const end = ends[mel];
      let bin = firsts[mel];
      // Two sums, so that one addition does not wait for the other.
      let even = 0;
      let odd = 0;
      for (; at + 1 < end; at += 2, bin += 2) {
        even += weights[at] * spectrum[bin];
        odd += weights[at + 1] * spectrum[bin + 1];
      }
      if (at < end) even += weights[at++] * spectrum[bin];
      energies[mel] = even + odd;
    }
  }
}
