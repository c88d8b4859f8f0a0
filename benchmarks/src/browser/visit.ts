// What the page that is timed and the program that times it say to each other.

/** What one visit of the page gave. */
export interface Visit {
  readonly device: string;
  /** From the first line of the page's own code to an open session, ms. */
  readonly openMs: number;
  /** When each stage of loading began, ms from the same moment. */
  readonly stages: Readonly<Record<string, number>>;
  /** Of each micro-turn, ms: everything from the page's step to its output, and the model run in it. */
  readonly stepMs: readonly number[];
  readonly runMs: readonly number[];
  /** Tasks of the page's thread of 50 ms or more, ms each. */
  readonly longTasks: readonly number[];
  /** Used JavaScript heap of the page, bytes, at equal distances. */
  readonly heap: readonly number[];
  readonly late: number;
  /** Everything that page and worker use, bytes, at equal distances; empty unless asked for. */
  readonly memory: readonly number[];
  /** From a break of the worker to the moment that the session was in another one, ms; undefined if none was made. */
  readonly gapMs: number | undefined;
}

/** How the page is used. */
export interface VisitOptions {
  readonly threads: number;
  /** Micro-turns to talk for. */
  readonly turns: number;
  /** In real time, as with a microphone; else as fast as it computes. */
  readonly realtime: boolean;
  /** Micro-turns between two readings of the memory of page and worker; only in an isolated page. */
  readonly memoryEvery?: number;
  /** The worker breaks after this many micro-turns. */
  readonly breakAt?: number;
}

/** What the page offers to the program that times it. */
export interface TimedPage {
  /** Reads the recording. */
  prepare(): Promise<void>;
  /** Resolves in a task after the last one of the conversation. */
  visit(options: VisitOptions): Promise<void>;
  /** What the last visit gave. */
  visited(): Visit;
}
