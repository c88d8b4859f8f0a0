// The shape of a model of the family: everything the graph builder needs besides the weights.
// Source of the family: Thinking Machines Lab, Inkling (Apache-2.0); see docs/models.md.

/** Heads of one kind of attention layer. */
export interface AttentionShape {
  /** Query heads; a multiple of `kvHeads`. */
  readonly heads: number;
  /** Key and value heads (grouped-query attention). */
  readonly kvHeads: number;
  /** Width of a head; scores are scaled by its inverse. */
  readonly headDim: number;
  /** Distance in positions from which the learned relative bias is 0. */
  readonly relativeExtent: number;
}

/** One layer of the hMLP patch tower: folds space and time to depth, then a linear layer. */
export interface PatchLayer {
  /** Moments folded into one. */
  readonly foldTime: number;
  /** Pixels (or cells) folded into one, along each side. */
  readonly foldSpace: number;
  /** Channels after folding: `foldTime * foldSpace^2` times those before it. */
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
  /** Heads of global layers. */
  readonly global: AttentionShape;
  /** Heads of sliding layers. */
  readonly sliding: AttentionShape;
  /** A sliding layer sees keys at a distance below this. */
  readonly slidingWindow: number;
  /** Width of the relative states per head. */
  readonly relativeDim: number;
  /** Log-position temperature of global layers: tau = 1 + alpha * log(max(1, (position + 1) / floor)). Absent: off. */
  readonly logScaling?: { readonly floor: number; readonly alpha: number };
  /** Taps of the four short convolutions. */
  readonly convKernel: number;
  /** Inner width of a dense MLP. */
  readonly denseWidth: number;
  /** Inner width of one expert. */
  readonly expertWidth: number;
  /** Routed experts. */
  readonly experts: number;
  /** Routed experts chosen for a token. */
  readonly expertsPerToken: number;
  /** Experts that every token uses; they share the weight normalisation with the chosen ones. */
  readonly sharedExperts: number;
  /** Sum of the weights of a token's experts, shared ones included, before the learned scale. */
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
  /** Positions for typed and delivered text; 0 if the model reads none. */
  readonly textSlots: number;
  /** Positions for patches; 0 if it sees nothing. */
  readonly patchSlots: number;
  /** Positions for dMel frames, one frame each. */
  readonly audioPositions: number;
  /** Positions that yield text, transcript, control and speech frames. */
  readonly outputPositions: number;
  /** A global layer sees keys at a distance below this, and the sinks. Whole micro-turns. */
  readonly globalWindow: number;
  /** First positions of the session that global layers always see. Whole micro-turns. */
  readonly sinkPositions: number;
  /** Frames that each output position yields, and their size. */
  readonly speech: {
    readonly framesPerPosition: number;
    readonly melBins: number;
    readonly levels: number;
  };
  /** Whether the model hands work over, by its control token `delegate`. Default: if it reads text or says it, by which results come back. */
  readonly delegates?: boolean;
  /**
   * What it takes to begin: this is added to the logit of `listen` while the model listens, 0 … 20; default 0. More is more patient in
   * pauses, and takes the turn later where it is unsure.
   */
  readonly startMargin?: number;
  /** Network that reads text out, beside the graph; absent if the model says only what it makes up itself. */
  readonly acoustic?: AcousticShape;
  /** Network of the vocoder, run in the same graph; absent when speech is vocoded elsewhere. */
  readonly vocoder?: VocoderShape;
}

/** The causal network that turns speech frames into controls of the source-filter synthesis. */
export interface VocoderShape {
  /** Channels between the blocks. */
  readonly width: number;
  /** Residual blocks of one causal convolution each. */
  readonly blocks: number;
  /** Taps of each causal convolution, in frames. */
  readonly kernel: number;
  /** Sets of controls per speech frame. */
  readonly subFrames: number;
  /** Points of each spectral envelope, 0 to half the rate. */
  readonly envelopePoints: number;
}

/** The network that turns letters into speech frames: docs/models.md, "What it is told". */
export interface AcousticShape {
  /** Channels. */
  readonly width: number;
  /** Letters or frames that a convolution spans; odd. */
  readonly kernel: number;
  /** The MLP of a block is this many times as wide. */
  readonly expand: number;
  /** Blocks over letters. */
  readonly encoderBlocks: number;
  /** Blocks over frames. */
  readonly decoderBlocks: number;
  /** Every character that it reads, by number; the first stands before and after a text. */
  readonly alphabet: string;
}

/** Positions of one micro-turn. */
export function positionsPerTurn(layout: DuplexLayout): number {
  return layout.textSlots + layout.patchSlots + layout.audioPositions + layout.outputPositions;
}
