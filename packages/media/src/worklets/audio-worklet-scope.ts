// The names of the audio thread that our worklets use. (The published types of that scope clash with those of a page.)

/** What a processor can be made with. */
export interface ProcessorOptions<Options> {
  readonly processorOptions: Options;
}

/** The class that every processor extends. */
export declare class Processor {
  readonly port: MessagePort;
}

interface AudioThread {
  readonly AudioWorkletProcessor: typeof Processor;
  readonly registerProcessor: (name: string, processor: unknown) => void;
  /** Samples since the context was made, at the start of this quantum. */
  readonly currentFrame: number;
  /** Hz. */
  readonly sampleRate: number;
}

/** The scope of the audio thread. */
export const audioThread = globalThis as unknown as AudioThread;
