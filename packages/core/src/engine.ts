// The engine contract: something that advances a conversation by one micro-turn.
// `localEngine` (model + backend + codecs) and every remote adapter are engines.

/** What an engine can do; a session branches on this, never on a name. */
export interface EngineCapabilities {
  /** Length of a micro-turn in ms: 200 for our models; a property of the model. */
  readonly turnDurationMs: number;
  /** Rate of the PCM that `step` takes, Hz. */
  readonly inputSampleRate: number;
  /** Rate of the PCM that `step` gives, Hz. */
  readonly outputSampleRate: number;
  /** What `step` takes; anything else is refused with `UNSUPPORTED`. */
  readonly inputs: readonly ("audio" | "video" | "text")[];
  /** Whether text that the background delivers is said as it stands, unless it is `silent`; whatever `inputs` says. */
  readonly saysText: boolean;
  /**
   * Whether text that the user types is taken though `inputs` has no `text`: it is spoken into the model's ear, and what the
   * model makes of it comes back as `heard`.
   */
  readonly hearsText: boolean;
  /** What `step` gives; `heard` is the transcript of the user. */
  readonly outputs: readonly ("audio" | "text" | "heard")[];
  /** Whether listen and speak decisions of the model are visible. */
  readonly decisions: boolean;
  /** Whether the model may hand work over. Results come back where `inputs` has `text`, or with `saysText`; else the app acts by itself. */
  readonly delegation: boolean;
  /** Whether sessions can be snapshot, forked and rewound. */
  readonly snapshots: boolean;
  /** Whether the same inputs and seed give the same bits again. */
  readonly deterministic: boolean;
  /** Whether what the model remembers of its own reply is cut where {@link TurnInput.played} says that it stopped being heard. */
  readonly truncates: boolean;
  /** Name of the dMel preset in which `step` also takes the input, already encoded ({@link TurnInput.dmel}); absent if it takes PCM only. */
  readonly dmel?: string;
  /**
   * Pixels to which the engine scales every image, where it does. An image of this size is shown as it is, so that a sender may
   * scale before sending and lose nothing.
   */
  readonly image?: { readonly width: number; readonly height: number };
  /**
   * Whether a step keeps processors of this machine busy, so that work that can wait for its end should
   * ({@link DuplexSession.computing}). Default false: it is computed elsewhere.
   */
  readonly computesHere?: boolean;
  /** Sessions that can be open at once. */
  readonly maxSessions: number;
  /** What runs, in words and hashes: for traces, logs and reports, never for decisions. */
  readonly identity?: EngineIdentity;
}

/** What an engine runs. */
export interface EngineIdentity {
  /** Name and version of the model, for example `mini 0.1.0`. */
  readonly model: string;
  /** SHA-256 of the model's files by path, lower-case hex. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where it runs, for example `cpu int8, Intel Xeon`. */
  readonly backend: string;
}

/** Opens sessions over one model or endpoint. Making one does nothing yet: `load` or the first `open` does. */
export interface Engine {
  /**
   * Loads the model or reaches the endpoint; later calls give the same answer.
   *
   * @throws DuplexError `MODEL_INVALID`, `BACKEND_UNAVAILABLE`, `ABORTED`, `SESSION_CLOSED`
   */
  load(options?: EngineLoadOptions): Promise<EngineCapabilities>;
  /** Loads if need be, then opens a session. @throws DuplexError as `load`; `UNSUPPORTED` when no session is free */
  open(options?: EngineOpenOptions): Promise<EngineSession>;
  /** Closes every session and frees the model (a backend that was passed in stays open); double close is fine. */
  close(): Promise<void>;
}

/** Options of {@link Engine.load}. */
export interface EngineLoadOptions {
  /** Gives up with `ABORTED`; others that wait for the same load go on. */
  readonly signal?: AbortSignal;
  /** Called in every stage, on the caller's thread. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** How far a load has come. */
export interface LoadProgress {
  /** Read the files, check their hashes, build the graph, start the runtime; in this order. */
  readonly stage: "read" | "check" | "build" | "start";
  /** Bytes or steps done and in all, in this stage. */
  readonly done: number;
  readonly total: number;
}

/** Options of {@link Engine.open}. */
export interface EngineOpenOptions {
  /** Seeds every random choice of the session, 0 … 2^32 - 1; default 0. */
  readonly seed?: number;
  /** 0 is greedy (default); up to 2. */
  readonly temperature?: number;
  /** Gives up the opening with `ABORTED`; an open session is not affected. */
  readonly signal?: AbortSignal;
  /** Called while the model loads, if it does. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** One conversation inside an engine. Steps, snapshots and restores come one at a time: await one before the next. */
export interface EngineSession {
  readonly capabilities: EngineCapabilities;
  /**
   * Advances by `input.turns` micro-turns and gives the output of the last one.
   *
   * @throws DuplexError `SHAPE_MISMATCH`, `SESSION_CLOSED`, `BACKEND_FAILED`
   */
  step(input: TurnInput): Promise<TurnOutput>;
  /** Everything needed to go on from here, on the same engine. Only with capability `snapshots`. */
  snapshot(): Promise<EngineSnapshot>;
  /** Goes back (or over) to a snapshot of this engine. Only with capability `snapshots`. */
  restore(snapshot: EngineSnapshot): Promise<void>;
  /** Always resolves; double close is fine. */
  close(): Promise<void>;
}

/** An engine's own snapshot; opaque to the session. */
export interface EngineSnapshot {
  /** Kind and model of the engine that made it, for messages. */
  readonly engine: string;
  /** Only that engine understands it. */
  readonly data: unknown;
}

/** An image that enters a micro-turn. */
export interface ImageFrame {
  /** RGBA (4 bytes a pixel) or RGB (3 bytes a pixel), row-major. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Pixels, as `height`. */
  readonly width: number;
  readonly height: number;
  /** Capture time on the session clock, ms. */
  readonly timeMs: number;
}

/** Input of one step: usually one micro-turn, more when late units are merged. */
export interface TurnInput {
  /** Index of the last micro-turn in this step. */
  readonly index: number;
  /** Micro-turns in this step, at least 1. The output of all but the last is silence, and the model is told so. */
  readonly turns: number;
  /** Mono PCM, `turns` x samples per micro-turn, at `inputSampleRate`; empty with `dmel`. */
  readonly audio: Float32Array;
  /**
   * Packed dMel levels of these micro-turns instead of `audio`: high nibble first, frame-major, as {@link TurnInside.dmel}.
   * Only for engines with the capability `dmel`, in the preset that it names.
   */
  readonly dmel?: Uint8Array;
  /** Images captured in these micro-turns, oldest first. */
  readonly images: readonly ImageFrame[];
  /** Text that enters here: typed by the user, or delivered by the background. */
  readonly text: readonly TextInput[];
  /** The model must not speak in this micro-turn (its output was cut or skipped). */
  readonly forceListen?: boolean;
  /**
   * How far the assistant's sound had been heard when this step began, if the player tells. It never falls, except by a
   * rewind. Only engines with the capability `truncates` use it.
   */
  readonly played?: PlaybackPosition;
}

/** How far the assistant's sound has left the loudspeaker. */
export interface PlaybackPosition {
  /** The micro-turn whose sound was last heard. */
  readonly turnIndex: number;
  /** Samples of it that were heard, at `outputSampleRate`; 0 … samples per micro-turn. */
  readonly samples: number;
}

/** A piece of text that enters a micro-turn. */
export interface TextInput {
  readonly source: "user" | "background";
  readonly text: string;
  /** For the model to know, not to be spoken about now; default false. */
  readonly silent?: boolean;
  /** The result of the background that it is, by the number that the session gave it. */
  readonly delivery?: number;
  /** {@link Delegation.id} of the work that it is the result of, if it is of one. */
  readonly delegation?: string;
}

/** A text that was given up: of the background, not to be said, or of the user, not to be heard. */
export interface UnsaidText {
  /** {@link TextInput.delivery} of it; absent for text that the user typed. */
  readonly delivery?: number;
  /** The words that were not heard to begin, in their spoken form; of a text that cannot be said, the text. */
  readonly words: string;
}

/** Work that the model hands to the background. */
export interface Delegation {
  /** What is asked for, in words. */
  readonly task: string;
  /** Tells it from others of the session, where several may be under way; its result names it. */
  readonly id?: string;
  /** Of the function that is called, where the engine calls functions. */
  readonly name?: string;
  /** Its arguments, as the model gave them; not checked against their schema. */
  readonly arguments?: unknown;
}

/** Output of one micro-turn. */
export interface TurnOutput {
  /** `speak` while the assistant holds the floor. */
  readonly decision: "listen" | "speak";
  /**
   * True when the assistant gave up the floor in mid-reply in this micro-turn: sound of earlier micro-turns that is still
   * queued must not be played any more. The end of a reply that was said to its end is not a yield.
   */
  readonly yielded?: boolean;
  /** Mono PCM of one micro-turn at `outputSampleRate`; all zero in silence. Belongs to the receiver. */
  readonly speech: Float32Array;
  /** What the assistant says, in words new in this micro-turn; "" if none. */
  readonly text: string;
  /** What was understood of the user, in words new in this micro-turn; "" if none. */
  readonly heard: string;
  /**
   * Texts that it was told to say and gives up here: the user broke in, it was silenced, or there is nothing in them that it can say.
   * And texts that the user typed which it cannot hear: nothing in them can be spoken, or too much waits.
   */
  readonly unsaid?: readonly UnsaidText[];
  /** Present when the model hands work to the background. */
  readonly delegation?: Delegation;
  /** {@link Delegation.id} of work that was handed over before and is not wanted any more; a result for it is not waited for. */
  readonly cancelled?: readonly string[];
  readonly timing: EngineTiming;
  /** For traces and viewers: whatever the engine can show of its inside. */
  readonly inside?: TurnInside;
}

/** Where the time of a step went, ms. */
export interface EngineTiming {
  /** Samples and images to model input. */
  readonly encodeMs: number;
  /** Waiting for the device and for other sessions of the batch. */
  readonly waitMs: number;
  /** Inside the runtime. */
  readonly runMs: number;
  /** Frames to samples, tokens to text. */
  readonly decodeMs: number;
}

/** A look inside the model at one micro-turn. */
export interface TurnInside {
  /** Packed dMel levels of the input, high nibble first, frame-major: 160 bytes. */
  readonly dmel?: Uint8Array;
  /** Control token of each output position: 0 none, 1 listen, 2 speak, 3 delegate. */
  readonly controls?: Uint8Array;
  /** Share of the routing weight that each routed expert got, per mixture layer: `[layers, experts]` flat. */
  readonly expertLoad?: Float32Array;
  /** The two sizes of `expertLoad`. */
  readonly expertShape?: readonly [layers: number, experts: number];
}
