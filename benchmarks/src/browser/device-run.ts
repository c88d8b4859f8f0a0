// One conversation on one device, micro-turn by micro-turn, with what the model itself put out: so that two devices can be compared.

/** What a worker is asked: a conversation on a device. */
export interface DeviceRunRequest {
  readonly device: "wasm" | "webgpu";
  /** Mono PCM at 16 kHz, cut into micro-turns of 3200. */
  readonly audio: Float32Array;
  readonly turns: number;
}

/** What a device made of one micro-turn. */
export interface DeviceTurn {
  /** Decision, words said and words heard. */
  readonly words: string;
  /** dMel levels of the speech that the model chose, of every output position. */
  readonly levels: Int32Array;
  /** Share of the routing weight that each expert got, mixture layer by mixture layer. */
  readonly experts: Float32Array;
  /** Experts per layer. */
  readonly expertsPerLayer: number;
  readonly speech: Float32Array;
  readonly stepMs: number;
}

/** What comes back, in order. */
export type DeviceRunReply =
  | { readonly description: string; readonly loadMs: number }
  | { readonly turn: DeviceTurn }
  | { readonly failure: string };

/** How far two devices differ in a conversation. */
export interface DeviceDifference {
  readonly turns: number;
  /** Micro-turns with another decision, or another word said or heard. */
  readonly otherWords: number;
  /** dMel levels that were chosen otherwise, of all. */
  readonly otherLevels: number;
  readonly levels: number;
  /** Layers of micro-turns in which an expert got the weight of another one: a share that differs by more than {@link flipShare}. */
  readonly routerFlips: number;
  readonly layers: number;
  /** Largest difference of a share, and of a sample of the sound. */
  readonly mostShare: number;
  readonly mostSample: number;
  /** Micro-turns in which something is said. */
  readonly speaking: number;
  /** The first micro-turn in which words, levels or experts differ, if there is one. */
  readonly firstDifference?: number;
}

/** What the page offers to the program that drives it. */
export interface DevicePage {
  /** Micro-turns that the device under way has done. */
  readonly done: number;
  /** @param mostMs - a device that is not through after this time is compared as far as it has come */
  compare(recordings: readonly string[], turns: number, mostMs: number): Promise<DeviceComparison>;
}

/** Two devices in one conversation. */
export interface DeviceComparison {
  readonly difference: DeviceDifference;
  readonly devices: readonly DeviceTimes[];
  /** All that was said on the first device. */
  readonly said: string;
}

/** One of them. */
export interface DeviceTimes {
  readonly description: string;
  readonly loadMs: number;
  readonly stepMs: readonly number[];
}

/** Rounding moves a share by 1e-6 or less; a position that goes to another expert moves it by its weight, which is hundredths. */
export const flipShare = 1e-3;

/** Compares two runs of the same conversation. @throws RangeError if their lengths differ */
export function differenceOf(ones: readonly DeviceTurn[], others: readonly DeviceTurn[]): DeviceDifference {
  if (ones.length !== others.length) {
    throw new RangeError(`differenceOf: expected as many micro-turns of both, got ${ones.length} and ${others.length}`);
  }
  let [otherWords, otherLevels, levels, routerFlips, layers, speaking] = [0, 0, 0, 0, 0, 0];
  let [mostShare, mostSample] = [0, 0];
  let firstDifference: number | undefined;
  for (const [turn, one] of ones.entries()) {
    const other = others[turn];
    const before = otherWords + otherLevels + routerFlips;
    if (one.words !== other.words) otherWords++;
    levels += one.levels.length;
    for (const [i, level] of one.levels.entries()) if (level !== other.levels[i]) otherLevels++;
    for (let at = 0; at < one.experts.length; at += one.expertsPerLayer) {
      layers++;
      let most = 0;
      for (let e = at; e < at + one.expertsPerLayer; e++) {
        most = Math.max(most, Math.abs(one.experts[e] - other.experts[e]));
      }
      if (most > flipShare) routerFlips++;
      mostShare = Math.max(mostShare, most);
    }
    for (const [i, sample] of one.speech.entries()) {
      mostSample = Math.max(mostSample, Math.abs(sample - other.speech[i]));
    }
    if (one.speech.some((sample) => sample !== 0)) speaking++;
    if (otherWords + otherLevels + routerFlips > before) firstDifference ??= turn;
  }
  return {
    ...{ turns: ones.length, otherWords, otherLevels, levels, routerFlips, layers, mostShare, mostSample, speaking },
    ...(firstDifference === undefined ? {} : { firstDifference }),
  };
}
