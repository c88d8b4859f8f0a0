// What the suite of job queues needs from an implementation: a queue with workers that can be held back, killed and frozen.

import type { JobQueue } from "@microturn/tools";

/** An implementation of `JobQueue`, and how to start it. */
export interface QueueUnderTest {
  readonly name: string;
  /** Jobs outlive the queue object that they were submitted to. */
  readonly durable: boolean;
  /** Starts one, empty, with workers that run `scriptedHandler`. */
  start(options: QueueOptions): Promise<QueueBench>;
}

/** What a check asks for. */
export interface QueueOptions {
  /** Tries of a job in all, crashes included. */
  readonly attempts: number;
  /** Whether workers wait for {@link QueueBench.work} before they take anything. */
  readonly held: boolean;
}

/** A queue at work. */
export interface QueueBench {
  readonly queue: JobQueue;
  /** Another queue object for the same jobs, if they are durable. */
  another(): JobQueue;
  /** Lets held workers begin. */
  work(): Promise<void>;
  /** Jobs whose handler pauses now. */
  readonly paused: ReadonlySet<string>;
  /** What handlers told of a job, from all tries. */
  told(id: string): readonly string[];
  /** The worker that has jobs dies as it stands; another takes over. */
  crash(): Promise<void>;
  /** The worker that has jobs stands still, for so long that another takes over. */
  freeze(): Promise<void>;
  /** What stood still goes on: tries that paused append an event. Gives how the append for this job failed, or "none". */
  thaw(id: string): Promise<string>;
  close(): Promise<void>;
}
