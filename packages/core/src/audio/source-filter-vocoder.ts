// The whole vocoder of `mini` without a graph: network and synthesis in plain TypeScript, as one `Vocoder`.
// For tools and tests; in a session the network runs inside the model's graph and only the synthesis runs here.

import { DuplexError } from "../errors.js";
import { sourceFilterGeometry as geometry, type Vocoder } from "./vocoder.js";
import { VocoderNetwork, type VocoderNetworkState, type VocoderWeight } from "./vocoder-network.js";
import { SourceFilterSynthesis, type SynthesisState } from "./vocoder-synthesis.js";

/** State of a {@link SourceFilterVocoder} between two frames. */
export interface SourceFilterVocoderState {
  readonly network: VocoderNetworkState;
  readonly synthesis: SynthesisState;
}

/**
 * Speech frames to PCM with given weights. PCM lags by 400 samples, 25 ms.
 *
 * @example
 * const vocoder = new SourceFilterVocoder(weights);
 * const pcm = vocoder.push(levels); // 8 frames, [8, 80], give 3200 samples
 */
export class SourceFilterVocoder implements Vocoder {
  readonly hopSamples = geometry.hopSamples;
  readonly latencySamples = geometry.hopSamples;
  readonly #network: VocoderNetwork;
  readonly #synthesis: SourceFilterSynthesis;

  /**
   * @param weights - the tensors named `microturn.vocoder.*` in docs/models.md, by name; others are ignored
   * @param options - none is needed
   * @param options.seed - of the noise, an integer 0 to 2^32 - 1; default 1
   * @throws DuplexError `MODEL_INVALID` if a weight is missing or has a wrong shape
   * @throws RangeError if the seed is outside its range
   */
  constructor(weights: ReadonlyMap<string, VocoderWeight>, { seed = 1 }: { readonly seed?: number } = {}) {
    this.#network = new VocoderNetwork(weights);
    this.#synthesis = new SourceFilterSynthesis({ seed });
  }

  push(levels: Uint8Array | Int32Array): Float32Array {
    const { melBins, controlsPerFrame, hopSamples } = geometry;
    const frames = levels.length / melBins;
    if (!Number.isInteger(frames)) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `vocoder: expected levels [frames, ${melBins}], got ${levels.length} values; pass whole frames`,
      );
    }
    const bad = levels.findIndex((level: number) => level < 0 || level >= geometry.levels);
    if (bad >= 0) throw new RangeError(`vocoder: expected levels 0 to 15, got ${levels[bad]} at ${bad}`);
    const controls = new Float32Array(frames * controlsPerFrame);
    const before = this.#network.snapshot();
    this.#network.step(levels, controls);
    const pcm = new Float32Array(frames * hopSamples);
    try {
      this.#synthesis.render(controls, levels, pcm);
    } catch (error) {
      this.#network.restore(before);
      throw error;
    }
    return pcm;
  }

  flush(): Float32Array {
    const pcm = new Float32Array(this.latencySamples);
    this.#synthesis.flush(pcm);
    this.#network.reset();
    return pcm;
  }

  reset(): void {
    this.#network.reset();
    this.#synthesis.reset();
  }

  /** A copy of the state; the vocoder may go on. */
  snapshot(): SourceFilterVocoderState {
    return { network: this.#network.snapshot(), synthesis: this.#synthesis.snapshot() };
  }

  /**
   * Goes back to a state of a vocoder with the same weights.
   *
   * @throws DuplexError `SHAPE_MISMATCH` if it comes from a network of another shape
   */
  restore(state: SourceFilterVocoderState): void {
    this.#network.restore(state.network);
    this.#synthesis.restore(state.synthesis);
  }
}
