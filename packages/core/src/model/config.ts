// The shape of a model of the family: everything the graph builder needs besides the weights.
// Source of the family: Thinking Machines Lab, Inkling (Apache-2.0); see docs/models.md.

/** Heads of one kind of attention layer. */
export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Distance in positions from which the learned relative bias is 0. */
  readonly relativeExtent: number;
}

/** One layer of the hMLP patch tower: folds space and time to depth, then a linear layer. */
export interface PatchLayer {
  readonly foldTime: number;
  readonly foldSpace: number;
  readonly inputWidth: number;
  readonly outputWidth: number;
}

/** Configuration of the published family. Sizes are counts of elements; windows and extents are positions. */
export interface ModelConfig {
  readonly hiddenSize: number;
  readonly vocabSize: number;
  /** Rows that the unembedding really holds, if fewer than `vocabSize`. */
  readonly unpaddedVocabSize?: number;
  readonly rmsNormEpsilon: number;
  /** One entry per layer. */
  readonly layerTypes: readonly ("sliding" | "global")[];
  /** One entry per layer. */
  readonly mlpTypes: readonly ("dense" | "experts")[];
  readonly global: AttentionShape;
  readonly sliding: AttentionShape;
  /** A sliding layer sees keys at a distance below this. */
  readonly slidingWindow: number;
  /** Width of the relative states per head. */
  readonly relativeDim: number;
  /** Log-position temperature of global layers: tau = 1 + alpha * log(max(1, (position + 1) / floor)). Absent: off. */
  readonly logScaling?: { readonly floor: number; readonly alpha: number };
  /** Taps of the four short convolutions. */
  readonly convKernel: number;
  readonly denseWidth: number;
  readonly expertWidth: number;
  /** Routed experts. */
  readonly experts: number;
  readonly expertsPerToken: number;
  readonly sharedExperts: number;
  readonly routeScale: number;
  /** Final hidden states are divided by this before every head. */
  readonly mupDivisor: number;
  /** dMel bag of embeddings. */
  readonly audio?: { readonly melBins: number; readonly levels: number };
  /** hMLP tower over patches `[temporalPatchSize, patchSize, patchSize, channels]`. */
  readonly image?: {
    readonly patchSize: number;
    readonly temporalPatchSize: number;
    readonly channels: number;
    readonly layers: readonly PatchLayer[];
  };
  /** What makes it an interaction model; absent for a plain language model. */
  readonly duplex?: DuplexLayout;
}

/** The micro-turn layout: `[text slots][patch slots][audio positions][output positions]`. */
export interface DuplexLayout {
  readonly turnDurationMs: number;
  readonly textSlots: number;
  readonly patchSlots: number;
  readonly audioPositions: number;
  readonly outputPositions: number;
  /** A global layer sees keys at a distance below this, and the sinks. Whole micro-turns. */
  readonly globalWindow: number;
  /** First positions of the session that global layers always see. Whole micro-turns. */
  readonly sinkPositions: number;
  readonly speech: {
    readonly framesPerPosition: number;
    readonly melBins: number;
    readonly levels: number;
  };
  /** Network of the vocoder, run in the same graph; absent when speech is vocoded elsewhere. */
  readonly vocoder?: VocoderShape;
}

/** The causal network that turns speech frames into controls of the source-filter synthesis. */
export interface VocoderShape {
  readonly width: number;
  readonly blocks: number;
  /** Taps of each causal convolution, in frames. */
  readonly kernel: number;
  readonly subFrames: number;
  readonly envelopePoints: number;
}

/** Positions of one micro-turn. */
export function positionsPerTurn(layout: DuplexLayout): number {
  return layout.textSlots + layout.patchSlots + layout.audioPositions + layout.outputPositions;
}
